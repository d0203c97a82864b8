// The fields of an entry that are messages (entries/sub-message.ts): httpRequest, operation and
// sourceLocation. A member whose value is not of its field's type is left out; what the message
// does not know stays in the payload.

import { copyPadded } from './envelope';
import { writeString } from './labels';
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
import { doubleOf, isInteger, writeInteger } from './numbers';
import { keepScratch, scratchEnd } from './scratch';

export const messageRequest: u32 = 0;
export const messageOperation: u32 = 1;
export const messageLocation: u32 = 2;

/** What a member of a message has to be; 0 if the message has no such member. */
const castString: u32 = 1;
const castInt32: u32 = 2;
const castInt64: u32 = 3;
const castBool: u32 = 4;
const castLatency: u32 = 5;

/** The cast of a member of httpRequest with the key of `length` bytes at `key`. */
function requestCast(key: usize, length: usize): u32 {
  const first = load<u64>(key);
  if (length == 6) return (first & 0xffffffffffff) == 0x737574617473 ? castInt32 : 0; // status
  if (length == 7) {
    const seven = first & 0xffffffffffffff;
    if (seven == 0x79636e6574616c) return castLatency; // latency
    return seven == 0x72657265666572 ? castString : 0; // referer
  }
  if (length == 8) {
    if (first == 0x7469486568636163) return castBool; // cacheHit
    return (
      u32(first == 0x704965746f6d6572) | // remoteIp
      u32(first == 0x7049726576726573) | // serverIp
      u32(first == 0x6c6f636f746f7270) // protocol
    );
  }
  if (length < 8) return 0;
  const last = load<u64>(key + length - 8);
  // userAgen serAgent
  if (length == 9) {
    return first == 0x6e65674172657375 && last == 0x746e656741726573 ? castString : 0;
  }
  // requestU questUrl
  if (length == 10) {
    return first == 0x5574736575716572 && last == 0x6c72557473657571 ? castString : 0;
  }
  if (length == 11) {
    // requestS uestSize
    if (first == 0x5374736575716572 && last == 0x657a695374736575) return castInt64;
    // cacheLoo heLookup
    return first == 0x6f6f4c6568636163 && last == 0x70756b6f6f4c6568 ? castBool : 0;
  }
  // response onseSize
  if (length == 12) {
    return first == 0x65736e6f70736572 && last == 0x657a695365736e6f ? castInt64 : 0;
  }
  // requestM stMethod
  if (length == 13) {
    return first == 0x4d74736575716572 && last == 0x646f6874654d7473 ? castString : 0;
  }
  // cacheFil illBytes
  if (length == 14) {
    return first == 0x6c69466568636163 && last == 0x73657479426c6c69 ? castInt64 : 0;
  }
  if (length != 30 || first != 0x6c61566568636163 || last != 0x7265767265536e69) return 0;
  // cacheVal idatedWi thOrigin inServer
  const isKnown =
    load<u64>(key, 8) == 0x6957646574616469 && load<u64>(key, 16) == 0x6e696769724f6874;
  return isKnown ? castBool : 0;
}

function operationCast(key: usize, length: usize): u32 {
  const first = load<u64>(key);
  if (length == 2) return (first & 0xffff) == 0x6469 ? castString : 0; // id
  if (length == 4) return (first & 0xffffffff) == 0x7473616c ? castBool : 0; // last
  if (length == 5) return (first & 0xffffffffff) == 0x7473726966 ? castBool : 0; // first
  return length == 8 && first == 0x72656375646f7270 ? castString : 0; // producer
}

function locationCast(key: usize, length: usize): u32 {
  const first = load<u64>(key);
  if (length == 8) return first == 0x6e6f6974636e7566 ? castString : 0; // function
  if (length != 4) return 0;
  const four = first & 0xffffffff;
  return four == 0x656e696c ? castInt64 : four == 0x656c6966 ? castString : 0; // line file
}

function castOf(message: u32, key: usize, length: usize): u32 {
  if (message == messageRequest) return requestCast(key, length);
  return message == messageOperation ? operationCast(key, length) : locationCast(key, length);
}

/** What is written of a value that is not of its field's type. */
const castNone: usize = 0;
/** What is returned instead of an address when the reference has to read it. */
const castUnknown: usize = 1;

