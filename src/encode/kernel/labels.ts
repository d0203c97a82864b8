// The labels that a record brings: the first ones, as many as an entry has room for. Numbers and
// words become strings of the same characters; an array or object in place of one is handed back.
// What has no room stays in the payload.
//
// All functions walk over JSON that was found valid and has no escape.

import { copyPadded } from './envelope';
import { pastSpace } from './json';
import { pastPlainString } from './json-string';
import { labelKeyBytesMax, labelValueBytesMax } from './layout';

/** What `judgeLabels` says of an object. */
export const labelsUnknown: u32 = 0;
/** Its inside is written as it is. */
export const labelsRaw: u32 = 1;
export const labelsMixed: u32 = 2;
/** Some of it stays. */
export const labelsPartly: u32 = 3;
/** All of it does. */
export const labelsNone: u32 = 4;

/** Past the object or array at `at`. */
function pastContainer(at: usize): usize {
  let position = at;
  let depth = 0;
  while (true) {
    const byte = <u32>load<u8>(position);
    if (byte == 0x22) {
      position = pastPlainString(position + 1);
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
  if (byte == 0x22) return pastPlainString(at + 1);
  if (byte == 0x7b || byte == 0x5b) return pastContainer(at);
  let end = at;
  while (byte > 0x20 && byte != 0x2c && byte != 0x7d) byte = <u32>load<u8>(++end);
  return end;
}

// The member that `readMember` read last.
let keyStart: usize = 0;
let keyEnd: usize = 0;
let valueStart: usize = 0;
let valueEnd: usize = 0;

/** Reads the member at `at`; returns the address of what follows it. */
// @ts-ignore: decorator
@inline
function readMember(at: usize): usize {
  keyStart = at;
  keyEnd = pastPlainString(at + 1);
  valueStart = pastSpace(pastSpace(keyEnd) + 1);
  valueEnd = pastValue(valueStart);
  return pastSpace(valueEnd);
}

/** Whether the member is a label while fewer than `room` are. */
// @ts-ignore: decorator
@inline
function hasRoom(count: i32, room: i32): bool {
  return count < room && keyEnd - keyStart - 2 <= <usize>labelKeyBytesMax;
}

/** Whether the key may be one of the agent's own. */
function isAgentKey(): bool {
  const first = load<u64>(keyStart, 1);
  // k8s-pod/ compute. logging. tailship
  if (first == 0x2f646f702d73386b || first == 0x2e657475706d6f63) return true;
  return first == 0x2e676e6967676f6c || first == 0x706968736c696174;
}

/** Whether the value is written as a label: no array or object, and not too long. */
function isLabelValue(): bool {
  const byte = <u32>load<u8>(valueStart);
  if (byte == 0x22) return true;
  return byte != 0x7b && byte != 0x5b && valueEnd - valueStart <= <usize>labelValueBytesMax;
}

/**
 * What becomes of the object [start, end), when an entry has room for `room` labels. Unknown are
 * one without members, and one with a key that the agent may have too.
 */
export function judgeLabels(start: usize, end: usize, room: i32): u32 {
  let count = 0;
  let at = pastSpace(start + 1);
  let isRaw = at == start + 1;
  let isWhole = true;
  if (load<u8>(at) != 0x22) return labelsUnknown;
  while (true) {
    if (count >= room) {
      isWhole = false;
      break;
    }
    const next = readMember(at);
    if (isAgentKey()) return labelsUnknown;
    if (hasRoom(count, room)) {
      if (!isLabelValue()) return labelsUnknown;
      count++;
      isRaw = isRaw && load<u16>(keyEnd) == 0x223a && next == valueEnd; // :"
    } else {
      isWhole = false;
    }
    if (load<u8>(next) != 0x2c) break;
    at = pastSpace(next + 1);
    isRaw = isRaw && at == next + 1;
  }
  if (!isWhole) return count == 0 ? labelsNone : labelsPartly;
  return isRaw ? labelsRaw : labelsMixed;
}

/**
 * Writes the labels of the object after whose brace `start` is, at most `room`; `judgeLabels` knows
 * it.
 */
export function writeLabelMembers(start: usize, to: usize, room: i32): usize {
  let out = to;
  let count = 0;
  let at = pastSpace(start);
  while (count < room) {
    const next = readMember(at);
    if (hasRoom(count, room)) {
      store<u8>(out, 0x2c);
      out += count != 0 ? 1 : 0;
      count++;
      out = copyPadded(out, keyStart, keyEnd - keyStart);
      store<u8>(out++, 0x3a);
      const isBare = load<u8>(valueStart) != 0x22;
      if (isBare) store<u8>(out++, 0x22);
      out = copyPadded(out, valueStart, valueEnd - valueStart);
      if (isBare) store<u8>(out++, 0x22);
    }
    if (load<u8>(next) != 0x2c) break;
    at = pastSpace(next + 1);
  }
  return out;
}

/** Writes the object of the members that `writeLabelMembers` leaves out. */
export function writeLabelRest(start: usize, to: usize, room: i32): usize {
  let out = to;
  let count = 0;
  let at = pastSpace(start);
  store<u8>(out++, 0x7b);
  while (true) {
    const next = readMember(at);
    if (hasRoom(count, room)) {
      count++;
    } else {
      out = copyPadded(out, keyStart, keyEnd - keyStart);
      store<u8>(out++, 0x3a);
      out = copyPadded(out, valueStart, valueEnd - valueStart);
      store<u8>(out++, 0x2c);
    }
    if (load<u8>(next) != 0x2c) break;
    at = pastSpace(next + 1);
  }
  // In place of the last comma.
  store<u8>(out - 1, 0x7d);
  return out;
}
