// The labels of a record (entries/labels.ts): the first members of its object, as many as an entry
// has room for, each value as a string. What has no room stays in the payload.

import { copyPadded } from './envelope';
import { hasEscape, writeCanonical } from './json-escapes';
import { labelKeyBytesMax, labelValueBytesMax } from './layout';
import {
  firstMember,
  keyEnd,
  keyStart,
  meantEnd,
  meantStart,
  readMeant,
  readMember,
  valueEnd,
  valueStart,
} from './members';
import { keepScratch, scratchEnd } from './scratch';
import { writeEscape } from './text';

/** How many labels a record may bring. */
let labelRoom: i32 = 0;

export function setLabelRoom(room: i32): void {
  labelRoom = room;
}

// Of the record that is read; the members of its labels without braces, 0 if it has none.
export let labelsStart: usize = 0;
export let labelsEnd: usize = 0;
/** The object of those that have no room; 0 if all have. */
export let labelsRest: usize = 0;
export let labelsRestEnd: usize = 0;

/** Forgets those of the line before. */
// @ts-ignore: decorator
@inline
export function resetLabels(): void {
  labelsStart = 0;
  labelsEnd = 0;
}

/** Writes the string [start, end), quotes included, in the one spelling of entries. */
export function writeString(start: usize, end: usize, to: usize): usize {
  if (!hasEscape(start, end)) return copyPadded(to, start, end - start);
  store<u8>(to, 0x22);
  const out = writeCanonical(start + 1, end - 1, to + 1);
  store<u8>(out, 0x22);
  return out + 1;
}

/** Writes JSON as a string. */
function writeQuoted(start: usize, end: usize, to: usize): usize {
  let out = to;
  store<u8>(out++, 0x22);
  for (let at = start; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte < 0x20 || byte == 0x22 || byte == 0x5c) out += writeEscape(out, byte);
    else store<u8>(out++, <u8>byte);
  }
  store<u8>(out, 0x22);
  return out + 1;
}

/** Whether the member that was read last is a label while `count` are. */
function isLabel(count: i32, room: i32): bool {
  if (count >= room) return false;
  readMeant(keyStart, keyEnd);
  if (meantEnd - meantStart > <usize>labelKeyBytesMax) return false;
  return load<u8>(valueStart) == 0x22 || valueEnd - valueStart <= <usize>labelValueBytesMax;
}

/** Writes the members of the object at `brace` that are no labels; `room` labels are. */
function writeRest(brace: usize, room: i32, to: usize): usize {
  let out = to;
  let count = 0;
  store<u8>(out++, 0x7b);
  for (let at = firstMember(brace); at != 0;) {
    at = readMember(at);
    keepScratch(out);
    if (isLabel(count, room)) {
      count++;
      continue;
    }
    out = copyPadded(out, keyStart, keyEnd - keyStart);
    store<u8>(out++, 0x3a);
    out = copyPadded(out, valueStart, valueEnd - valueStart);
    store<u8>(out++, 0x2c);
  }
  // In place of the last comma.
  store<u8>(out - 1, 0x7d);
  return out;
}

/** Takes the labels of the value at `start`, when the agent adds `marks` to those of the source. */
export function takeLabels(start: usize, marks: i32): void {
  labelsRest = 0;
  if (load<u8>(start) != 0x7b) return;
  const room = labelRoom - marks;
  const to = scratchEnd;
  let out = to;
  let count = 0;
  let isRest = false;
  for (let at = firstMember(start); at != 0;) {
    at = readMember(at);
    // A key without its escapes is read behind what is written.
    keepScratch(out);
    if (!isLabel(count, room)) {
      isRest = true;
      // No other one is a label, either.
      if (count >= room) break;
      continue;
    }
    if (count++ > 0) store<u8>(out++, 0x2c);
    out = writeString(keyStart, keyEnd, out);
    store<u8>(out++, 0x3a);
    const isString = load<u8>(valueStart) == 0x22;
    out = isString
      ? writeString(valueStart, valueEnd, out)
      : writeQuoted(valueStart, valueEnd, out);
  }
  keepScratch(out);
  if (count > 0) {
    labelsStart = to;
    labelsEnd = out;
  }
  if (!isRest) return;
  labelsRest = out;
  labelsRestEnd = writeRest(start, room, out);
  keepScratch(labelsRestEnd);
}

/** Whether the record has a label with the key [start, end), quotes included. */
function hasLabel(start: usize, end: usize): bool {
  const length = end - start;
  for (let at = labelsStart; at < labelsEnd;) {
    readMember(at);
    if (keyEnd - keyStart == length && memory.compare(keyStart, start, length) == 0) return true;
    at = valueEnd + 1;
  }
  return false;
}

/**
 * Adds the label of a time that is not the entry's, which is [start, end), before the others,
 * unless the record has one of this key.
 */
export function addOriginalTime(start: usize, end: usize): void {
  const to = scratchEnd;
  store<u64>(to, 0x6968736c69617422); // "tailshi
  store<u64>(to, 0x726f2f7665642e70, 8); // p.dev/or
  store<u64>(to, 0x742d6c616e696769, 16); // iginal-t
  store<u64>(to, 0x00223a22656d69, 24); // ime":"
  if (hasLabel(to, to + 28)) return;
  let out = copyPadded(to + 30, start, end - start);
  store<u16>(out++, 0x2c22); // ",
  if (labelsStart != 0) out = copyPadded(out + 1, labelsStart, labelsEnd - labelsStart);
  labelsStart = to;
  labelsEnd = out;
  keepScratch(out);
}

/**
 * Writes the labels in [start, end) of which the record has none of the same key, each with a comma
 * behind it.
 */
export function writeOtherLabels(start: usize, end: usize, to: usize): usize {
  let out = to;
  for (let at = start; at < end;) {
    readMember(at);
    const from = keyStart;
    const keyTo = keyEnd;
    const last = valueEnd;
    if (!hasLabel(from, keyTo)) {
      out = copyPadded(out, from, last - from);
      store<u8>(out++, 0x2c);
    }
    at = last + 1;
  }
  return out;
}
