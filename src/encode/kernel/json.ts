// Validates a JSON object and lists its top-level members and all its scalar values, among them
// empty containers. It reads every token, so it is for lines whose shape (shapes.ts) is not known
// yet. White space inside top-level members stays as it is; between them it is left out later.

import { beginRecording, endRecording, isRecording, recordKey } from './double-keys';
import { forgetKeys, hashKey, meetKey } from './key-table';
import {
  pairNanos,
  pairNanosEnd,
  pairSeconds,
  pairSecondsEnd,
  findPair,
  refusedStart,
  takeSecondsAndNanos,
} from './event-time';
import { hasEscape } from './json-escapes';
import { isEmptyAt, pastScalar, valueHuge, valueInvalid } from './json-number';
import {
  kindLabels,
  kindNanos,
  kindOf,
  kindPlain,
  kindSeconds,
  kindTime,
  kindTimestamp,
  maybeSpecial,
  memberChanged,
  memberDeferred,
  memberTaken,
  memberUnknown,
  resetSpecial,
  takeMember,
} from './json-special';
import {
  pastSpace,
  resetStringEscapes,
  stringEnd,
  stringEscapes,
  stringHandedBack,
} from './json-string';
import { labelsRest, labelsRestEnd, takeLabels } from './labels';
import {
  backslashVector,
  depthMax,
  keysMax,
  memberBytes,
  memberList,
  quoteVector,
  scalarList,
  scalarsMax,
  seedStack,
  spaceVector,
} from './layout';
import { meantEnd, meantStart, readMeant } from './members';
import { restEnd, restStart } from './sub-message';

/** What `readObject` returns instead of an address. */
export const objectInvalid: usize = 0;
export const objectHandedBack: usize = 1;
/** There may be keys that occur twice, or they are many: they have to be recorded. */
export const objectDoubtful: usize = 2;
/** The line has to be repaired first. */
export const objectBroken: usize = 3;

/** Of the object that was read last. More scalars than `scalarsMax` are counted, but not listed. */
export let memberCount: u32 = 0;
export let scalarCount: u32 = 0;
/** Keys, scalars and containers that are not empty. */
export let tokenCount: u32 = 0;
/** Levels of containers, the object itself included; empty ones do not count. */
export let deepest: u32 = 0;

// A member of the list: five u32. Keys and values are ranges with their quotes; the fate is its
// kind, and whether it stays.
export const memberKeyStart: usize = 0;
export const memberKeyEnd: usize = 4;
export const memberValueStart: usize = 8;
export const memberValueEnd: usize = 12;
export const memberKind: usize = 16;
/** Added to the kind of a member that leaves the payload. */
export const memberIsTaken: u32 = 0x100;
/** Or to that of one which has another value in it. */
export const memberIsChanged: u32 = 0x200;

// @ts-ignore: decorator
@inline
function pastSpaceIfAny(at: usize): usize {
  return load<u8>(at) > 0x20 ? at : pastSpace(at);
}

/** Whether the key in [start, end) has been met in the object `seed`. */
// @ts-ignore: decorator
@inline
function isKnownKey(start: usize, end: usize, first: u64, seed: u32, area: usize): bool {
  const length = end - start;
  const last = length < 8 ? 0 : load<u64>(end - 8);
  return meetKey(hashKey(first, last, length, seed), area);
}

/** The first eight bytes of the key in [start, end), zeros after its end. */
// @ts-ignore: decorator
@inline
function firstOfKey(start: usize, end: usize): u64 {
  const length = end - start;
  if (length >= 8) return load<u64>(start);
  return length == 0 ? 0 : load<u64>(start) & (<u64>-1 >> <u64>((8 - length) << 3));
}

// @ts-ignore: decorator
@inline
function listScalar(start: usize, end: usize, area: usize): void {
  tokenCount++;
  if (scalarCount < <u32>scalarsMax) {
    const at = area + scalarList + <usize>(scalarCount << 3);
    store<u32>(at, <u32>start);
    store<u32>(at, <u32>end, 4);
  }
  scalarCount++;
}

/** Past the number or word at `at`, or one of the two constants. */
// @ts-ignore: decorator
@inline
function passScalar(at: usize, area: usize): usize {
  const end = pastScalar(at);
  if (end <= valueHuge) return end == valueInvalid ? objectInvalid : objectBroken;
  listScalar(at, end, area);
  return end;
}

// Members whose fate depends on others, and a time that was taken; 0 where there is none.
let timestampMember: usize = 0;
let secondsMember: usize = 0;
let nanosMember: usize = 0;
let timeMember: usize = 0;
let labelsMember: usize = 0;

