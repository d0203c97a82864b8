// The drawer of one workload: its figures, and its files as the chain they are, oldest first. It is
// drawn again at each answer while it is open.

import { bytesText, countText, durationText, moneyText, shareText } from './numbers.js';
import { severityBar, sharesOf } from './severities.js';

/** @typedef {import('./workloads.js').Workload} Workload */

/** @param {string} name @param {string} className @param {...(string | Node)} children */
function make(name, className, ...children) {
  const node = document.createElement(name);
  if (className !== '') node.className = className;
  node.append(...children);
  return node;
}

/** Fills the drawer. @param {HTMLDialogElement} drawer @param {Workload} workload */
export function drawDetail(drawer, workload) {
  const title = make('h2', '', workload.pod === '' ? workload.container : workload.pod);
  title.id = 'detail-title';
  const names = [workload.namespace, workload.container].filter((name) => name !== '').join(' · ');
  const close = make('button', '', 'Close');
  close.addEventListener('click', () => drawer.close());
  const hadFocus = drawer.contains(document.activeElement);
  drawer.replaceChildren(
    make('header', '', make('div', '', title, make('p', 'faint', names)), close),
    factsOf(workload),
    ...severitiesOf(workload),
    make(
      'h3',
      '',
      workload.files.length === 1 ? '1 file' : `${workload.files.length} files, oldest first`,
    ),
    filesOf(workload),
    legend(),
  );
  if (hadFocus) close.focus();
}

/** @param {Workload} workload */
function factsOf(workload) {
  const facts = [
    ['Lines/s', countText(workload.linesPerSecond)],
    ['Bytes/s', bytesText(workload.bytesPerSecond)],
    ['Cost/month', moneyText(workload.costPerMonth)],
    ['Behind', bytesText(workload.behindBytes)],
    ['Lag', durationText(workload.behindSeconds)],
    ['Charged so far', bytesText(workload.chargedBytes)],
    ['Lines', countText(workload.lines)],
    ['Entries', countText(workload.entries)],
    ['Bytes', bytesText(workload.bytes)],
    ...(workload.lostBytes === undefined ? [] : [['Lost', bytesText(workload.lostBytes)]]),
  ];
  const pairs = facts.map(([name = '', value = '']) =>
    make('div', '', make('dt', '', name), make('dd', '', value)),
  );
  return make('dl', 'facts', ...pairs);
}

/** Shares by severity, as soon as there is an entry. @param {Workload} workload */
function severitiesOf({ severities }) {
  const shares = sharesOf(severities);
  if (shares.length === 0) return [];
  const rows = shares.map(({ name, count, share }) =>
    make(
      'li',
      name,
      make('span', 'name', name),
      make('span', '', countText(count)),
      make('span', 'faint', shareText(share)),
    ),
  );
  return [
    make('h3', '', 'Severities since the agent started'),
    severityBar(severities),
    make('ul', 'severities', ...rows),
  ];
}

/** @param {Workload} workload */
function filesOf({ files }) {
  const rows = files.map(({ name, offset, readOffset, size, isRotated, isDeleted }) => {
    const state = isDeleted ? 'deleted, held open' : isRotated ? 'rotated' : 'live';
    const bar = make(
      'div',
      'progress',
      part('committed', offset, size),
      part('read', readOffset - offset, size),
    );
    const left = size - offset;
    const text =
      left === 0
        ? `all ${countText(size)} bytes acknowledged`
        : `acknowledged ${countText(offset)}, read ${countText(readOffset)} of ${countText(size)} bytes`;
    return make(
      'li',
      '',
      make('div', 'name', name, make('span', '', state)),
      bar,
      make('small', '', text),
    );
  });
  return make('ol', 'files', ...rows);
}

/** @param {string} className @param {number} bytes @param {number} size */
function part(className, bytes, size) {
  const node = make('i', className);
  node.style.width = `${size === 0 ? 0 : (Math.max(0, bytes) / size) * 100}%`;
  return node;
}

function legend() {
  return make(
    'p',
    'legend',
    make('span', '', make('i', 'committed'), 'in Cloud Logging'),
    make('span', '', make('i', 'read'), 'on its way'),
    make('span', '', make('i', ''), 'not read yet'),
  );
}
