// The live tail of one container, in its drawer: its new lines, as they are shipped. Nothing is
// requested before somebody starts it; lines that are not shown are counted.

import { timeText } from './clock.js';
import { copyButton } from './copy.js';
import { countText, durationText } from './numbers.js';

/** Older lines are removed. */
const linesMax = 500;
/** A shorter lag is normal: lines take that long through the agent. */
const behindSecondsMin = 5;
const offText =
  'Off: this page shows no content of logs unless the agent has --admin-show-content. ' +
  'On the node: tailship tail.';

/** @typedef {import('./workloads.js').Workload} Workload */
/** @typedef {{ timestamp?: string, severity?: string, text?: string, cutCharacters?: number,
 *   skippedLines?: number, end?: string }} Line */

/** @param {string} text @param {() => void} press */
function button(text, press) {
  const node = document.createElement('button');
  node.type = 'button';
  node.textContent = text;
  node.addEventListener('click', press);
  return node;
}

function createParts() {
  const section = document.createElement('section');
  section.className = 'tail';
  const title = document.createElement('h3');
  title.textContent = 'Live tail';
  const form = document.createElement('form');
  const filter = document.createElement('input');
  filter.type = 'search';
  filter.placeholder = 'only lines that match (RE2)';
  filter.setAttribute('aria-label', 'Filter of the live tail, a regular expression of RE2');
  const state = document.createElement('p');
  state.className = 'faint';
  state.setAttribute('role', 'status');
  const list = document.createElement('ol');
  list.tabIndex = 0;
  list.setAttribute('aria-label', 'Lines');
  section.append(title, form, state, list);
  return { section, form, filter, state, list };
}

export function createLiveTail() {
  const { section, form, filter, state, list } = createParts();
  const start = button('Start', () => (reading === undefined ? void open() : close()));
  const hold = button('Pause', () => pause(!isPaused));
  const clear = button('Clear', () => {
    list.replaceChildren();
    held = [];
    tell();
  });
  form.append(
    start,
    filter,
    hold,
    clear,
    copyButton('Copy lines', () => list.innerText),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (reading === undefined) void open();
  });
  filter.addEventListener('change', () => {
    if (reading !== undefined) void open();
  });
  /** @type {Workload | undefined} */
  let workload;
  /** @type {AbortController | undefined} */
  let reading;
  /** @type {Line[]} */
  let held = [];
  let isPaused = false;
  let skippedCount = 0;
  let newestMs = 0;

  /** @param {string} [text] */
  function tell(text = form.hidden ? offText : undefined) {
    const isOpen = reading !== undefined;
    start.textContent = isOpen ? 'Stop' : 'Start';
    hold.hidden = !isOpen;
    hold.textContent = isPaused ? `Go on (${countText(held.length)} new)` : 'Pause';
    list.hidden = list.childElementCount === 0;
    clear.hidden = list.hidden;
    const copy = /** @type {HTMLElement} */ (form.lastElementChild);
    copy.hidden = list.hidden;
    const behind = newestMs === 0 ? 0 : (Date.now() - newestMs) / 1000;
    const parts = [
      text ?? (isOpen ? (list.hidden ? 'Waiting for its next line' : 'Open') : ''),
      skippedCount > 0 ? `${countText(skippedCount)} lines came too fast, and are not shown` : '',
      isOpen && isFresh && behind > behindSecondsMin ? `${durationText(behind)} behind` : '',
    ];
    state.textContent = parts.filter(Boolean).join('; ');
    state.hidden = state.textContent === '';
  }
  /** Only the age of a line that has just come tells how far the tail is behind. */
  let isFresh = false;

  /** @param {boolean} value */
  function pause(value) {
    isPaused = value;
    if (!isPaused) {
      draw(held);
      held = [];
    }
    tell();
  }

  /** @param {Line[]} lines */
  function draw(lines) {
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.append(...lines.map(rowOf));
    while (list.childElementCount > linesMax) list.firstElementChild?.remove();
    list.hidden = false;
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  /** @param {Line[]} lines */
  function take(lines) {
    for (const { timestamp, skippedLines = 0 } of lines) {
      skippedCount += skippedLines;
      if (timestamp !== undefined) newestMs = Date.parse(timestamp);
    }
    if (isPaused) held = [...held, ...lines].slice(-linesMax);
    else draw(lines);
    isFresh = true;
    tell();
    isFresh = false;
  }

  async function open() {
    close();
    if (workload === undefined) return;
    const own = new AbortController();
    reading = own;
    skippedCount = 0;
    newestMs = 0;
    tell('Starting');
    const { namespace, pod, container } = workload;
    const query = new URLSearchParams({ namespace, pod, container, filter: filter.value });
    let end = 'Closed by the agent';
    try {
      const response = await fetch(`api/tail?${query}`, { signal: own.signal });
      if (response.ok && reading === own) {
        tell();
        end = (await readLines(response, take)) ?? end;
      } else end = (await response.text()).trim();
    } catch {
      end = 'The agent does not answer';
    }
    if (reading !== own) return;
    reading = undefined;
    tell(end);
  }

  function close() {
    reading?.abort();
    reading = undefined;
    isPaused = false;
    held = [];
    tell();
  }

  tell();
  return {
    section,
    close,
    /** @param {Workload} shown @param {boolean} isAllowed */
    show(shown, isAllowed) {
      const isOther =
        shown.namespace !== workload?.namespace ||
        shown.pod !== workload.pod ||
        shown.container !== workload.container;
      workload = shown;
      section.hidden = shown.namespace === '_node' || shown.pod === '';
      form.hidden = !isAllowed;
      if (!isOther) return;
      skippedCount = 0;
      list.replaceChildren();
      close();
    },
  };
}

/**
 * Reads to the end; resolves to its reason.
 * @param {Response} response @param {(lines: Line[]) => void} take
 */
async function readLines({ body }, take) {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let end;
  for (;;) {
    const { done = true, value = '' } = (await reader?.read()) ?? {};
    if (done) return end;
    const parts = (rest + value).split('\n');
    rest = parts.pop() ?? '';
    const lines = parts.filter(Boolean).map((json) => /** @type {Line} */ (JSON.parse(json)));
    end = lines.find((line) => line.end !== undefined)?.end;
    const shown = lines.filter((line) => line.end === undefined);
    if (shown.length > 0) take(shown);
  }
}

/** @param {Line} line */
function rowOf({ timestamp = '', severity = '', text = '', cutCharacters = 0, skippedLines }) {
  const row = document.createElement('li');
  if (skippedLines !== undefined) {
    row.className = 'skipped';
    row.textContent = `${countText(skippedLines)} lines came too fast, and are not shown`;
    return row;
  }
  row.className = severity;
  const at = document.createElement('time');
  at.textContent = timeText(Date.parse(timestamp) / 1000);
  at.title = timestamp;
  const name = document.createElement('span');
  name.className = 'name';
  name.textContent = severity;
  const body = document.createElement('code');
  body.textContent = cutCharacters > 0 ? `${text}… (${countText(cutCharacters)} more)` : text;
  body.title = 'Press to fold or unfold';
  body.addEventListener('click', () => row.classList.toggle('unfolded'));
  row.append(at, ' ', name, ' ', body);
  return row;
}
