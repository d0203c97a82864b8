// The labels that a record brings. Numbers and words become strings of the same characters; arrays
// and objects are handed back.
//
// Both functions walk over JSON that was found valid and has no escape.

import { copyPadded } from './envelope';
import { pastSpace } from './json';
import { pastPlainString } from './json-string';

/** What `judgeLabels` says of an object. */
export const labelsUnknown: u32 = 0;
/** Its inside is written as it is. */
export const labelsRaw: u32 = 1;
export const labelsMixed: u32 = 2;

/** Past the string, number or word at `at`; 0 if it is another value. */
function pastLabelValue(at: usize): usize {
  let byte = <u32>load<u8>(at);
  if (byte == 0x22) return pastPlainString(at + 1);
  if (byte == 0x7b || byte == 0x5b) return 0;
  let end = at;
  while (byte > 0x20 && byte != 0x2c && byte != 0x7d) byte = <u32>load<u8>(++end);
  return end;
}

/**
 * Whether the kernel may write the value [start, end): an object of one to `room` members, no key
 * that the agent may have too.
 */
export function judgeLabels(start: usize, end: usize, room: i32): u32 {
  if (load<u8>(start) != 0x7b) return labelsUnknown;
  let left = room;
  let at = pastSpace(start + 1);
  let isRaw = at == start + 1;
  while (load<u8>(at) == 0x22) {
    if (--left < 0) return labelsUnknown;
    const first = load<u64>(at, 1);
    // k8s-pod/ compute. logging. tailship
    if (first == 0x2f646f702d73386b || first == 0x2e657475706d6f63) return labelsUnknown;
    if (first == 0x2e676e6967676f6c || first == 0x706968736c696174) return labelsUnknown;
    at = pastPlainString(at + 1);
    isRaw = isRaw && load<u16>(at) == 0x223a; // :"
    at = pastLabelValue(pastSpace(pastSpace(at) + 1));
    if (at == 0) return labelsUnknown;
    const next = pastSpace(at);
    isRaw = isRaw && next == at;
    if (load<u8>(next) != 0x2c) {
      return next + 1 != end ? labelsUnknown : isRaw ? labelsRaw : labelsMixed;
    }
    at = pastSpace(next + 1);
    isRaw = isRaw && at == next + 1;
  }
  return labelsUnknown;
}

/** Writes the members of the object after whose brace `start` is; `judgeLabels` knows it. */
export function writeLabelMembers(start: usize, to: usize): usize {
  let out = to;
  let at = pastSpace(start);
  while (true) {
    const key = at;
    at = pastPlainString(key + 1);
    out = copyPadded(out, key, at - key);
    store<u8>(out++, 0x3a);
    const value = pastSpace(pastSpace(at) + 1);
    at = pastLabelValue(value);
    const isBare = load<u8>(value) != 0x22;
    if (isBare) store<u8>(out++, 0x22);
    out = copyPadded(out, value, at - value);
    if (isBare) store<u8>(out++, 0x22);
    at = pastSpace(at);
    if (load<u8>(at) != 0x2c) return out;
    store<u8>(out++, 0x2c);
    at = pastSpace(at + 1);
  }
}
