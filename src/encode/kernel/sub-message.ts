// The fields of an entry that are messages: httpRequest, operation and sourceLocation. The kernel
// takes an object of known members, each of its field's type and spelled as the entry spells it,
// with any white space between them. All others are handed back to the reference (sub-message.ts of
// the entries).
//
// Both functions walk over JSON that was found valid and has no escape.

import { copyPadded } from './envelope';
import { pastSpace } from './json';
import { pastPlainString } from './json-string';

export const messageRequest: u32 = 0;
export const messageOperation: u32 = 1;
export const messageLocation: u32 = 2;

/** How a member is written; 0 if the message has no such member. */
const castString: u32 = 1;
const castInt32: u32 = 2;
const castInt64: u32 = 3;
const castBool: u32 = 4;
const castLatency: u32 = 5;

/** Longer numbers may be no int32, int64 or Duration. */
const int32Digits: usize = 9;
const int64Digits: usize = 18;
const secondsDigits: usize = 11;
const nanosDigits: usize = 9;

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
  return 0;
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

/** Past the digits at `at`, at most `digitsMax` and no zero before others; 0 if they are not so. */
function pastInteger(at: usize, digitsMax: usize): usize {
  let end = at;
  while (<u32>load<u8>(end) - 0x30 < 10) end++;
  if (end == at || end - at > digitsMax) return 0;
  return load<u8>(at) == 0x30 && end - at > 1 ? 0 : end;
}

/** Past the number at `at`, when it is an integer. */
function pastWhole(at: usize, digitsMax: usize): usize {
  const end = pastInteger(at, digitsMax);
  const next = <u32>load<u8>(end);
  return end == 0 || next == 0x2e || (next | 0x20) == 0x65 ? 0 : end;
}

/** Past the latency at `at`, past its quote: `0.012s"`. */
function pastLatency(at: usize): usize {
  let end = pastInteger(at, secondsDigits);
  if (end == 0) return 0;
  if (load<u8>(end) == 0x2e) {
    const fraction = ++end;
    while (<u32>load<u8>(end) - 0x30 < 10) end++;
    if (end - fraction - 1 >= nanosDigits) return 0;
  }
  return load<u16>(end) == 0x2273 ? end + 2 : 0; // s"
}

/** Past the value at `at`, or 0 if the entry does not write it so. */
function pastValue(at: usize, cast: u32): usize {
  const isString = load<u8>(at) == 0x22;
  if (cast == castString) return isString ? pastPlainString(at + 1) : 0;
  if (cast == castInt32) return pastWhole(at, int32Digits);
  if (cast == castInt64) {
    if (!isString) return pastWhole(at, int64Digits);
    const end = pastInteger(at + 1, int64Digits);
    return end != 0 && load<u8>(end) == 0x22 ? end + 1 : 0;
  }
  if (cast == castLatency) return isString ? pastLatency(at + 1) : 0;
  const word = load<u32>(at);
  return word == 0x65757274 ? at + 4 : word == 0x736c6166 ? at + 5 : 0; // true, fals
}

/** Whether [start, end) is an object without members. */
export function isEmptyMessage(start: usize, end: usize): bool {
  const at = pastSpace(start + 1);
  return load<u8>(start) == 0x7b && load<u8>(at) == 0x7d && at + 1 == end;
}

/** Whether the kernel may write the value [start, end) as the message. */
export function isPlainMessage(message: u32, start: usize, end: usize): bool {
  if (load<u8>(start) != 0x7b) return false;
  let at = pastSpace(start + 1);
  while (true) {
    const key = at + 1;
    at = pastPlainString(key);
    const cast = castOf(message, key, at - 1 - key);
    if (cast == 0) return false;
    at = pastValue(pastSpace(pastSpace(at) + 1), cast);
    if (at == 0) return false;
    at = pastSpace(at);
    if (load<u8>(at) != 0x2c) return at + 1 == end;
    at = pastSpace(at + 1);
  }
}

/** Writes the object at `start`, for which `isPlainMessage` holds. */
export function writeMessage(message: u32, start: usize, to: usize): usize {
  let out = to;
  let at = pastSpace(start + 1);
  store<u8>(out++, 0x7b);
  while (true) {
    const key = at + 1;
    at = pastPlainString(key);
    const cast = castOf(message, key, at - 1 - key);
    out = copyPadded(out, key - 1, at - key + 1);
    store<u8>(out++, 0x3a);
    const value = pastSpace(pastSpace(at) + 1);
    at = pastValue(value, cast);
    // 64 bits are a string in JSON.
    const isBare = cast == castInt64 && load<u8>(value) != 0x22;
    if (isBare) store<u8>(out++, 0x22);
    out = copyPadded(out, value, at - value);
    if (isBare) store<u8>(out++, 0x22);
    at = pastSpace(at);
    if (load<u8>(at) != 0x2c) break;
    store<u8>(out++, 0x2c);
    at = pastSpace(at + 1);
  }
  store<u8>(out, 0x7d);
  return out + 1;
}
