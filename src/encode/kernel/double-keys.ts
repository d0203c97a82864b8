// Removes the members of an object whose key comes again later in the same object, at any depth:
// the last one wins, as for JSON.parse. The keys are recorded while the object is read
// (json.ts), so that what is removed has been validated, too.
//
// The invariant: keys are compared byte by byte, so different ones are never taken for equal; and
// the work is linear in the line, whatever its keys hash to.

import { copyPadded } from './envelope';
import {
  keyRecords,
  keyRecordsMax,
  keySecrets,
  keySecretWords,
  lastKeys,
  objectCopy,
  objectCopyBytes,
  recordTable,
} from './layout';

// A record: five u32.
const recordBytes: usize = 20;
/** The characters of the key. */
const keyStart: usize = 0;
const keyEnd: usize = 4;
/** The number of its object. */
const keyObject: usize = 8;
/** Where the next member of the object begins, 0 if it is the last one; and `isRemoved`. */
const nextMember: usize = 12;
/** Where the member begins, at the quote of its key. */
const memberStart: usize = 16;
const isRemoved: u32 = 0x80000000;

/** So many slots of the table may be looked at for each key, all in all. */
const probesPerKey: u32 = 8;

export let isRecording: bool = false;
/** How many of the recorded members are removed. */
export let doubleCount: u32 = 0;

let recordCount: u32 = 0;
let tableMask: u32 = 0;
/** Leaves as many bits of a u64 as the mask has. */
let tableShift: u64 = 0;
let probes: u32 = 0;

/** The newline that ends the line. */
export function newlineAfter(from: usize): usize {
  const newline = i8x16.splat(10);
  let at = from;
  while (true) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(at), newline));
    if (found != 0) return at + ctz(found);
    at += 16;
  }
}

/** Begins to record the keys of the line's object; false if they may be too many. */
export function beginRecording(brace: usize, area: usize): bool {
  // `"":1,` is the shortest member.
  const length = newlineAfter(brace) - brace;
  const keysMost = <u32>(length / 5 + 1);
  if (keysMost > <u32>keyRecordsMax || length + 16 > <usize>objectCopyBytes) return false;
  tableMask = <u32>-1 >> clz<u32>(keysMost);
  tableShift = <u64>(32 + clz<u32>(keysMost));
  memory.fill(area + recordTable, 0, <usize>((tableMask + 1) << 2));
  memory.fill(area + lastKeys, 0, 65 * 4);
  recordCount = 0;
  doubleCount = 0;
  probes = 0;
  isRecording = true;
  return true;
}

/** Ends it; what is recorded of something that is no object is forgotten. */
export function endRecording(isObject: bool): void {
  isRecording = false;
  if (!isObject) doubleCount = 0;
}

/** Forgets that keys of an object come again, of which no copy is made. */
export function forgetDoubles(): void {
  doubleCount = 0;
}

/**
 * The slot of a key in an object: the highest bits of the sum of its words, each multiplied by a
 * secret of its own. That no writer of logs knows the secrets bounds the probes.
 */
function slotOf(start: usize, end: usize, object: u32, area: usize): u32 {
  const secrets = area + (keySecrets + 16);
  let sum = load<u64>(secrets) * (<u64>object + 1);
  let word: u32 = 1;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    if (word == keySecretWords) {
      // The secrets begin again; what was summed up must not cancel with what follows.
      sum = (sum ^ (sum >> 32)) * (load<u64>(secrets) | 1);
      word = 1;
    }
    sum += load<u64>(secrets + <usize>(word << 3)) * load<u32>(at);
    word++;
  }
  // The load may run past the key: what is not its own is masked.
  const rest = load<u32>(at) & (((<u32>1) << ((<u32>(end - at)) << 3)) - 1);
  sum += load<u64>(secrets + <usize>(word << 3)) * <u64>rest;
  return <u32>(sum >> tableShift);
}

function isSameKey(record: usize, start: usize, end: usize, object: u32): bool {
  if (load<u32>(record, keyObject) != object) return false;
  const known = <usize>load<u32>(record, keyStart);
  const length = end - start;
  if (<usize>load<u32>(record, keyEnd) - known != length) return false;
  return memory.compare(known, start, length) == 0;
}

/**
 * Records the key [start, end), without its quotes and escapes, of the member at `member`, at a
 * depth and in an object; false if the reference has to compare it.
 */
export function recordKey(
  member: usize,
  start: usize,
  end: usize,
  depth: u32,
  object: u32,
  area: usize,
): bool {
  const records = area + keyRecords;
  const record = records + <usize>recordCount * recordBytes;
  store<u32>(record, <u32>start, keyStart);
  store<u32>(record, <u32>end, keyEnd);
  store<u32>(record, object, keyObject);
  store<u32>(record, 0, nextMember);
  store<u32>(record, <u32>member, memberStart);
  const lastKey = area + lastKeys + <usize>(depth << 2);
  const last = <usize>load<u32>(lastKey);
  if (last != 0 && load<u32>(last, keyObject) == object) {
    store<u32>(last, load<u32>(last, nextMember) | <u32>member, nextMember);
  }
  store<u32>(lastKey, <u32>record);
  recordCount++;
  let index = slotOf(start, end, object, area);
  while (true) {
    const slot = area + recordTable + <usize>(index << 2);
    const known = <usize>load<u32>(slot);
    if (known == 0) {
      store<u32>(slot, <u32>record);
      return true;
    }
    if (isSameKey(known, start, end, object)) {
      store<u32>(known, load<u32>(known, nextMember) | isRemoved, nextMember);
      store<u32>(slot, <u32>record);
      doubleCount++;
      return true;
    }
    if (++probes > recordCount * probesPerKey + 64) return false;
    index = (index + 1) & tableMask;
  }
}

/**
 * Copies the object [brace, end), whose keys are recorded, without the members that are removed;
 * a newline ends the copy. Returns its address, and forgets the keys.
 */
export function copyWithoutDoubles(brace: usize, end: usize, area: usize): usize {
  const copy = area + objectCopy;
  let out = copy;
  let at = brace;
  for (let index: u32 = 0; index < recordCount; index++) {
    const record = area + keyRecords + <usize>index * recordBytes;
    const next = load<u32>(record, nextMember);
    const start = <usize>load<u32>(record, memberStart);
    // What is in a member that is removed goes with it.
    if ((next & isRemoved) == 0 || start < at) continue;
    out = copyPadded(out, at, start - at);
    at = <usize>(next & ~isRemoved);
  }
  out = copyPadded(out, at, end - at);
  store<u8>(out, 10);
  doubleCount = 0;
  return copy;
}
