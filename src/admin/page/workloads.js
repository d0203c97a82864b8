// The table of workloads: sorted, searched, walked by keys.

import { lostText } from './losses.js';
import { nameOf } from './names.js';
import { bytesText, countText, durationText, moneyText, shareText } from './numbers.js';
import { minutesText, severityBar } from './severities.js';

const rowsMax = 300;
/** A longer lag is highlighted; files are looked at each second. */
const lateSeconds = 10;
/** A larger share of errors is highlighted. */
export const manyErrors = 0.05;

/**
 * @typedef {{ namespace: string, pod: string, container: string, lines: number, bytes: number,
 *   entries: number, linesPerSecond: number, bytesPerSecond: number,
 *   shippedLinesPerSecond: number, shippedBytesPerSecond: number,
 *   writtenBytes: number, writtenLines: number, behindBytes: number,
 *   behindSeconds: number, lostBytes?: number, refusedEntries?: number, chargedBytes: number, costPerMonth: number,
 *   costSeconds: number, severities: Record<string, number>, errorShares: (number | null)[],
 *   rules?: { name: string, does: string, why: string }[],
 *   files: { name: string, offset: number, readOffset: number, size: number,
 *     isRotated?: boolean, isDeleted?: boolean }[] }} Workload
 * `from` is the width of window that the column needs.
 * @typedef {{ title: string, hint: string, from?: 'medium' | 'wide',
 *   value: (workload: Workload) => number | string, text: (workload: Workload) => string }} Column
 */

/** @type {readonly Column[]} */
const columns = [
  {
    title: 'Workload',
    hint: 'namespace, pod, container',
    value: keyOf,
    text: keyOf,
  },
  {
    title: 'Bytes/s',
    hint: 'written to its log files, shipped or not; the bar is its share',
    value: ({ bytesPerSecond }) => bytesPerSecond,
    text: ({ bytesPerSecond }) => bytesText(bytesPerSecond),
  },
  {
    title: 'Lines/s',
    hint: 'written to its log files, shipped or not',
    from: 'wide',
    value: ({ linesPerSecond }) => linesPerSecond,
    text: ({ linesPerSecond }) => countText(linesPerSecond),
  },
  {
    title: 'Errors',
    hint: 'part of its newest entries that are ERROR or above; the bar is of all severities since the agent started',
    value: ({ errorShares }) => errorShares[0] ?? 0,
    text: ({ errorShares }) => shareText(errorShares[0] ?? 0),
  },
  {
    title: 'Behind',
    hint: 'bytes in its files that are not acknowledged',
    from: 'medium',
    value: ({ behindBytes }) => behindBytes,
    text: ({ behindBytes }) => bytesText(behindBytes),
  },
  {
    title: 'Lag',
    hint: 'age of its oldest line that is not acknowledged',
    value: ({ behindSeconds }) => behindSeconds,
    text: ({ behindSeconds }) => (behindSeconds === 0 ? '0' : durationText(behindSeconds)),
  },
  {
    title: 'Shipped',
    hint: 'since the agent started',
    from: 'wide',
    value: ({ bytes }) => bytes,
    text: ({ bytes }) => bytesText(bytes),
  },
  {
    title: 'Lost',
    hint: 'since the agent started: bytes of its files that can no longer be read, entries that Cloud Logging refused',
    value: ({ lostBytes = 0, refusedEntries = 0 }) => lostBytes + refusedEntries,
    text: (workload) => lostText(workload) || '0',
  },
  {
    title: 'Cost/month',
    hint: 'estimate, at the rate of the last 15 minutes or of its life',
    value: ({ costPerMonth }) => costPerMonth,
    text: ({ costPerMonth }) => moneyText(costPerMonth),
  },
];

/** @param {Workload} workload */
export function keyOf({ namespace, pod, container }) {
  return `${namespace}/${pod}/${container}`;
}

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** The name of a column in the page's address: `lag`. @param {Column} column */
function slugOf({ title }) {
  return /^\w+/.exec(title)?.[0].toLowerCase() ?? '';
}

/**
 * `changed` gets the search and the sort order: `lag`, or `lag-asc` for ascending.
 * @param {{ open: (key: string) => void,
 *   changed: (view: { q: string, sort: string }) => void }} hooks
 */