function noteDeferred(kind: u32, member: usize): void {
  if (kind == kindTimestamp) timestampMember = member;
  else if (kind == kindSeconds) secondsMember = member;
  else if (kind == kindNanos) nanosMember = member;
  else labelsMember = member;
}

/** Notes that the member is taken, or has the value [start, end) now. */
function changeMember(member: usize, start: usize, end: usize): void {
  const kind = load<u32>(member, memberKind);
  store<u32>(member, kind | (start == 0 ? memberIsTaken : memberIsChanged), memberKind);
  if (start == 0) return;
  store<u32>(member, <u32>start, memberValueStart);
  store<u32>(member, <u32>end, memberValueEnd);
}

/**
 * Notes the end of the last listed member and what becomes of it; false if the reference has to
 * say.
 */
function endMember(end: usize, line: usize, lineEnd: usize, area: usize): bool {
  if (memberCount == 0) return true;
  const member = area + memberList + <usize>((memberCount - 1) * memberBytes);
  store<u32>(member, <u32>end, memberValueEnd);
  const kind = load<u32>(member, memberKind);
  if (kind == kindPlain) return true;
  const fate = takeMember(
    kind,
    <usize>load<u32>(member, memberValueStart),
    end,
    stringEscapes,
    line,
    lineEnd,
  );
  if (fate == memberUnknown) return false;
  if (fate == memberTaken) changeMember(member, 0, 0);
  if (fate == memberChanged) changeMember(member, restStart, restEnd);
  if (fate == memberDeferred) noteDeferred(kind, member);
  if (fate == memberTaken && kind == kindTime) timeMember = member;
  return true;
}

/** Takes seconds and nanoseconds, which go before a `time`; false if the reference has to. */
function takePair(line: usize, lineEnd: usize): bool {
  let isTaken = false;
  if (timestampMember != 0) {
    findPair(<usize>load<u32>(timestampMember, memberValueStart));
    isTaken = takeSecondsAndNanos(
      pairSeconds,
      pairSecondsEnd,
      pairNanos,
      pairNanosEnd,
      line,
      lineEnd,
    );
    changeMember(timestampMember, 0, 0);
  } else {
    isTaken = takeSecondsAndNanos(
      <usize>load<u32>(secondsMember, memberValueStart),
      <usize>load<u32>(secondsMember, memberValueEnd),
      <usize>load<u32>(nanosMember, memberValueStart),
      <usize>load<u32>(nanosMember, memberValueEnd),
      line,
      lineEnd,
    );
    changeMember(secondsMember, 0, 0);
    changeMember(nanosMember, 0, 0);
  }
  if (timeMember != 0) store<u32>(timeMember, kindTime, memberKind);
  return isTaken;
}

/** Whether the time of the object that was read is in two members. */
// @ts-ignore: decorator
@inline
export function hasPair(): bool {
  return (timestampMember | (secondsMember != 0 ? nanosMember : 0)) != 0;
}

/** Says what becomes of members that depend on others; false if the reference has to. */
export function endMembers(line: usize, lineEnd: usize): bool {
  if (hasPair() && !takePair(line, lineEnd)) return false;
  if (labelsMember == 0) return true;
  takeLabels(<usize>load<u32>(labelsMember, memberValueStart), i32(refusedStart != 0));
  changeMember(labelsMember, labelsRest, labelsRestEnd);
  return true;
}

// Keys and objects within the object that is read, at any depth.
let keyCount: u32 = 0;
let objectCount: u32 = 0;

// @ts-ignore: decorator
@inline
function noteDepth(depth: u32): void {
  if (depth > deepest) deepest = depth;
  tokenCount++;
}

function beginObject(area: usize): void {
  memberCount = 0;
  scalarCount = 0;
  tokenCount = 1;
  keyCount = 0;
  objectCount = 0;
  deepest = 1;
  forgetKeys(area);
  timestampMember = 0;
  secondsMember = 0;
  nanosMember = 0;
  timeMember = 0;
  labelsMember = 0;
  resetSpecial(area);
  resetStringEscapes();
}

/**
 * Past the key in [start, end), its colon and the white space around it; a key of the outermost
 * object begins a member of the list. Returns one of the constants if the line is not the kernel's
 * or its keys are doubtful.
 */
