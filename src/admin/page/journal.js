// The journal of the node: its state, its logs as a table, and the drawer of one log. Without node
// logs it is hidden.

import { timeText, zoneName } from './clock.js';
import { copyButton } from './copy.js';
import { bytesText, countText, durationText } from './numbers.js';

/**
 * @typedef {{ name: string, readEntries: number, entries: number, bytes: number,
 *   inFlightEntries: number, lastReadAt?: string, isExcluded: boolean, bytesPerSecond?: number,
 *   rules: { name: string, does: string, why: string }[] }} JournalLog
 * @typedef {{ files: number, unreadableFiles: number, isPersistent?: boolean, entries: number,
 *   behindEntries: number, behindSeconds: number, lostEntries: number, corruptEntries: number,
 *   position?: { seqnumId: string, seqnum: number, at?: string }, logs: JournalLog[] }} Journal
 */

const titles = ['Log', 'Read', 'Shipped', 'On its way', 'Last entry'];

/** @param {string} name @param {string} className @param {...(string | Node)} children */
function make(name, className, ...children) {
  const node = document.createElement(name);
  if (className !== '') node.className = className;
  node.append(...children);
  return node;
}

/** @param {string | undefined} time RFC 3339 */
function clockText(time) {
  return time === undefined ? 'none yet' : timeText(Date.parse(time) / 1000);
}

/** @param {Journal} journal */
function troublesOf({ files, unreadableFiles, isPersistent, lostEntries, corruptEntries }) {
  return [
    files === 0 ? 'there is no journal' : '',
    unreadableFiles > 0 ? `${countText(unreadableFiles)} of its files cannot be read` : '',
    isPersistent === false ? 'in memory only, lost at a reboot' : '',
    lostEntries > 0 ? `${countText(lostEntries)} entries deleted before they were read` : '',
    corruptEntries > 0 ? `${countText(corruptEntries)} entries damaged` : '',
  ].filter(Boolean);
}

/** @param {Journal} journal */
function stateText(journal) {
  const { entries, behindEntries, behindSeconds, position } = journal;
  const behind =
    behindEntries === 0
      ? 'up to date'
      : `${countText(behindEntries)} entries behind, ${durationText(behindSeconds)}`;
  const at = position?.at === undefined ? [] : [`acknowledged up to ${clockText(position.at)}`];
  const parts = [`${countText(entries)} entries shipped`, behind, ...at, ...troublesOf(journal)];
  return parts.join(' · ');
}

/** @param {JournalLog} log @param {Journal} journal @param {() => void} close */
function detailOf(log, { position, behindEntries, lostEntries }, close) {
  const title = make('h2', '', log.name);
  title.id = 'journal-log-title';
  const button = make('button', '', 'Close');
  button.addEventListener('click', close);
  const facts = [
    ['Read', countText(log.readEntries)],
    ['Shipped', countText(log.entries)],
    ['Bytes as sent', bytesText(log.bytes)],
    ['On its way', countText(log.inFlightEntries)],
    [`Last entry, ${zoneName()}`, clockText(log.lastReadAt)],
    [
      'Rate limit',
      log.bytesPerSecond === undefined ? 'none' : `${bytesText(log.bytesPerSecond)}/s`,
    ],
    ['Excluded', log.isExcluded ? 'yes' : 'no'],
    ['Rules', log.rules.map(({ name, does }) => `${name}: ${does}`).join(', ') || 'none'],
    ['Journal behind', `${countText(behindEntries)} entries`],
    ['Journal lost', `${countText(lostEntries)} entries`],
    ['Position', position === undefined ? 'none' : countText(position.seqnum)],
  ].map(([name = '', value = '']) => make('div', '', make('dt', '', name), make('dd', '', value)));
  return [
    make('header', '', make('div', '', title, make('p', 'faint', 'log of the journal')), button),
    make(
      'div',
      'actions',
      copyButton('Copy name', () => log.name),
    ),
    make('dl', 'facts', ...facts),
  ];
}

/** @param {HTMLElement} section @param {HTMLDialogElement} drawer */
export function createJournal(section, drawer) {
  const state = make('p', 'faint');
  const rows = make('tbody', '');
  const head = make('tr', '', ...titles.map((title) => make('th', '', title)));
  const table = make('table', '', make('thead', '', head), rows);
  section.append(state, make('div', 'scroll', table));
  /** @type {Journal | undefined} */
  let shown;
  let openName = '';

  /** @param {JournalLog} log */
  function rowOf(log) {
    const cells = log.isExcluded
      ? [countText(log.readEntries), 'excluded', '', clockText(log.lastReadAt)]
      : [
          countText(log.readEntries),
          countText(log.entries),
          countText(log.inFlightEntries),
          clockText(log.lastReadAt),
        ];
    const name = make('td', '', make('button', '', log.name));
    const row = make('tr', '', name, ...cells.map((text) => make('td', '', text)));
    row.addEventListener('click', () => {
      openName = log.name;
      drawDetail();
      drawer.showModal();
    });
    return row;
  }

  function drawDetail() {
    const log = shown?.logs.find(({ name }) => name === openName);
    if (shown === undefined || log === undefined) drawer.close();
    else drawer.replaceChildren(...detailOf(log, shown, () => drawer.close()));
  }

  drawer.addEventListener('click', (event) => {
    if (event.target === drawer) drawer.close(); // The backdrop.
  });
  return {
    /** @param {Journal | undefined} journal */
    show(journal) {
      shown = journal;
      section.hidden = journal === undefined;
      if (journal === undefined) return;
      state.textContent = stateText(journal);
      // On many nodes the journal is in memory only, on purpose.
      const troubles = troublesOf({ ...journal, isPersistent: true });
      state.className = troubles.length > 0 ? 'trouble' : 'faint';
      const focused = document.activeElement;
      const focusedName = rows.contains(focused) ? focused?.textContent : undefined;
      rows.replaceChildren(...journal.logs.map(rowOf));
      const buttons = [...rows.querySelectorAll('button')];
      buttons.find(({ textContent }) => textContent === focusedName)?.focus();
      table.hidden = journal.logs.length === 0;
      if (drawer.open) drawDetail();
    },
  };
}
