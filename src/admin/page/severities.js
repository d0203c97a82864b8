// The shares of an entry's severities, as a bar and in words.

import { shareText } from './numbers.js';

const errorNames = ['ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY'];

/** @typedef {Readonly<Record<string, number>>} Severities entries by severity, in the order of
 *   their ranks */
/** @typedef {{ name: string, count: number, share: number }} SeverityShare */

/**
 * Those that there are, the worst first.
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

/** The part that is ERROR or above, 0 to 1. @param {Severities} severities */
export function errorShare(severities) {
  return sharesOf(severities)
    .filter(({ name }) => errorNames.includes(name))
    .reduce((sum, { share }) => sum + share, 0);
}

/**
 * A stacked bar whose title says what it shows; not to be drawn of nothing.
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
