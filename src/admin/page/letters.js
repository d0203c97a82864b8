// The newest dead letters: which container's entries Cloud Logging refused, when and why. Their
// content is shown only where the agent gives it.

import { dateText } from './clock.js';
import { copyButton } from './copy.js';
import { bytesText } from './numbers.js';

/**
 * Shows the letters, also those of earlier runs; loads them again when `count`, which is of this
 * run, changes. @param {any} section
 */
export function createLetterList(section) {
  let shown = -1;
  /** @type {any[]} */
  let letters = [];
  const list = section.querySelector('ol');
  function draw() {
    list.replaceChildren(...letters.map(rowOf));
    section.hidden = letters.length === 0;
  }
  return {
    /** Draws again, in the current time zone. */
    draw,
    /** @param {number} count @param {(path: string) => Promise<any>} ask */
    async show(count, ask) {
      if (count === shown) return;
      ({ letters } = await ask('api/dead-letters'));
      shown = count;
      draw();
    },
  };
}

/** @param {any} letter */
function rowOf({ id, time, codeName, container, entryBytes, reason, entry }) {
  const row = document.createElement('li');
  const head = document.createElement('p');
  const at = dateText(Date.parse(time));
  const parts = [at, container || 'unknown container', codeName, bytesText(entryBytes), id];
  for (const [index, text] of parts.entries()) {
    const part = document.createElement(index === 1 ? 'strong' : 'span');
    part.textContent = text;
    head.append(part, ' ');
  }
  head.append(copyButton('Copy ID', () => id));
  row.append(head);
  for (const content of [reason, entry]) {
    if (content === undefined) continue;
    const line = document.createElement('code');
    line.textContent = content;
    row.append(line);
  }
  return row;
}
