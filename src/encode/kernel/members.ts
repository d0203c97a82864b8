// Walks over the members of an object that is the value of a special field. The object was found
// valid, so only the ends of things are looked for.

import { hasEscape, writeMeant } from './json-escapes';
import { pastSpace, pastString } from './json-string';
import { keepScratch, scratchEnd } from './scratch';

/** Past the object or array at `at`. */
function pastContainer(at: usize): usize {
  let position = at;
  let depth = 0;
  while (true) {
    const byte = <u32>load<u8>(position);
    if (byte == 0x22) {
      position = pastString(position + 1);
      continue;
    }
    position++;
    if (byte == 0x7b || byte == 0x5b) depth++;
    else if ((byte == 0x7d || byte == 0x5d) && --depth == 0) return position;
  }
}

/** Past the value at `at`. */
function pastValue(at: usize): usize {
  let byte = <u32>load<u8>(at);
  if (byte == 0x22) return pastString(at + 1);
  if (byte == 0x7b || byte == 0x5b) return pastContainer(at);
  let end = at;
  while (byte > 0x20 && byte != 0x2c && byte != 0x7d) byte = <u32>load<u8>(++end);
  return end;
}

// The member that `readMember` read last; strings with their quotes.
export let keyStart: usize = 0;
export let keyEnd: usize = 0;
export let valueStart: usize = 0;
export let valueEnd: usize = 0;

/** The first member of the object at `brace`, 0 if it has none. */
export function firstMember(brace: usize): usize {
  const at = pastSpace(brace + 1);
  return load<u8>(at) == 0x22 ? at : 0;
}

/** Reads the member at `at`; returns the next one, 0 if it is the last. */
export function readMember(at: usize): usize {
  keyStart = at;
  keyEnd = pastString(at + 1);
  valueStart = pastSpace(pastSpace(keyEnd) + 1);
  valueEnd = pastValue(valueStart);
  const next = pastSpace(valueEnd);
  return load<u8>(next) == 0x2c ? pastSpace(next + 1) : 0;
}

// What `readMeant` read last.
export let meantStart: usize = 0;
export let meantEnd: usize = 0;

/** Reads the characters of the string [start, end), quotes included. */
export function readMeant(start: usize, end: usize): void {
  meantStart = start + 1;
  meantEnd = end - 1;
  if (!hasEscape(meantStart, meantEnd)) return;
  const to = scratchEnd;
  meantEnd = writeMeant(meantStart, meantEnd, to);
  meantStart = to;
  keepScratch(meantEnd);
}
