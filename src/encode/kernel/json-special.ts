// The special fields of structured logging that the kernel takes itself. A line with one whose
// meaning is not certain is handed back: the reference (special-fields.ts) decides.
//
// Values are byte ranges of the line; strings are given without their quotes.

import { judgeLabels, labelsNone, labelsPartly, labelsRaw, labelsUnknown } from './labels';
import {
  isEmptyMessage,
  isPlainMessage,
  messageLocation,
  messageOperation,
  messageRequest,
} from './sub-message';
import { instantSeconds, isAfterReading, isSecond, secondsLimit, zoneEnd } from './header';

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
/** Special, and always handed back. */
export const kindOther: u32 = 15;

/** No severity was found. */
export const severityNone: u32 = 255;

// What was found in the line so far.
export let severity: u32 = severityNone;
export let level: u32 = severityNone;
export let timeStart: usize = 0;
export let timeEnd: usize = 0;
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
/** The inside of the record's labels, without braces. */
export let labelsStart: usize = 0;
export let labelsEnd: usize = 0;
export let areLabelsRaw: bool = false;
/** The objects of the messages. */
export let requestStart: usize = 0;
export let operationStart: usize = 0;
export let locationStart: usize = 0;

/** Whether a record may bring labels, which then come after the source's own. */
let mayTakeLabels: bool = true;

/** How many. */
export let labelRoomLeft: i32 = 0;

/**
 * Says whether no record can have a key of the source's labels, and how many labels one may bring;
 * see `takeLabels`.
 */
export function setLabelRules(may: bool, room: i32): void {
  mayTakeLabels = may;
  labelRoomLeft = room;
}

/** Forgets the line before. */
export function resetSpecial(): void {
  severity = severityNone;
  level = severityNone;
  timeStart = 0;
  messageStart = 0;
  traceStart = 0;
  spanStart = 0;
  isSampled = false;
  ownIdStart = 0;
  labelsStart = 0;
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
  if (length == 31 && word == 0x6449747265736e69) return kindInsertId; // insertId
  // Whatever else has these lengths.
  return length == 31 || length == 32 || length == 37 ? kindOther : kindPlain;
}

/** The kind of the key at `key`, for which `maybeSpecial` holds. */
export function kindOf(key: usize, length: usize, word: u64): u32 {
  if (length == 7 && word == 0x6567617373656d) return kindMessage;
  if (length == 8 && word == 0x7974697265766573) return kindSeverity;
  if (length == 5 && word == 0x6c6576656c) return kindLevel;
  if (length == 4 && word == 0x656d6974) return kindTime;
  if (word == 0x6d617473656d6974) {
    if (length == 9 && load<u8>(key, 8) == 0x70) return kindTimestamp;
    if (length == 16 && load<u64>(key, 8) == 0x73646e6f63655370) return kindOther; // pSeconds
    // ampNanos
    return length == 14 && load<u64>(key, 6) == 0x736f6e614e706d61 ? kindOther : kindPlain;
  }
  if (word == 0x7571655270747468) {
    // pRequest
    return length == 11 && load<u64>(key, 3) == 0x7473657571655270 ? kindRequest : kindPlain;
  }
  return word == 0x2e676e6967676f6c ? loggingKind(key, length) : kindPlain;
}

/** The severity index of an upper-case word of at most eight letters, or `severityNone`. */
function severityOfWord(word: u64): u32 {
  if (word == 0x4f464e49 || word == 0x49) return 2; // INFO I
  if (word == 0x4e524157 || word == 0x474e494e524157 || word == 0x57) return 4; // WARN WARNING W
  // ERROR SEVERE ERR E
  if (word == 0x524f525245 || word == 0x455245564553 || word == 0x525245 || word == 0x45) return 5;
  if (word == 0x4755424544 || word == 0x44 || word == 0x4543415254) return 1; // DEBUG D TRACE
  if (word == 0x454349544f4e || word == 0x4e) return 3; // NOTICE N
  // FATAL CRITICAL CRIT
  if (word == 0x4c41544146 || word == 0x4c41434954495243 || word == 0x54495243) return 6;
  if (word == 0x43 || word == 0x46) return 6; // C F
  if (word == 0x5452454c41 || word == 0x41) return 7; // ALERT A
  if (word == 0x4752454d45) return 8; // EMERG
  if (word == 0x544c5541464544) return 0; // DEFAULT
  // FINE FINER FINEST CONFIG
  if (
    word == 0x454e4946 ||
    word == 0x52454e4946 ||
    word == 0x5453454e4946 ||
    word == 0x4749464e4f43
  ) {
    return 1;
  }
  return severityNone;
}

// @ts-ignore: decorator
@inline
function isLetter(byte: u32): bool {
  return (byte | 0x20) - 0x61 < 26;
}

/**
 * The severity that the string in [start, end) names; `unknown` if it is another word; -1 if the
 * kernel does not know.
 */
