// The page of the agent: requests the status every few seconds while the tab is visible, and shows
// it. The figures are the agent's; the page only takes differences and sorts.

import { readAddress, writeAddress } from './address.js';
import { dateText, switchZone, timeText, zoneName } from './clock.js';
import { createDetail } from './detail.js';
import { createJournal } from './journal.js';
import { createLetterList } from './letters.js';
import { bannerLines, drawLosses, recentLosses } from './losses.js';
import { cutMiddle } from './names.js';
import { bytesText, countText, durationText, moneyText, shareText } from './numbers.js';
import { createPlots } from './plots.js';
import { minutesText } from './severities.js';
import { createWorkloadSamples } from './workload-samples.js';
import { createWorkloadTable, keyOf, manyErrors } from './workloads.js';

/** Two samples of the agent: each request costs as much as some thousand lines. */
const intervalMs = 10_000;
/** While the agent does not answer. */
const silentIntervalMs = 2000;
const samplesMax = 180;
const answerWithinMs = 4000;
/** More is highlighted. */
const lateSeconds = 10;
/** Bytes a second: the only writer of a quiet node is no flood. */
const floodBytes = 100_000;
/** Two lines of its card on a phone. */
const busiestNameMax = 30;

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const detail = element('detail');
const drawer = createDetail(detail);
const plots = createPlots(element('plots'));
const workloadSamples = createWorkloadSamples();
let openKey = '';
/** From the address; opened with the first answer. */
let wantedPod = readAddress().pod;
const table = createWorkloadTable({ open: openDetail, changed: writeAddress });
table.restore(readAddress());
const journal = createJournal(element('journal'), element('journal-log'));
const letterList = createLetterList(element('letters'));
/** @type {any} */
let status;
/** @type {Record<string, number[]>} */
let samples = {};
let silentSince = 0;
let answeredAt = 0;
let isLooking = false;

/** @param {string} path */
async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(answerWithinMs) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function look() {
  if (isLooking) return;
  isLooking = true;
  const askedAt = Date.now();
  try {
    const { history, ...now } = await ask(`api/status?after=${samples['atMs']?.at(-1) ?? 0}`);
    // A restarted agent counts from 0.
    if (status?.startedAt !== now.startedAt) {
      samples = {};
      workloadSamples.forget();
    }
    for (const [name, values] of Object.entries(history)) {
      samples[name] = [...(samples[name] ?? []), ...values].slice(-samplesMax);
    }
    status = now;
    silentSince = 0;
    answeredAt = Date.now();
    workloadSamples.add(now.workloads, askedAt);
    document.body.classList.remove('stale');
    show();
    openWanted();
    await letterList.show(sumOf(status.deadLetteredByReason), ask).catch(() => undefined);
  } catch {
    silentSince ||= Date.now();
    showSilence();
  } finally {
    isLooking = false;
  }
}

function show() {
  const { version, place, workloads, pricePerGib } = status;
  element('version').textContent = version;
  const names = [place.cluster, place.node].filter(Boolean);
  element('place').textContent = [place.project, ...names].join(' / ');
  document.title = `${place.node || 'tailship'} · tailship`;
  showHealth();
  showAlive();
  showBehind();
  showBusiest();
  showErrors();
  showLost();
  showCost();
  plots.show(samples);
  table.show(workloads);
  journal.show(status.journal);
  element('price').textContent =
    `Costs are estimates at ${moneyText(pricePerGib)} per GiB, as if what was written in the last ` +
    `${durationText(costSpan())} were written all the month; the amount that ` +
    'Cloud Logging gives free each month, and exclusion filters, are not taken off.';
  if (detail.open) redrawDetail();
}

/**
 * `whole` is shown as a tooltip.
 * @param {string} id @param {string} state @param {string} text @param {string} more
 */
function answer(id, state, text, more, whole = text) {
  const card = element(id);
  card.className = state;
  card.title = `${whole}\n${more}`;
  card.querySelector('strong').textContent = text;
  card.querySelector('p').textContent = more;
}

function failedChecks() {
  return status.checks.filter((/** @type {any} */ check) => !check.ok);
}

/** @param {string} text @param {string} state */
function pill(text, state) {
  element('health').textContent = text;
  element('health').className = `pill ${state}`;
}

