// The drawer of one workload: its figures, links and commands, plots, and its files, oldest first.
// It is drawn again at each answer while it is open; only its plots stay.

import { copyButton } from './copy.js';
import { lostText } from './losses.js';
import { createLiveTail } from './live-tail.js';
import { logsLinkFor } from './logs-link.js';
import { bytesText, countText, durationText, moneyText, shareText } from './numbers.js';
import { createPlots } from './plots.js';
import { minutesText, severityBar, sharesOf } from './severities.js';

/** @typedef {import('./workloads.js').Workload} Workload */
/** @typedef {import('./plots.js').Columns} Columns */
/** @typedef {{ workload: Workload, samples: Columns, place: Record<string, string>,
 *   logsLink: string | undefined, showsContent: boolean | undefined }} Shown */

/** @param {string} name @param {string} className @param {...(string | Node)} children */
function make(name, className, ...children) {
  const node = document.createElement(name);
  if (className !== '') node.className = className;
  node.append(...children);
  return node;
}

/** @param {HTMLDialogElement} drawer */
export function createDetail(drawer) {
  // The plots stay, with the value under the pointer; everything around them is new.
  const [above, area, below] = [make('div', ''), make('div', 'plots'), make('div', '')];
  const trend = make('section', '', make('h3', '', 'Since this page was opened'), area);
  const tail = createLiveTail();
  drawer.append(above, tail.section, trend, below);
  drawer.addEventListener('close', () => tail.close());
  const plots = createPlots(area, ['Bytes', 'Lag'], 'h4');
  return {
    retell: () => plots.retell(),
    /** @param {Shown} shown */
    show(shown) {
      const { workload, samples } = shown;
      const focused = document.activeElement;
      // The tail stays, and keeps the focus.
      const hadFocus = drawer.contains(focused) && !tail.section.contains(focused);
      tail.show(workload, shown.showsContent === true);
      const label = focused?.textContent;
      above.replaceChildren(headOf(drawer, workload), actionsOf(shown), factsOf(workload));
      const { length } = workload.files;
      below.replaceChildren(
        ...severitiesOf(workload),
        ...rulesOf(workload),
        make('h3', '', length === 1 ? '1 file' : `${length} files, oldest first`),
        filesOf(workload),
        legend(workload),
      );
      // Two samples make a rate.
      trend.hidden = (samples['atMs'] ?? []).length < 2;
      if (!trend.hidden) plots.show(samples);
      if (!hadFocus) return;
      const buttons = [...drawer.querySelectorAll('button, a')];
      const again = buttons.find(({ textContent }) => textContent === label) ?? buttons[0];
      /** @type {HTMLElement | undefined} */ (again)?.focus();
    },
  };
}

/** @param {HTMLDialogElement} drawer @param {Workload} workload */
function headOf(drawer, { namespace, pod, container }) {
  const title = make('h2', '', pod === '' ? container : pod);
  title.id = 'detail-title';
  const names = [namespace, container].filter((name) => name !== '').join(' · ');
  const close = make('button', '', 'Close');
  close.addEventListener('click', () => drawer.close());
  return make('header', '', make('div', '', title, make('p', 'faint', names)), close);
}

/** Where to look next. @param {Shown} shown */
function actionsOf({ workload, place, logsLink }) {
  const { namespace, pod, container } = workload;
  const actions = make('div', 'actions');
  // The link is to a container's entries; a file of the node is none.
  const template = namespace === '_node' ? undefined : logsLink;
  const href = logsLinkFor(template, { ...place, namespace, pod, container });
  if (href !== undefined) {
    const link = /** @type {HTMLAnchorElement} */ (make('a', 'button', 'Its entries ↗'));
    link.href = href;
    link.target = '_blank';
    link.rel = 'noreferrer';
    link.title = href;
    actions.append(link);
  }
  const name = [namespace, pod, container].filter((text) => text !== '').join('/');
  actions.append(copyButton('Copy name', () => name));
  // A name is put into a command only if a shell takes it as it is.
  if ([namespace, pod, container].every((text) => /^[a-z0-9][-.a-z0-9]*$/.test(text))) {
    const command = `kubectl -n ${namespace} logs ${pod} -c ${container} --since 15m`;
    actions.append(copyButton('Copy kubectl logs', () => command));
  }
  actions.append(copyButton('Copy link', () => location.href));
  return actions;
}

/** @param {Workload} workload */
function factsOf(workload) {
  const facts = [
    ['Lines/s written', countText(workload.linesPerSecond)],
    ['Bytes/s written', bytesText(workload.bytesPerSecond)],
    ['Bytes/s shipped', bytesText(workload.shippedBytesPerSecond)],
    ['Errors', minutesText(workload.errorShares)],
    [
      'Cost/month',
      `${moneyText(workload.costPerMonth)}, as in the last ${durationText(workload.costSeconds)}`,
    ],
    ['Behind', bytesText(workload.behindBytes)],
    ['Lag', durationText(workload.behindSeconds)],
    ['Charged so far', bytesText(workload.chargedBytes)],
    ['Lines', countText(workload.lines)],
    ['Entries', countText(workload.entries)],
    ['Bytes', bytesText(workload.bytes)],
    ...(lostText(workload) === '' ? [] : [['Lost', lostText(workload)]]),
  ];
  const pairs = facts.map(([name = '', value = '']) =>
    make('div', '', make('dt', '', name), make('dd', '', value)),
  );
  return make('dl', 'facts', ...pairs);
}

/** The rules that match it, and why. @param {Workload} workload */
function rulesOf({ rules = [] }) {
  if (rules.length === 0) return [];
  const rows = rules.map(({ name, does, why }) =>
    make('li', '', make('span', 'name', name), make('span', '', does), make('span', 'faint', why)),
  );
  return [make('h3', '', 'Rules'), make('ul', 'rules', ...rows)];
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
function filesOf({ files, ...workload }) {
  const isWhole = lostText(workload) === '';
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
      size === 0
        ? 'empty'
        : left === 0
          ? `all ${countText(size)} bytes ${isWhole ? 'acknowledged' : 'done with, except for what was lost'}`
          : `acknowledged ${countText(offset)}, read ${countText(readOffset)} of ${countText(size)} bytes`;
    bar.title = text;
    return make(
      'li',
      '',
      make('div', 'name', name, make('span', '', state)),
      ...(size === 0 ? [] : [bar]),
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

/** @param {Workload} workload */
function legend(workload) {
  const done = lostText(workload) === '' ? 'in Cloud Logging' : 'done with, some of it lost';
  return make(
    'p',
    'legend',
    make('span', '', make('i', 'committed'), done),
    make('span', '', make('i', 'read'), 'on its way'),
    make('span', '', make('i', ''), 'not read yet'),
  );
}
