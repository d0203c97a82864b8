// The page of the emulator: asks each second for the newest entries that match the filter, and
// shows them. Entry of page.html.
//
// While the reader is further down, or the tail is stopped, new entries are counted and not drawn:
// nothing moves under the eyes.

import { keyOf, rowOf } from './entries.js';
import { createFaults } from './faults.js';
import { createHistogram } from './histogram.js';

const intervalMs = 1000;
const answerWithinMs = 10_000;
const limit = 200;
/** Further down than this the list does not move. */
const readingPixels = 240;

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const counts = new Intl.NumberFormat('en');
/** @type {Set<string>} */
const openKeys = new Set();
/** @type {Set<string>} */
const chosenSeverities = new Set();
/** @type {Set<string>} */
let drawnKeys = new Set();
let isLive = true;
let isLooking = false;
/** The filter changed while an answer was under way. */
let isWanted = false;
/** @type {{ fromMs: number, toMs: number } | undefined} */
let range;
/** @type {any} */
let last;

const histogram = createHistogram(element('histogram'), (fromMs, toMs) => {
  range = { fromMs, toMs };
  refresh();
});

function query() {
  const asked = new URLSearchParams({ limit: String(limit) });
  const { value: text } = element('text');
  const { value: workload } = element('workload');
  const { value: lastMs } = element('time');
  if (text !== '') asked.set('text', text);
  if (workload !== '') asked.set('workload', workload);
  if (chosenSeverities.size > 0) asked.set('severities', [...chosenSeverities].join(','));
  if (range !== undefined) {
    asked.set('from', String(range.fromMs));
    asked.set('to', String(range.toMs));
  } else if (lastMs !== '') asked.set('from', String(Date.now() - Number(lastMs)));
  return asked;
}

/** @param {string} path */
async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(answerWithinMs) });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

const faults = createFaults(ask);

/** @param {boolean} isAsked the reader changed the filter, and waits for it */
async function look(isAsked) {
  if (isLooking) return;
  isLooking = true;
  isWanted = false;
  try {
    const [found, stats] = await Promise.all([
      ask(`emulator/explore?${query()}`),
      ask('emulator/stats'),
      faults.look(),
    ]);
    if (isWanted) return;
    element('alarm').hidden = true;
    showStats(stats);
    last = found;
    const standsStill = !isAsked && (!isLive || window.scrollY > readingPixels);
    if (standsStill) showFresh();
    else draw(isAsked);
  } catch {
    element('alarm').hidden = false;
    element('alarm').textContent =
      'The emulator does not answer. What is shown is what it said last.';
  } finally {
    isLooking = false;
    if (isWanted) void look(true);
  }
}

function refresh() {
  drawnKeys = new Set();
  window.scrollTo(0, 0);
  isWanted = true;
  void look(true);
}

/** @param {any} stats */
function showStats({ distinctEntries, requests, rejectedEntries, entries }) {
  const parts = [
    `${counts.format(distinctEntries)} entries`,
    `${counts.format(requests)} requests`,
    `${counts.format(entries - distinctEntries)} sent again`,
    `${counts.format(rejectedEntries)} refused`,
  ];
  element('stats').textContent = parts.join(' · ');
}

function showFresh() {
  const fresh = last.entries.filter(
    (/** @type {any} */ entry) => !drawnKeys.has(keyOf(entry)),
  ).length;
  element('fresh').hidden = fresh === 0;
  element('fresh').textContent = `${fresh === limit ? `${limit} or more` : fresh} new`;
}

/** @param {boolean} isAsked */
function draw(isAsked) {
  const focused = document.activeElement?.closest('li[data-key]')?.getAttribute('data-key');
  const { entries, matchCount, keptCount } = last;
  const isFirst = drawnKeys.size === 0;
  const search = element('text').value;
  const rows = entries.map((/** @type {any} */ entry) => {
    const key = keyOf(entry);
    return rowOf(entry, {
      isOpen: openKeys.has(key),
      isFresh: !isFirst && !isAsked && !drawnKeys.has(key),
      search,
      toggle: () => toggle(key),
    });
  });
  drawnKeys = new Set(entries.map(keyOf));
  element('entries').replaceChildren(...rows);
  if (rows.length === 0) element('entries').append(...nothing(keptCount));
  element('fresh').hidden = true;
  const shown = matchCount > rows.length ? `, the newest ${rows.length} shown` : '';
  const noun = matchCount === 1 ? 'entry' : 'entries';
  element('count').textContent =
    `${counts.format(matchCount)} ${noun} of ${counts.format(keptCount)} kept in memory${sinceText()}${shown}`;
  histogram.show(last.histogram, Object.keys(last.severities));
  showSeverities();
  showWorkloads();
  showRange();
  rows
    .find((/** @type {HTMLElement} */ row) => row.dataset['key'] === focused)
    ?.firstChild.focus({ preventScroll: true });
}

/** Older ones are stored, but can no longer be explored; still older ones may be dropped. */
function sinceText() {
  const { storedCount, keptCount, keptSinceMs, droppedCount = 0 } = last;
  if (storedCount <= keptCount && droppedCount === 0) return '';
  const dropped = droppedCount === 0 ? '' : `; ${counts.format(droppedCount)} older ones dropped`;
  return ` (the newest, since ${timeText(keptSinceMs)}${dropped})`;
}