function showHealth() {
  const failed = failedChecks();
  const losses = recentLosses(status.losses ?? []);
  const { consecutiveFailures, lastErrorCode } = status.ship;
  const lines = failed.map(
    (/** @type {any} */ { name, reason }) => `${name}: ${reason ?? 'fails'}`,
  );
  lines.push(...bannerLines(losses));
  if (consecutiveFailures > 0) {
    lines.push(
      `Sending fails (${lastErrorCode}), ${consecutiveFailures} in a row. The lines stay in their files.`,
    );
  }
  const isBad = failed.length > 0 || losses.length > 0;
  const alarm = element('alarm');
  alarm.hidden = lines.length === 0;
  alarm.textContent = lines.join('\n');
  alarm.className = isBad ? 'alarm' : 'alarm warn';
  const troubles = [
    losses.length > 0 ? 'lines lost' : '',
    consecutiveFailures > 0 ? 'sending fails' : '',
  ].filter(Boolean);
  const ready = ['ready', ...troubles].join(', ');
  if (failed.length > 0) pill('not ready', 'bad');
  else if (troubles.length > 0) pill(ready, isBad ? 'bad' : 'warn');
  else pill('live and ready', 'good');
}

function showAlive() {
  const failed = failedChecks().map((/** @type {any} */ { name }) => name);
  const upSeconds = (Date.now() - Date.parse(status.startedAt)) / 1000;
  const cpu = `${(recently('cpuSeconds') * 100).toFixed(1)} % of a core`;
  answer(
    'alive',
    failed.length === 0 ? 'good' : 'bad',
    failed.length === 0 ? `Up ${durationText(upSeconds)}` : `Fails: ${failed.join(', ')}`,
    `${cpu}, ${bytesText(status.rssBytes)} of memory`,
    `Since ${dateText(Date.parse(status.startedAt))} ${zoneName()}`,
  );
}

function showBehind() {
  const { behindSeconds, behindBytes, inFlightBytes } = status;
  const isLate = behindSeconds > lateSeconds;
  answer(
    'behind',
    isLate ? 'warn' : 'good',
    isLate || behindSeconds > 0 ? durationText(behindSeconds) : 'Up to date',
    `${bytesText(behindBytes)} to do, ${bytesText(inFlightBytes)} in flight`,
  );
}

function showBusiest() {
  const { workloads } = status;
  const total = workloads.reduce(
    (/** @type {number} */ sum, /** @type {any} */ { bytesPerSecond }) => sum + bytesPerSecond,
    0,
  );
  const [first] = workloads.toSorted(
    (/** @type {any} */ a, /** @type {any} */ b) => b.bytesPerSecond - a.bytesPerSecond,
  );
  if (first === undefined || total === 0) {
    answer('busiest', '', 'None', 'nothing was logged in the last seconds');
    return;
  }
  const share = (first.bytesPerSecond / total) * 100;
  const isFlood = share > 50 && workloads.length > 2 && first.bytesPerSecond > floodBytes;
  const rest = `${share.toFixed(0)} % of all, ${countText(first.linesPerSecond)} lines/s`;
  const name = cutMiddle(first.pod || first.container, busiestNameMax);
  answer('busiest', isFlood ? 'warn' : 'good', name, rest, keyOf(first));
}

function showErrors() {
  const { errorShares } = status;
  const [share] = errorShares;
  const isBad = (share ?? 0) > manyErrors;
  const text = share == null ? 'None' : shareText(share);
  answer('errors', isBad ? 'bad' : 'good', share === 0 ? 'None' : text, minutesText(errorShares));
}

/** Seconds from which the cost of most workloads is extrapolated. */
function costSpan() {
  const spans = status.workloads.map((/** @type {any} */ { costSeconds }) => costSeconds);
  return Math.max(0, ...spans);
}

function showLost() {
  const { deadLetteredByReason, droppedByReason, lostBytesByReason, losses = [] } = status;
  const bytes = sumOf(lostBytesByReason);
  const dropped = sumOf(droppedByReason);
  const letters = sumOf(deadLetteredByReason);
  const letterText =
    letters === 0 ? '' : `${countText(letters)} dead ${letters === 1 ? 'letter' : 'letters'}`;
  const droppedText = `${countText(dropped)} ${dropped === 1 ? 'entry' : 'entries'}`;
  const lost = [bytes > 0 ? bytesText(bytes) : '', dropped > 0 ? droppedText : ''].filter(Boolean);
  if (lost.length > 0) {
    const newest = losses.find(
      (/** @type {any} */ { bytes: some = 0, reason }) => some > 0 || reason in droppedByReason,
    );
    answer('lost', 'bad', lost.join(', '), [newest?.why, letterText].filter(Boolean).join('; '));
  } else if (letters > 0) {
    answer('lost', 'warn', letterText, 'refused by Cloud Logging; kept in dead-letter.ndjson');
  } else answer('lost', 'good', 'Nothing', `${countText(status.lines)} lines since the start`);
  drawLosses(element('losses'), losses);
}

