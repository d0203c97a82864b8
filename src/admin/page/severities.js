// The shares of an entry's severities, as a bar and in words.

import { shareText } from './numbers.js';

/** @typedef {Readonly<Record<string, number>>} Severities entries by severity, in the order of
 *   their ranks */
/** @typedef {{ name: string, count: number, share: number }} SeverityShare */

/**
 * Those with entries, the worst first.
 * @param {Severities} severities
 * @returns {SeverityShare[]}
 */
export function sharesOf(severities) {
  const total = Object.values(severities).reduce((sum, count) => sum + count, 0);
  return Object.entries(severities)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => ({ name, count, share: count / total }))
    .toReversed();
}

/**
 * `2.4 % in 1 minute, 1.0 % in 5, 0 in 15`: parts that are ERROR or above.
 * @param {readonly (number | null)[]} shares
 */
export function minutesText([, minute, five, fifteen]) {
  const text = (/** @type {number | null | undefined} */ share) => shareText(share ?? 0);
  return `${text(minute)} in 1 minute, ${text(five)} in 5, ${text(fifteen)} in 15`;
}

/**
 * A stacked bar with a title; there must be an entry.
 * @param {Severities} severities
 */
export function severityBar(severities) {
  const bar = document.createElement('span');
  const shares = sharesOf(severities);
  bar.className = 'severity-bar';
  bar.title = shares.map(({ name, share }) => `${name} ${shareText(share)}`).join(', ');
  bar.append(
    ...shares.map(({ name, share }) => {
      const part = document.createElement('i');
      part.className = name;
      part.style.flexGrow = String(share);
      return part;
    }),
  );
  return bar;
}