// @ts-ignore: decorator
@inline
function passKey(start: usize, end: usize, depth: u32, seed: u32, area: usize): usize {
  let from = start;
  let to = end;
  if (stringEscapes != 0 && hasEscape(start, end)) {
    // A key with escapes may be the equal of another one, or special.
    readMeant(start - 1, end + 1);
    from = meantStart;
    to = meantEnd;
  }
  const first = firstOfKey(from, to);
  if (isRecording) {
    if (!recordKey(start - 1, from, to, depth, seed, area)) return objectHandedBack;
  } else if (++keyCount > <u32>keysMax || isKnownKey(from, to, first, seed, area)) {
    return objectDoubtful;
  }
  tokenCount++;
  let position = pastSpaceIfAny(end + 1);
  if (load<u8>(position) != 0x3a) return objectInvalid;
  position = pastSpaceIfAny(position + 1);
  if (depth != 1) return position;
  const kind = maybeSpecial(first) ? kindOf(from, to - from, first) : kindPlain;
  const member = area + memberList + <usize>(memberCount * memberBytes);
  store<u32>(member, <u32>(start - 1), memberKeyStart);
  store<u32>(member, <u32>(end + 1), memberKeyEnd);
  store<u32>(member, <u32>position, memberValueStart);
  store<u32>(member, kind, memberKind);
  memberCount++;
  resetStringEscapes();
  return position;
}

/**
 * Reads the object whose brace is at `brace`; [line, lineEnd) is the line's time. Returns the
 * address past the object's last brace, or one of the constants; `objectInvalid`: the line is text.
 */
function readOnce(brace: usize, area: usize, line: usize, lineEnd: usize): usize {
  const space = v128.load(area, spaceVector);
  const quote = v128.load(area, quoteVector);
  const backslash = v128.load(area, backslashVector);
  let position = pastSpace(brace + 1);
  // A bit per container that is open, 1 for objects; the innermost is the lowest.
  let containers: u64 = 1;
  let depth: u32 = 1;
  let seed: u32 = 0;
  let isKey = true;
  beginObject(area);
  // Whether the object ends where it began.
  let isEmpty = load<u8>(position) == 0x7d;
  while (true) {
    const byte = <u32>load<u8>(position);
    if (isEmpty) {
      isEmpty = false;
    } else if (byte == 0x22) {
      const start = position + 1;
      const end = stringEnd(start, space, quote, backslash);
      if (end <= stringHandedBack) return end == stringHandedBack ? objectBroken : objectInvalid;
      if (isKey) {
        position = passKey(start, end, depth, seed, area);
        if (position <= objectBroken) return position;
        isKey = false;
        continue;
      }
      position = end + 1;
      listScalar(start, end, area);
    } else if (isKey) {
      return objectInvalid;
    } else if (byte == 0x7b || byte == 0x5b) {
      if (depth >= <u32>depthMax) return objectInvalid;
      if (isEmptyAt(position)) {
        listScalar(position, position + 2, area);
        position += 2;
      } else {
        store<u32>(area + <usize>(depth << 2), seed, seedStack);
        noteDepth(++depth);
        isKey = byte == 0x7b;
        containers = (containers << 1) | <u64>isKey;
        if (isKey) seed = ++objectCount;
        position = pastSpaceIfAny(position + 1);
        // White space alone in a container: its end is found below, as that of one with members.
        if (load<u8>(position) != (isKey ? 0x7d : 0x5d)) continue;
        isKey = false;
      }
    } else {
      position = passScalar(position, area);
      if (position <= objectBroken) return position;
    }
    // A value has ended: what follows it, and which containers end with it.
    while (true) {
      if (depth == 1 && !endMember(position, line, lineEnd, area)) return objectHandedBack;
      position = pastSpaceIfAny(position);
      const next = <u32>load<u8>(position);
      const isObject = (containers & 1) != 0;
      if (next == 0x2c) {
        position = pastSpaceIfAny(position + 1);
        isKey = isObject;
        break;
      }
      if (next != (isObject ? 0x7d : 0x5d)) return objectInvalid;
      position++;
      if (--depth == 0) return position;
      containers >>= 1;
      seed = load<u32>(area + <usize>(depth << 2), seedStack);
    }
  }
}

/** As `readOnce`, and sure of the keys: `doubleCount` of them have to be left out. */
export function readObject(brace: usize, area: usize, line: usize, lineEnd: usize): usize {
  const end = readOnce(brace, area, line, lineEnd);
  if (end != objectDoubtful) return end;
  if (!beginRecording(brace, area)) return objectHandedBack;
  const recorded = readOnce(brace, area, line, lineEnd);
  endRecording(recorded > objectBroken);
  return recorded;
}
