// Decides whether a `Host` header names this agent. Another site can point its own name at the
// agent's address (DNS rebinding) and make a browser read the answers; it cannot make the browser
// use an address or the agent's own name.

import { isIP } from 'node:net';

/** Whether there is one `Host`: an IP address, `localhost` or one of `names`. */
export function isOwnHost(hosts: readonly string[] | undefined, names: readonly string[]): boolean {
  const [host, ...others] = hosts ?? [];
  if (host === undefined || others.length > 0) return false;
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d{0,5})?$/.exec(host.trim());
  const [, bracketed, plain = ''] = match ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const name = normalized(plain);
  return isIP(name) === 4 || name === 'localhost' || names.map(normalized).includes(name);
}

/** Without case, and without the final dot. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
