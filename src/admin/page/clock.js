// Times in the zone that the reader chose: the browser's, or UTC. The choice is kept where the
// browser stores anything.

const storageName = 'tailship-time-zone';
const localName = new Intl.DateTimeFormat().resolvedOptions().timeZone;

let isUtc = readChoice() === 'UTC';
/** @type {Intl.DateTimeFormat} */
let clock;
/** @type {Intl.DateTimeFormat} */
let calendar;
makeFormats();

function readChoice() {
  try {
    return localStorage.getItem(storageName);
  } catch {
    return null; // Storage is off: the choice holds until the tab is closed.
  }
}

function makeFormats() {
  const timeZone = isUtc ? 'UTC' : localName;
  clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone });
  calendar = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone,
  });
}

/** `UTC`, `Europe/Berlin`. */
export function zoneName() {
  return isUtc ? 'UTC' : localName;
}

/** From UTC to the zone of the browser, or back. */
export function switchZone() {
  isUtc = !isUtc;
  makeFormats();
  try {
    localStorage.setItem(storageName, zoneName() === 'UTC' ? 'UTC' : 'local');
  } catch {
    // As above.
  }
}

/** `14:03:59`. @param {number} seconds since 1970 */
export function timeText(seconds) {
  return clock.format(seconds * 1000);
}

/** `2026-07-24 14:03:59`. @param {number} ms since 1970 */
export function dateText(ms) {
  return calendar.format(ms);
}
