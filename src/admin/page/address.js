// What the page shows, in its address (`/?q=shop&sort=lag&pod=shop/cart-0/app`), so that it can be
// sent to a colleague.

/** @typedef {{ q: string, sort: string, pod: string }} View */

const names = /** @type {const} */ (['q', 'sort', 'pod']);

/** @returns {View} */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const [q = '', sort = '', pod = ''] = names.map((name) => query.get(name) ?? '');
  return { q, sort, pod };
}

/** Replaces the address; the browser's "back" leaves the page. @param {Partial<View>} change */
export function writeAddress(change) {
  const view = { ...readAddress(), ...change };
  const query = new URLSearchParams();
  for (const name of names) {
    if (view[name] !== '') query.set(name, view[name]);
  }
  const text = query.toString().replaceAll('%2F', '/');
  history.replaceState(null, '', text === '' ? location.pathname : `?${text}`);
}
