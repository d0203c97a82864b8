// The special fields of structured logging (entries/special-fields.ts). Values are byte ranges of
// the line or, where it spells them otherwise than the entry, of the scratch; strings are given
// without their quotes.

import { findPair, resetTime, takeTime } from './event-time';
import { writeCanonical, writeMeant } from './json-escapes';
import { resetLabels } from './labels';
import { firstMember } from './members';
import { keepScratch, resetScratch, scratchEnd } from './scratch';
import { severityNone, severityOfText } from './severity-words';
import { fieldEnd, fieldStart, restStart, takeMessage } from './sub-message';

/** Kinds of top-level members. The first four stay in the payload. */
export const kindPlain: u32 = 0;
export const kindLevel: u32 = 1;
export const kindMessage: u32 = 2;
/** `timestamp`: stays, unless it is an object. */
export const kindTimestamp: u32 = 3;
export const kindSeverity: u32 = 4;
/** `time`: stays after all if it is no RFC 3339 time. */
export const kindTime: u32 = 5;
export const kindTrace: u32 = 6;
export const kindSpan: u32 = 7;
export const kindSampled: u32 = 8;
export const kindLabels: u32 = 9;
/** Messages, in the order of their constants in sub-message.ts. */
export const kindRequest: u32 = 10;
export const kindOperation: u32 = 11;
export const kindLocation: u32 = 12;
export const kindInsertId: u32 = 13;
/** `timestampSeconds` and `timestampNanos`: stay, unless both are there. */
export const kindSeconds: u32 = 14;
export const kindNanos: u32 = 15;

/** Bits of the kinds whose text matters, and of those where it is not written. */
const wordKinds: u32 = (1 << kindLevel) | (1 << kindSeverity) | (1 << kindTime);
const textKinds: u32 =
  wordKinds | (1 << kindMessage) | (1 << kindTrace) | (1 << kindSpan) | (1 << kindInsertId);

// What was found in the line so far.
export let severity: u32 = severityNone;
export let level: u32 = severityNone;
export let messageStart: usize = 0;
export let messageEnd: usize = 0;
/** The message has escapes that JSON.stringify would write otherwise. */
export let isMessageOdd: bool = false;
export let traceStart: usize = 0;
export let traceEnd: usize = 0;
export let spanStart: usize = 0;
export let spanEnd: usize = 0;
export let isSampled: bool = false;
/** Of the insertId that the record brings. */
export let ownIdStart: usize = 0;
export let ownIdEnd: usize = 0;
/** The messages. */
export let requestStart: usize = 0;
export let requestEnd: usize = 0;
export let operationStart: usize = 0;
export let operationEnd: usize = 0;
export let locationStart: usize = 0;
export let locationEnd: usize = 0;

/** Forgets the line before. */
export function resetSpecial(area: usize): void {
  resetScratch(area);
  resetTime();
  resetLabels();
  severity = severityNone;
  level = severityNone;
  messageStart = 0;
  traceStart = 0;
  spanStart = 0;
  isSampled = false;
  ownIdStart = 0;
  requestStart = 0;
  operationStart = 0;
  locationStart = 0;
}

/**
 * Whether `word`, the first eight bytes of a key, may begin a special key. One branch for all of
 * them: most keys are plain.
 */
// @ts-ignore: decorator
@inline
export function maybeSpecial(word: u64): bool {
  return (
    (u32(word == 0x6567617373656d) | // message
      u32(word == 0x7974697265766573) | // severity
      u32(word == 0x6c6576656c) | // level
      u32(word == 0x656d6974) | // time
      u32(word == 0x6d617473656d6974) | // timestam
      u32(word == 0x7571655270747468) | // httpRequ
      u32(word == 0x2e676e6967676f6c)) != // logging.
    0
  );
}

/** The kind of a key that begins with `logging.`. */
function loggingKind(key: usize, length: usize): u32 {
  if (length < 28 || length > 37) return kindPlain;
  if (load<u64>(key, 8) != 0x7061656c676f6f67) return kindPlain; // googleap
  if (load<u64>(key, 15) != 0x2f6d6f632e736970) return kindPlain; // pis.com/
  const word = load<u64>(key, 23);
  if (length == 28) return (word & 0xffffffffff) == 0x6563617274 ? kindTrace : kindPlain; // trace
  if (length == 29) {
    const six = word & 0xffffffffffff;
    if (six == 0x736c6562616c) return kindLabels; // labels
    return six == 0x64496e617073 ? kindSpan : kindPlain; // spanId
  }
  if (length == 36) {
    const isTraceSampled = word == 0x61735f6563617274 && load<u64>(key, 28) == 0x64656c706d61735f;
    return isTraceSampled ? kindSampled : kindPlain; // trace_sa, _sampled
  }
  // operatio n
  if (length == 32 && word == 0x6f6974617265706f && load<u8>(key, 31) == 0x6e) return kindOperation;
  if (length == 37 && word == 0x6f4c656372756f73 && load<u64>(key, 29) == 0x6e6f697461636f4c) {
    return kindLocation; // sourceLo Location
  }
  return length == 31 && word == 0x6449747265736e69 ? kindInsertId : kindPlain; // insertId
}