const int32Max: u64 = 0x7fffffff;
const int64Max: u64 = 0x7fffffffffffffff;
const integerDigitsMax: usize = 19;
/** As a double: 2^63. */
const int64Limit: f64 = 9223372036854775808.0;
/** Seconds that a Duration can hold. */
const durationSecondsMax: u64 = 315_576_000_000;
const durationDigitsMax: usize = 18;
const nanosDigits: usize = 9;

function pastZeros(at: usize, end: usize): usize {
  let digits = at;
  while (digits + 1 < end && load<u8>(digits) == 0x30) digits++;
  return digits;
}

function valueOfDigits(at: usize, end: usize): u64 {
  let value: u64 = 0;
  for (let digit = at; digit < end; digit++) value = value * 10 + (load<u8>(digit) - 0x30);
  return value;
}

/** Writes a number of which `max` is the largest one. */
function writeLimited(magnitude: u64, isNegative: bool, max: u64, to: usize): usize {
  if (magnitude > max + u64(isNegative)) return castNone;
  return writeInteger(to, isNegative ? -(<i64>magnitude) : <i64>magnitude);
}

/** Writes the integer that the value is, as a number or as a text of digits. */
function castInteger(max: u64, to: usize): usize {
  let start = valueStart;
  let end = valueEnd;
  const isString = load<u8>(start) == 0x22;
  if (isString) {
    readMeant(start, end);
    start = meantStart;
    end = meantEnd;
  }
  const isNegative = load<u8>(start) == 0x2d;
  if (isInteger(start, end)) {
    const digits = pastZeros(isNegative ? start + 1 : start, end);
    if (end - digits > integerDigitsMax) return castNone;
    return writeLimited(valueOfDigits(digits, end), isNegative, max, to);
  }
  // 2e2 and 200.0 are integers, too, but only as numbers.
  const isNumber = isNegative || <u32>load<u8>(start) - 0x30 < 10;
  if (isString || !isNumber) return castNone;
  const value = doubleOf(start, end);
  if (value != value) return castUnknown;
  if (value != trunc(value) || value >= int64Limit || value <= -int64Limit) return castNone;
  return writeLimited(<u64>abs(value), value < 0, max, to);
}

/** Bytes of the white space that may be at `at`, as a RegExp has it. */
function spaceBytes(at: usize): usize {
  const byte = <u32>load<u8>(at);
  if (byte == 0x20 || byte - 9 < 5) return 1;
  if (byte < 0xc2) return 0;
  const next = <u32>load<u8>(at, 1);
  if (byte == 0xc2) return next == 0xa0 ? 2 : 0; // U+00A0
  const last = <u32>load<u8>(at, 2);
  if (byte == 0xe1) return next == 0x9a && last == 0x80 ? 3 : 0; // U+1680
  if (byte == 0xe2 && next == 0x80) {
    // U+2000 to U+200A, U+2028, U+2029, U+202F
    return last - 0x80 < 11 || last == 0xa8 || last == 0xa9 || last == 0xaf ? 3 : 0;
  }
  if (byte == 0xe2) return next == 0x81 && last == 0x9f ? 3 : 0; // U+205F
  if (byte == 0xe3) return next == 0x80 && last == 0x80 ? 3 : 0; // U+3000
  return byte == 0xef && next == 0xbb && last == 0xbf ? 3 : 0; // U+FEFF
}

function pastSpaces(at: usize, end: usize): usize {
  let position = at;
  while (position < end) {
    const bytes = spaceBytes(position);
    if (bytes == 0) break;
    position += bytes;
  }
  return position;
}

function pastDigits(at: usize, end: usize): usize {
  let position = at;
  while (position < end && <u32>load<u8>(position) - 0x30 < 10) position++;
  return position;
}

/** Writes a text of seconds, perhaps with decimals, and an `s`. */
function castDuration(to: usize): usize {
  if (load<u8>(valueStart) != 0x22) return castNone;
  readMeant(valueStart, valueEnd);
  const end = meantEnd;
  const first = pastSpaces(meantStart, end);
  const wholeEnd = pastDigits(first, end);
  if (wholeEnd == first) return castNone;
  let at = wholeEnd;
  let fraction = wholeEnd;
  if (at < end && load<u8>(at) == 0x2e) {
    fraction = at + 1;
    at = pastDigits(fraction, end);
    if (at == fraction) return castNone;
  }
  const decimals = at - fraction > nanosDigits ? nanosDigits : at - fraction;
  at = pastSpaces(at, end);
  if (at >= end || load<u8>(at) != 0x73 || pastSpaces(at + 1, end) != end) return castNone;
  const digits = pastZeros(first, wholeEnd);
  if (wholeEnd - digits > durationDigitsMax) return castNone;
  const seconds = valueOfDigits(digits, wholeEnd);
  const isMost = seconds == durationSecondsMax && valueOfDigits(fraction, fraction + decimals) > 0;
  if (seconds > durationSecondsMax || isMost) return castNone;
  let out = to;
  store<u8>(out++, 0x22);
  out = copyPadded(out, digits, wholeEnd - digits);
  if (decimals > 0) {
    store<u8>(out++, 0x2e);
    out = copyPadded(out, fraction, decimals);
  }
  store<u16>(out, 0x2273); // s"
  return out + 2;
}