function showCost() {
  const perMonth = status.workloads.reduce(
    (/** @type {number} */ sum, /** @type {any} */ { costPerMonth }) => sum + costPerMonth,
    0,
  );
  const shipped = recently('lines');
  const perLine =
    shipped > 0
      ? `${((recently('cpuSeconds') / shipped) * 1e6).toFixed(1)} µs CPU a line`
      : 'no line shipped';
  answer(
    'cost',
    '',
    `${moneyText(perMonth)} a month`,
    `as in the last ${durationText(costSpan())}; ` +
      `${countText(recently('writtenLines'))} lines/s, ${perLine}`,
  );
}

/** @param {Record<string, number>} counts */
function sumOf(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Per second, over the last half minute of samples. @param {string} name */
function recently(name) {
  const sums = samples[name]?.slice(-7) ?? [];
  const times = samples['atMs']?.slice(-7) ?? [];
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
  return seconds <= 0 ? 0 : ((sums.at(-1) ?? 0) - (sums[0] ?? 0)) / seconds;
}

function showSilence() {
  pill('no answer', 'bad');
  document.body.classList.add('stale');
  const alarm = element('alarm');
  alarm.hidden = false;
  alarm.className = 'alarm';
  // It may have stopped right after its last answer.
  const sinceMs = answeredAt || silentSince;
  const since = `${timeText(sinceMs / 1000)} ${zoneName()}`;
  const last = answeredAt === 0 ? 'It has never answered.' : 'Everything below is from then.';
  const passed = durationText((Date.now() - sinceMs) / 1000);
  alarm.textContent = `The agent has not answered since ${since} (${passed}). ${last}`;
  if (answeredAt !== 0) document.title = `no answer · ${status.place.node || 'tailship'}`;
}

/** Opens the workload in the address; if it is gone, the table shows similar ones. */
function openWanted() {
  if (wantedPod === '') return;
  const wanted = wantedPod;
  wantedPod = '';
  const keys = status.workloads.map(keyOf);
  const isNamed = (/** @type {string} */ key) =>
    key.startsWith(`${wanted}/`) || key.split('/').includes(wanted);
  const key = keys.includes(wanted) ? wanted : keys.find(isNamed);
  if (key !== undefined) openDetail(key);
  else {
    writeAddress({ q: wanted, pod: '' });
    table.restore(readAddress());
  }
}

/** @param {string} key */
function openDetail(key) {
  openKey = key;
  if (!detail.open) detail.showModal();
  writeAddress({ pod: key });
  redrawDetail();
}

function redrawDetail() {
  const { place, logsLink, showsContent, workloads } = status;
  const workload = workloads.find((/** @type {any} */ one) => keyOf(one) === openKey);
  if (workload === undefined) detail.close();
  else {
    const own = workloadSamples.of(openKey);
    drawer.show({ workload, samples: own, place, logsLink, showsContent });
  }
}

function showZone() {
  const button = element('zone');
  button.textContent = zoneName();
  button.title = `Times are ${zoneName()}; change between this browser's zone and UTC (z)`;
}

function changeZone() {
  switchZone();
  showZone();
  plots.retell();
  drawer.retell();
  letterList.draw();
  if (document.body.classList.contains('stale')) showSilence();
  else if (status !== undefined) show();
}

detail.addEventListener('close', () => writeAddress({ pod: '' }));
element('zone').addEventListener('click', changeZone);
showZone();
detail.addEventListener('click', (/** @type {MouseEvent} */ event) => {
  if (event.target === detail) detail.close(); // The backdrop.
});
element('keys').addEventListener('click', () => element('help').showModal());

document.addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]') !== null) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = document.activeElement === table.search;
  if (event.key === 'Escape' && isTyping) {
    table.search.value = '';
    table.search.dispatchEvent(new Event('input'));
    table.search.blur();
  } else if (event.key === 'ArrowDown' || (event.key === 'j' && !isTyping)) table.move(1);
  else if (event.key === 'ArrowUp' || (event.key === 'k' && !isTyping)) table.move(-1);
  else if (event.key === 'Enter') {
    const key = document.activeElement?.getAttribute('data-key');
    if (key == null) return;
    openDetail(key);
  } else if (isTyping) return;
  else if (event.key === '/') table.search.focus();
  else if (event.key === '?') element('help').showModal();
  else if (event.key === 'z') changeZone();
  else if (/^[1-9]$/.test(event.key)) table.sortBy(Number(event.key) - 1);
  else return;
  event.preventDefault();
});

async function watch() {
  for (;;) {
    if (!document.hidden) await look();
    const ms = silentSince === 0 ? intervalMs : silentIntervalMs;
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void look();
});
void watch();
