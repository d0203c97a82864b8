// What is not in Cloud Logging: in a cell, in the banner, as a list.

import { dateText, timeText } from './clock.js';
import { bytesText, countText } from './numbers.js';

/** @typedef {{ time: string, lastTime?: string, namespace?: string, pod?: string,
 *   container?: string, reason: string, why: string, bytes?: number, entries?: number }} LossEvent
 */

/** A loss is news for this long. */
const newsMs = 3_600_000;
const bannerLinesMax = 3;
/** Kept as dead letters, which can be sent again: no loss yet. */
const keptReasons = ['refused', 'too_large', 'denied'];

/** `1.2 MB`, `3 refused`, `1.2 MB, 3 refused`; '' when all is well. @param {any} workload */
export function lostText({ lostBytes = 0, refusedEntries = 0 }) {
  return [
    lostBytes > 0 ? bytesText(lostBytes) : '',
    refusedEntries > 0 ? `${countText(refusedEntries)} refused` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

/** Of the last hour, without dead letters. @param {readonly LossEvent[]} losses */
export function recentLosses(losses) {
  const sinceMs = Date.now() - newsMs;
  return losses.filter(
    ({ time, lastTime, reason }) =>
      !keptReasons.includes(reason) && Date.parse(lastTime ?? time) >= sinceMs,
  );
}

/** @param {LossEvent} loss */
function amountOf({ bytes = 0, entries = 0 }) {
  if (bytes > 0) return bytesText(bytes);
  if (entries > 0) return `${countText(entries)} ${entries === 1 ? 'entry' : 'entries'}`;
  return 'unknown amount';
}

/** @param {LossEvent} loss */
function nameOf({ namespace = '', pod = '', container = '' }) {
  return [namespace, pod, container].filter(Boolean).join('/') || 'unknown container';
}

/** Lines of the banner. @param {readonly LossEvent[]} losses of the last hour */
export function bannerLines(losses) {
  const lines = losses
    .slice(0, bannerLinesMax)
    .map(
      (loss) =>
        `Lost at ${timeText(Date.parse(loss.time) / 1000)}: ${amountOf(loss)} of ${nameOf(loss)}: ${loss.why}.`,
    );
  const more = losses.length - lines.length;
  return more > 0 ? [...lines, `And ${more} more losses, listed below.`] : lines;
}

/** @param {HTMLElement} section @param {readonly LossEvent[]} losses */
export function drawLosses(section, losses) {
  section.hidden = losses.length === 0;
  section.querySelector('ol')?.replaceChildren(...losses.map(rowOf));
}

/** @param {LossEvent} loss */
function rowOf(loss) {
  const row = document.createElement('li');
  const line = document.createElement('p');
  const until =
    loss.lastTime === undefined ? '' : ` to ${timeText(Date.parse(loss.lastTime) / 1000)}`;
  const parts = [dateText(Date.parse(loss.time)) + until, nameOf(loss), amountOf(loss), loss.why];
  for (const [index, text] of parts.entries()) {
    const part = document.createElement(index === 1 ? 'strong' : 'span');
    part.textContent = text;
    line.append(part, ' ');
  }
  row.append(line);
  return row;
}