/** Why there is no entry, and the way out. @param {number} keptCount */
function nothing(keptCount) {
  const row = document.createElement('li');
  row.className = 'nothing';
  row.textContent = keptCount === 0 ? 'Nothing has arrived yet.' : 'No entry matches the filter.';
  const texts = filterTexts();
  if (texts.length === 0) return [row];
  const filter = document.createElement('li');
  filter.className = 'nothing-more';
  const clear = document.createElement('button');
  clear.type = 'button';
  clear.textContent = 'Clear the filter';
  clear.addEventListener('click', clearFilter);
  filter.append(`The filter is: ${texts.join(' · ')} `, clear);
  return [row, filter];
}

function filterTexts() {
  const { value: text } = element('text');
  const { value: workload } = element('workload');
  const { selectedOptions, value: time } = element('time');
  const spans = time === '' ? '' : selectedOptions[0].textContent.toLowerCase();
  const span =
    range === undefined ? spans : `${timeText(range.fromMs)} – ${timeText(range.toMs + 1)}`;
  const texts = [
    text === '' ? '' : `text “${text}”`,
    workload,
    [...chosenSeverities].join(', '),
    span,
  ];
  return texts.filter((each) => each !== '');
}

function clearFilter() {
  for (const id of ['text', 'workload', 'time']) element(id).value = '';
  chosenSeverities.clear();
  range = undefined;
  refresh();
}

/** @param {number} ms since 1970 */
function timeText(ms) {
  return new Date(ms).toLocaleTimeString('en-GB');
}

/** `/?workload=shop/cart-0/app&text=…&severities=ERROR`: where the agent's page links to. */
function readAddress() {
  const asked = new URLSearchParams(location.search);
  const workload = asked.get('workload') ?? '';
  element('text').value = asked.get('text') ?? '';
  if (workload !== '') element('workload').append(new Option(workload, workload));
  element('workload').value = workload;
  for (const name of asked.get('severities')?.split(',') ?? []) chosenSeverities.add(name);
}

/** @param {string} key */
function toggle(key) {
  if (!openKeys.delete(key)) openKeys.add(key);
  draw(false);
}

function showSeverities() {
  const chips = Object.keys(last.severities)
    .filter((name) => last.severities[name] > 0 || chosenSeverities.has(name))
    .map((name) => {
      const chip = document.createElement('button');
      const count = document.createElement('b');
      count.textContent = counts.format(last.severities[name]);
      chip.type = 'button';
      chip.className = name;
      chip.id = `severity-${name}`;
      chip.append(name, count);
      chip.setAttribute('aria-pressed', String(chosenSeverities.has(name)));
      chip.addEventListener('click', () => {
        if (!chosenSeverities.delete(name)) chosenSeverities.add(name);
        refresh();
      });
      return chip;
    });
  const focused = document.activeElement?.id;
  element('severities').replaceChildren(...chips);
  if (focused?.startsWith('severity-')) element(focused)?.focus();
}

function showWorkloads() {
  const select = element('workload');
  if (document.activeElement === select) return; // It may be open.
  const chosen = select.value;
  const known = last.workloads.some((/** @type {[string]} */ [name]) => name === chosen);
  const all = chosen === '' || known ? last.workloads : [[chosen, 0], ...last.workloads];
  const choices = all.map(
    (/** @type {[string, number]} */ [name, count]) =>
      new Option(`${name} (${counts.format(count)})`, name),
  );
  select.replaceChildren(new Option('All workloads', ''), ...choices);
  select.value = chosen;
}

function showRange() {
  const button = element('range');
  button.hidden = range === undefined;
  if (range === undefined) return;
  button.textContent = `${timeText(range.fromMs)} – ${timeText(range.toMs + 1)} ×`;
}

/** @param {boolean} live */
function setLive(live) {
  isLive = live;
  const button = element('live');
  button.textContent = live ? 'live' : 'stopped';
  button.className = live ? 'pill good' : 'pill';
  button.setAttribute('aria-pressed', String(live));
  if (live) void look(true);
}

/** @param {number} step */
function move(step) {
  const all = [...document.querySelectorAll('.entry')];
  const at = all.findIndex((row) => row === document.activeElement);
  const next = Math.min(all.length - 1, Math.max(0, at + step));
  /** @type {HTMLElement | undefined} */ (all[next])?.focus();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;
element('text').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(refresh, 150);
});
element('workload').addEventListener('change', (/** @type {Event} */ event) => {
  /** @type {HTMLElement} */ (event.target).blur();
  refresh();
});
element('time').addEventListener('change', () => {
  range = undefined;
  refresh();
});
element('range').addEventListener('click', () => {
  range = undefined;
  refresh();
});
element('live').addEventListener('click', () => setLive(!isLive));
element('fresh').addEventListener('click', refresh);
element('filter').addEventListener('submit', (/** @type {Event} */ event) =>
  event.preventDefault(),
);

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const focused = document.activeElement;
  const isTyping = focused === element('text');
  if (focused === element('fault-pattern')) return;
  if (event.key === 'Escape' && isTyping) {
    element('text').value = '';
    element('text').blur();
    refresh();
  } else if (isTyping || focused?.tagName === 'SELECT') return;
  else if (event.key === '/') element('text').focus();
  else if (event.key === ' ' && focused?.tagName !== 'BUTTON') setLive(!isLive);
  else if (event.key === 'j' || event.key === 'ArrowDown') move(1);
  else if (event.key === 'k' || event.key === 'ArrowUp') move(-1);
  else return;
  event.preventDefault();
});

async function watch() {
  for (;;) {
    if (!document.hidden) await look(false);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

readAddress();
void watch();
