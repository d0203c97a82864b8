// Writes what a valid JSON string means: its inside in the one spelling that entries use, that of
// JSON.stringify, or its characters.

import { copyPadded } from './envelope';
import { hexUnit } from './json-string';
import { writeEscape } from './text';

/** The byte that a short escape stands for. */
function shortByte(letter: u32): u32 {
  if (letter == 0x6e) return 10;
  if (letter == 0x74) return 9;
  if (letter == 0x72) return 13;
  if (letter == 0x62) return 8;
  return letter == 0x66 ? 12 : letter;
}

/** Writes a character as UTF-8, or as its escape if it has one and `escapes`. */
function writeCharacter(to: usize, point: u32, escapes: bool): usize {
  if (point < 0x80) {
    const isSpecial = point < 0x20 || point == 0x22 || point == 0x5c;
    if (escapes && isSpecial) return to + writeEscape(to, point);
    store<u8>(to, <u8>point);
    return to + 1;
  }
  const last = 0x80 | (point & 63);
  if (point < 0x800) {
    store<u8>(to, <u8>(0xc0 | (point >> 6)));
    store<u8>(to, <u8>last, 1);
    return to + 2;
  }
  const second = 0x80 | ((point >> 6) & 63);
  if (point < 0x10000) {
    store<u8>(to, <u8>(0xe0 | (point >> 12)));
    store<u8>(to, <u8>second, 1);
    store<u8>(to, <u8>last, 2);
    return to + 3;
  }
  store<u8>(to, <u8>(0xf0 | (point >> 18)));
  store<u8>(to, <u8>(0x80 | ((point >> 12) & 63)), 1);
  store<u8>(to, <u8>second, 2);
  store<u8>(to, <u8>last, 3);
  return to + 4;
}

/** Writes the inside [start, end) of a string, which has no half of a surrogate pair. */
export function writeCanonical(start: usize, end: usize, to: usize): usize {
  return writeCharacters(start, end, to, true);
}

/** Writes the characters of the string with the inside [start, end). */
export function writeMeant(start: usize, end: usize, to: usize): usize {
  return writeCharacters(start, end, to, false);
}

/** Whether [start, end) has an escape. */
export function hasEscape(start: usize, end: usize): bool {
  for (let at = start; at < end; at++) if (load<u8>(at) == 0x5c) return true;
  return false;
}

function writeCharacters(start: usize, end: usize, to: usize, escapes: bool): usize {
  let out = to;
  let at = start;
  while (at < end) {
    let escape = at;
    while (escape < end && load<u8>(escape) != 0x5c) escape++;
    if (escape > at) out = copyPadded(out, at, escape - at);
    if (escape == end) break;
    const letter = <u32>load<u8>(escape, 1);
    if (letter != 0x75) {
      out = writeCharacter(out, shortByte(letter), escapes);
      at = escape + 2;
      continue;
    }
    let point = <u32>hexUnit(escape + 2);
    at = escape + 6;
    if ((point & 0xfc00) == 0xd800) {
      point = 0x10000 + ((point & 0x3ff) << 10) + (<u32>hexUnit(escape + 8) & 0x3ff);
      at = escape + 12;
    }
    out = writeCharacter(out, point, escapes);
  }
  return out;
}