/** Writes `true` or `false`, as a word or as a text. */
function castWord(to: usize): usize {
  let start = valueStart;
  let end = valueEnd;
  if (load<u8>(start) == 0x22) {
    readMeant(start, end);
    start = meantStart;
    end = meantEnd;
  }
  const word = load<u32>(start);
  const isTrue = end - start == 4 && word == 0x65757274;
  const isFalse = end - start == 5 && word == 0x736c6166 && load<u8>(start, 4) == 0x65;
  return isTrue || isFalse ? copyPadded(to, start, end - start) : castNone;
}

/** Writes the value that was read last; returns where it ends, or one of the two constants. */
function writeValue(cast: u32, to: usize): usize {
  if (cast == castString) {
    return load<u8>(valueStart) == 0x22 ? writeString(valueStart, valueEnd, to) : castNone;
  }
  if (cast == castInt32) return castInteger(int32Max, to);
  if (cast == castLatency) return castDuration(to);
  if (cast == castBool) return castWord(to);
  // 64 bits are a string in JSON.
  store<u8>(to, 0x22);
  const end = castInteger(int64Max, to + 1);
  if (end <= castUnknown) return end;
  store<u8>(end, 0x22);
  return end + 1;
}

// What `takeMessage` took: the field, and the object of what stays; 0 if there is none.
export let fieldStart: usize = 0;
export let fieldEnd: usize = 0;
export let restStart: usize = 0;
export let restEnd: usize = 0;

/** Texts that are read without their escapes are written behind what is being written. */
function castOfMember(message: u32, out: usize): u32 {
  keepScratch(out);
  readMeant(keyStart, keyEnd);
  return castOf(message, meantStart, meantEnd - meantStart);
}

/** Writes the object of the members at `brace` that the message does not know. */
function writeRest(message: u32, brace: usize): void {
  restStart = scratchEnd;
  let out = restStart;
  store<u8>(out++, 0x7b);
  for (let at = firstMember(brace); at != 0;) {
    at = readMember(at);
    if (castOfMember(message, out) != 0) continue;
    out = copyPadded(out, keyStart, keyEnd - keyStart);
    store<u8>(out++, 0x3a);
    out = copyPadded(out, valueStart, valueEnd - valueStart);
    store<u8>(out++, 0x2c);
  }
  // In place of the last comma.
  store<u8>(out - 1, 0x7d);
  restEnd = out;
  keepScratch(out);
}

/** Takes the object at `brace` apart; false if the reference has to do it. */
export function takeMessage(message: u32, brace: usize): bool {
  fieldStart = 0;
  restStart = 0;
  const to = scratchEnd;
  let out = to;
  let isRest = false;
  store<u8>(out++, 0x7b);
  for (let at = firstMember(brace); at != 0;) {
    at = readMember(at);
    const cast = castOfMember(message, out + 1);
    if (cast == 0) {
      isRest = true;
      continue;
    }
    store<u8>(out, 0x22);
    // A key that had escapes is there already.
    let value = meantEnd;
    if (meantStart != out + 1) value = copyPadded(out + 1, meantStart, meantEnd - meantStart);
    store<u16>(value, 0x3a22); // ":
    keepScratch(value + 2 + (valueEnd - valueStart) + 32);
    value = writeValue(cast, value + 2);
    if (value == castUnknown) return false;
    if (value == castNone) continue;
    store<u8>(value, 0x2c);
    out = value + 1;
  }
  if (out > to + 1) {
    // In place of the last comma.
    store<u8>(out - 1, 0x7d);
    fieldStart = to;
    fieldEnd = out;
  }
  keepScratch(out);
  if (isRest) writeRest(message, brace);
  return true;
}