export function createWorkloadTable({ open, changed }) {
  const rows = element('rows');
  const search = /** @type {HTMLInputElement} */ (element('search'));
  /** @type {number} */
  let sortedBy = 1;
  let isAscending = false;
  /** @type {readonly Workload[]} */
  let workloads = [];

  /** @param {number} index */
  function sortBy(index) {
    if (columns[index] === undefined) return;
    isAscending = sortedBy === index ? !isAscending : index === 0;
    sortedBy = index;
    drawHead();
    drawRows();
    tell();
  }

  function tell() {
    const column = columns[sortedBy];
    const slug = column === undefined ? '' : slugOf(column);
    const isUsual = isAscending === (sortedBy === 0);
    const sort = isUsual ? slug : `${slug}${isAscending ? '-asc' : '-desc'}`;
    changed({ q: search.value, sort: sortedBy === 1 && isUsual ? '' : sort });
  }

  /** @param {{ q: string, sort: string }} view of the address */
  function restore({ q, sort }) {
    search.value = q;
    const [slug = '', way] = sort.split('-');
    const index = columns.findIndex((column) => slugOf(column) === slug);
    if (index !== -1) {
      sortedBy = index;
      isAscending = way === undefined ? index === 0 : way === 'asc';
    }
    drawHead();
    drawRows();
  }

  function drawHead() {
    element('head').replaceChildren(
      ...columns.map(({ title, hint, from }, index) => {
        const head = document.createElement('th');
        head.scope = 'col';
        if (from) head.className = `from-${from}`;
        if (index === sortedBy) head.ariaSort = isAscending ? 'ascending' : 'descending';
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = title;
        button.title = hint;
        button.addEventListener('click', () => sortBy(index));
        head.append(button);
        return head;
      }),
    );
  }

  function visible() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const value = columns[sortedBy]?.value ?? keyOf;
    return workloads
      .filter((workload) => words.every((word) => keyOf(workload).toLowerCase().includes(word)))
      .toSorted((left, right) => {
        const [a, b] = [value(left), value(right)];
        const order = a < b ? -1 : a > b ? 1 : keyOf(left) < keyOf(right) ? -1 : 1;
        return isAscending || a === b ? order : -order;
      });
  }

  function drawRows() {
    const focused = document.activeElement?.getAttribute('data-key');
    const shown = visible();
    const total = workloads.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
    rows.replaceChildren(...shown.slice(0, rowsMax).map((workload) => rowOf(workload, total)));
    if (shown.length === 0) rows.append(emptyRow(workloads.length === 0));
    const more = shown.length > rowsMax ? `, the first ${rowsMax} shown` : '';
    element('count').textContent =
      `${countText(shown.length)} of ${countText(workloads.length)}${more}`;
    const first = rows.querySelector('tr[data-key]');
    const again = [...rows.children].find((row) => row.getAttribute('data-key') === focused);
    const current = focused == null ? undefined : again;
    /** @type {HTMLElement | null} */ (current ?? first)?.setAttribute('tabindex', '0');
    /** @type {HTMLElement | undefined} */ (current)?.focus({ preventScroll: true });
  }

  /** @param {Workload} workload @param {number} total bytes/s of all */
  function rowOf(workload, total) {
    const row = document.createElement('tr');
    row.tabIndex = -1;
    row.dataset['key'] = keyOf(workload);
    for (const column of columns) row.append(cellOf(column, workload, total));
    row.addEventListener('click', () => open(keyOf(workload)));
    return row;
  }

  /** @param {number} step */
  function move(step) {
    const all = [...rows.querySelectorAll('tr[data-key]')];
    const at = all.findIndex((row) => row === document.activeElement);
    const next = at === -1 ? 0 : Math.min(all.length - 1, Math.max(0, at + step));
    for (const row of all) row.setAttribute('tabindex', '-1');
    const row = /** @type {HTMLElement | undefined} */ (all[next]);
    row?.setAttribute('tabindex', '0');
    row?.focus();
  }

  search.addEventListener('input', () => {
    drawRows();
    tell();
  });
  drawHead();
  return {
    sortBy,
    move,
    restore,
    search,
    /** @param {readonly Workload[]} fresh */
    show(fresh) {
      workloads = fresh;
      drawRows();
    },
  };
}

/** @param {Column} column @param {Workload} workload @param {number} total */
function cellOf(column, workload, total) {
  const cell = document.createElement('td');
  if (column.from) cell.className = `from-${column.from}`;
  const value = column.value(workload);
  if (value === 0) cell.classList.add('zero');
  if (column.title === 'Lag' && workload.behindSeconds > lateSeconds) cell.classList.add('late');
  if (column.title === 'Errors' && Number(value) > manyErrors) cell.classList.add('errors');
  if (column.title === 'Lost' && value !== 0) cell.classList.add('errors');
  if (column.title !== 'Workload') cell.textContent = column.text(workload);
  else cell.append(nameOf(workload));
  if (column.title === 'Bytes/s' && total > 0) {
    cell.append(shareBar(workload.bytesPerSecond / total));
  }
  if (column.title === 'Errors' && workload.entries > 0) {
    cell.title = minutesText(workload.errorShares);
    cell.append(severityBar(workload.severities));
  }
  return cell;
}

/** @param {number} share */
function shareBar(share) {
  const bar = document.createElement('span');
  bar.className = 'share';
  bar.title = `${(share * 100).toFixed(0)} % of all`;
  const fill = document.createElement('i');
  fill.style.width = `${(share * 100).toFixed(1)}%`;
  bar.append(fill);
  return bar;
}

/** @param {boolean} isNone */
function emptyRow(isNone) {
  const row = document.createElement('tr');
  row.className = 'empty';
  const cell = document.createElement('td');
  cell.colSpan = columns.length;
  cell.textContent = isNone
    ? 'No container has logged here yet.'
    : 'No workload has this in its name.';
  row.append(cell);
  return row;
}