/** The kind of the key at `key`, for which `maybeSpecial` holds. */
export function kindOf(key: usize, length: usize, word: u64): u32 {
  if (length == 7 && word == 0x6567617373656d) return kindMessage;
  if (length == 8 && word == 0x7974697265766573) return kindSeverity;
  if (length == 5 && word == 0x6c6576656c) return kindLevel;
  if (length == 4 && word == 0x656d6974) return kindTime;
  if (word == 0x6d617473656d6974) {
    if (length == 9 && load<u8>(key, 8) == 0x70) return kindTimestamp;
    if (length == 16 && load<u64>(key, 8) == 0x73646e6f63655370) return kindSeconds; // pSeconds
    // ampNanos
    return length == 14 && load<u64>(key, 6) == 0x736f6e614e706d61 ? kindNanos : kindPlain;
  }
  if (word == 0x7571655270747468) {
    // pRequest
    return length == 11 && load<u64>(key, 3) == 0x7473657571655270 ? kindRequest : kindPlain;
  }
  return word == 0x2e676e6967676f6c ? loggingKind(key, length) : kindPlain;
}

function isHex32(start: usize): bool {
  for (let at = start; at < start + 32; at += 16) {
    const bytes = v128.load(at);
    const isDigit = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10));
    const letters = i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61));
    if (!i8x16.all_true(v128.or(isDigit, i8x16.lt_u(letters, i8x16.splat(6))))) return false;
  }
  return true;
}

/** Whether the trace in `traceStart` is a bare trace id. */
export function isTraceId(): bool {
  return traceEnd - traceStart == 32 && isHex32(traceStart);
}

/** Takes the value [start, end) of a message. */
function takeField(kind: u32, start: usize, end: usize): i32 {
  if (load<u8>(start) != 0x7b) {
    return end - start == 4 && load<u32>(start) == 0x6c6c756e ? memberTaken : memberStays; // null
  }
  if (!takeMessage(kind - kindRequest, start)) return memberUnknown;
  if (kind == kindRequest) {
    requestStart = fieldStart;
    requestEnd = fieldEnd;
  } else if (kind == kindOperation) {
    operationStart = fieldStart;
    operationEnd = fieldEnd;
  } else {
    locationStart = fieldStart;
    locationEnd = fieldEnd;
  }
  return restStart == 0 ? memberTaken : memberChanged;
}

/** What became of a member. */
export const memberStays: i32 = 0;
export const memberTaken: i32 = 1;
/** Part of it stays: [restStart, restEnd). */
export const memberChanged: i32 = 2;
/** It depends on the other members. */
export const memberDeferred: i32 = 3;
export const memberUnknown: i32 = -1;

/** Takes a severity, level or time, whose text is [start, end). */
// @ts-ignore: decorator
@inline
function takeWord(kind: u32, start: usize, end: usize, line: usize, lineEnd: usize): i32 {
  if (kind == kindTime) return takeTime(start, end, line, lineEnd) ? memberTaken : memberStays;
  if (kind == kindLevel) {
    level = severityOfText(start, end, severityNone);
    return memberStays;
  }
  const found = severityOfText(start, end, 0);
  severity = found == severityNone ? 0 : found;
  return memberTaken;
}

/** Takes a member that has to be a string with something in it, whose inside is [start, end). */
function takeString(kind: u32, start: usize, end: usize): i32 {
  if (start == end) return memberTaken;
  if (kind == kindTrace) {
    traceStart = start;
    traceEnd = end;
  } else if (kind == kindSpan) {
    spanStart = start;
    spanEnd = end;
  } else {
    ownIdStart = start;
    ownIdEnd = end;
  }
  return memberTaken;
}

/** Takes a member that is no string, or whose text does not matter. */
function takeOther(kind: u32, start: usize, end: usize): i32 {
  const first = <u32>load<u8>(start);
  if (kind == kindTimestamp) return first == 0x7b && findPair(start) ? memberDeferred : memberStays;
  if (kind == kindSeconds || kind == kindNanos) return memberDeferred;
  if (kind >= kindRequest && kind <= kindLocation) return takeField(kind, start, end);
  // One without members brings none.
  if (kind == kindLabels) {
    return first == 0x7b && firstMember(start) != 0 ? memberDeferred : memberTaken;
  }
  if (kind == kindSampled) {
    const word = load<u32>(start);
    // true "true" 1
    isSampled =
      (end - start == 4 && word == 0x65757274) ||
      (end - start == 6 && word == 0x75727422 && load<u16>(start, 4) == 0x2265) ||
      (end - start == 1 && first == 0x31);
    return memberTaken;
  }
  if (kind == kindSeverity) return takeWord(kind, start, end, 0, 0);
  return kind == kindTime || kind == kindLevel || kind == kindMessage ? memberStays : memberTaken;
}

/**
 * Takes the special member whose value is [start, end), quotes included, with the `stringEscapes`
 * in it. The line's own time is [line, lineEnd).
 */
export function takeMember(
  kind: u32,
  start: usize,
  end: usize,
  escapes: u32,
  line: usize,
  lineEnd: usize,
): i32 {
  if (load<u8>(start) != 0x22 || ((1 << kind) & textKinds) == 0) return takeOther(kind, start, end);
  let from = start + 1;
  let to = end - 1;
  if (kind == kindMessage) {
    messageStart = from;
    messageEnd = to;
    isMessageOdd = (escapes & 2) != 0;
    return memberStays;
  }
  const isWord = ((1 << kind) & wordKinds) != 0;
  if (escapes != 0) {
    const out = scratchEnd;
    to = isWord ? writeMeant(from, to, out) : writeCanonical(from, to, out);
    from = out;
    keepScratch(to);
  }
  return isWord ? takeWord(kind, from, to, line, lineEnd) : takeString(kind, from, to);
}
