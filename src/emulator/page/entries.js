// Entries as rows, and an entry as its JSON. Used by page.js.

/**
 * @typedef {{ timestamp: string, insertId: string, severity?: string, logName: string,
 *   textPayload?: string, jsonPayload?: Record<string, unknown>,
 *   resource?: { type: string, labels?: Record<string, string> } }} Entry
 */

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** `14:03:59`. @param {number} ms since 1970 */
export function timeText(ms) {
  return clock.format(ms);
}

/** @param {Entry} entry */
export function keyOf({ timestamp, insertId }) {
  return `${timestamp} ${insertId}`;
}

/** @param {Entry} entry */
function workloadOf({ resource, logName }) {
  const { pod_name: pod, container_name: container } = resource?.labels ?? {};
  return pod === undefined ? (logName.split('/').at(-1) ?? '') : `${pod} · ${container}`;
}

/** What an entry says, on one line. @param {Entry} entry */
function textOf({ textPayload, jsonPayload }) {
  const message = jsonPayload?.['message'] ?? jsonPayload?.['msg'];
  if (typeof textPayload === 'string') return textPayload;
  if (typeof message === 'string' && message !== '') return message;
  return jsonPayload === undefined ? '' : JSON.stringify(jsonPayload);
}

/** @param {string} name @param {string} className @param {...(string | Node)} children */
function make(name, className, ...children) {
  const node = document.createElement(name);
  node.className = className;
  node.append(...children);
  return node;
}

/**
 * A row; `open` entries show their JSON below.
 * @param {Entry} entry
 * @param {{ isOpen: boolean, isFresh: boolean, search: string, toggle: () => void }} options
 */
export function rowOf(entry, { isOpen, isFresh, search, toggle }) {
  const severity = entry.severity ?? 'DEFAULT';
  const ms = Date.parse(entry.timestamp);
  const fraction = /\.(\d{1,3})/.exec(entry.timestamp)?.[1] ?? '0';
  const time = make('time', '', `${timeText(ms)}.${fraction.padEnd(3, '0')}`);
  time.title = entry.timestamp;
  const workload = make('span', 'workload', workloadOf(entry));
  workload.title = workloadOf(entry);
  const button = make(
    'button',
    'entry',
    time,
    make('span', 'severity', severity),
    workload,
    make('span', 'text', ...marked(textOf(entry).split('\n', 1)[0] ?? '', search)),
  );
  button.setAttribute('type', 'button');
  button.setAttribute('aria-expanded', String(isOpen));
  button.addEventListener('click', toggle);
  const row = make('li', isFresh ? `${severity} fresh` : severity, button);
  row.dataset['key'] = keyOf(entry);
  if (isOpen) row.append(make('pre', 'json', ...jsonParts(JSON.stringify(entry, undefined, 2))));
  return row;
}

/** The text with what was searched for marked. @param {string} text @param {string} search */
function marked(text, search) {
  const at = search === '' ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (at === -1) return [text];
  const end = at + search.length;
  return [text.slice(0, at), make('mark', '', text.slice(at, end)), text.slice(end)];
}

/** Keys, strings and other values in their colours. @param {string} json */
function jsonParts(json) {
  const parts = [];
  let end = 0;
  for (const match of json.matchAll(
    /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g,
  )) {
    const [whole, string, colon] = match;
    parts.push(json.slice(end, match.index));
    if (colon !== undefined) parts.push(make('span', 'key', string ?? ''), colon);
    else parts.push(make('span', string === undefined ? 'other' : 'string', whole));
    end = match.index + whole.length;
  }
  return [...parts, json.slice(end)];
}