function severityOfString(start: usize, end: usize, unknown: u32): u32 {
  const length = end - start;
  // Longer words exist, and digits, and space around them.
  if (length - 1 > 7 || !isLetter(<u32>load<u8>(start)) || !isLetter(<u32>load<u8>(end - 1))) {
    return <u32>-1;
  }
  const mask = <u64>-1 >> <u64>(64 - (length << 3));
  const found = severityOfWord(load<u64>(start) & 0xdfdfdfdfdfdfdfdf & mask);
  return found == severityNone ? unknown : found;
}

/** The severity that a number of at most three digits in [start, end) means; -1 if it is none. */
function severityOfNumber(start: usize, end: usize): u32 {
  if (end - start > 3) return <u32>-1;
  let value: u32 = 0;
  for (let at = start; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) return <u32>-1;
    value = value * 10 + digit;
  }
  return value > 899 ? 8 : value / 100;
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

/** Takes a `time` string; false if it is certainly no time, -1 if the reference has to say. */
function takeTime(start: usize, end: usize, line: usize, lineEnd: usize): i32 {
  // Shorter than a second and a zone, or without the T between date and time.
  if (end - start < 20 || (load<u8>(start, 10) | 0x20) != 0x74) return 0;
  if (!isSecond(start) || zoneEnd(start + 19) != end) return -1;
  const isSameDay =
    load<u64>(start) == load<u64>(line) && load<u16>(start, 8) == load<u16>(line, 8);
  const areUtc = load<u8>(end - 1) == 0x5a && load<u8>(lineEnd - 1) == 0x5a;
  if (!isSameDay || !areUtc || isAfterReading) {
    // The API refuses what is more than a day ahead; at a day sharp the fraction decides.
    const seconds = instantSeconds(start, end);
    if (seconds >= secondsLimit || seconds - instantSeconds(line, lineEnd) >= 86_400) return -1;
  }
  timeStart = start;
  timeEnd = end;
  return 1;
}

/** Takes labels, unless the reference has to say what becomes of them. */
function takeLabels(start: usize, end: usize): i32 {
  // What is no object is dropped, as is one without members.
  if (load<u8>(start) != 0x7b || load<u16>(start) == 0x7d7b) return memberTaken;
  if (!mayTakeLabels) return memberUnknown;
  const judged = judgeLabels(start, end, labelRoomLeft);
  if (judged == labelsUnknown) return memberUnknown;
  if (judged == labelsNone) return memberChanged;
  areLabelsRaw = judged == labelsRaw;
  labelsStart = start + 1;
  labelsEnd = end - 1;
  return judged == labelsPartly ? memberChanged : memberTaken;
}

/** Takes a message, unless the reference has to say what becomes of it. */
function takeMessage(message: u32, start: usize, end: usize): i32 {
  if (isEmptyMessage(start, end)) return memberTaken;
  if (!isPlainMessage(message, start, end)) return memberUnknown;
  if (message == messageRequest) requestStart = start;
  if (message == messageOperation) operationStart = start;
  if (message == messageLocation) locationStart = start;
  return memberTaken;
}

/** What became of a member. */
export const memberStays: i32 = 0;
export const memberTaken: i32 = 1;
/** Part of it stays: the labels that have no room. */
export const memberChanged: i32 = 2;
export const memberUnknown: i32 = -1;

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
  const isString = load<u8>(start) == 0x22;
  if (kind == kindMessage) {
    if (isString) {
      messageStart = start + 1;
      messageEnd = end - 1;
      isMessageOdd = (escapes & 2) != 0;
    }
    return memberStays;
  }
  if (kind == kindTimestamp) return load<u8>(start) == 0x7b ? memberUnknown : memberStays;
  if (kind == kindTime && !isString) return memberStays;
  if (kind == kindLevel && !isString) return memberStays;
  if (escapes != 0) return memberUnknown;
  if (kind == kindTime) return takeTime(start + 1, end - 1, line, lineEnd);
  if (kind == kindLevel || kind == kindSeverity) {
    const found = isString
      ? severityOfString(start + 1, end - 1, kind == kindLevel ? severityNone : 0)
      : severityOfNumber(start, end);
    if (found == <u32>-1) return memberUnknown;
    if (kind == kindLevel) {
      level = found;
      return memberStays;
    }
    severity = found;
    return memberTaken;
  }
  if (kind == kindSampled) {
    const word = load<u32>(start);
    if (word != 0x65757274 && word != 0x736c6166) return memberUnknown; // true, fals
    isSampled = word == 0x65757274;
    return memberTaken;
  }
  if (kind >= kindRequest && kind <= kindLocation) {
    return takeMessage(kind - kindRequest, start, end);
  }
  if (kind == kindLabels) return takeLabels(start, end);
  if (kind == kindInsertId) {
    // An empty one, or one that is no string, is left out.
    if (isString && end - start > 2) {
      ownIdStart = start + 1;
      ownIdEnd = end - 1;
    }
    return memberTaken;
  }
  if (!isString) return memberUnknown;
  if (kind == kindTrace && end - start > 2) {
    traceStart = start + 1;
    traceEnd = end - 1;
  }
  if (kind == kindSpan && end - start > 2) {
    spanStart = start + 1;
    spanEnd = end - 1;
  }
  return memberTaken;
}
