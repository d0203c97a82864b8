// How many bytes an entry has as protobuf (entries/entry-size.ts), where that decides whether the
// API takes it. The invariant: the figures are those of the reference.
//
// All functions walk over JSON that was found valid.

import { hexUnit } from './json-string';
import {
  entryBytesMax,
  entryFieldsBytesMax,
  entryFixedBytes,
  large,
  largeEntryEnd,
  largeExcess,
  largeIdEnd,
  largePayloadEnd,
  largePayloadStart,
  largeRoom,
  largeSize,
  largeStrings,
  longStringBytes,
  longStrings,
  sizeMembers,
  sizeStack,
  sizeStrings,
  sizeText,
  stringBytesKept,
} from './layout';

/** What `judgeSize` says of an entry, if not `sizeText` and the like. */
export const sizeFits: u32 = 0;
/** The reference has to say. */
export const sizeUnknown: u32 = 4;

/** Of the members that were measured last: strings that may be shortened, and what that saves. */
let stringCount: u32 = 0;
let bytesSaved: u32 = 0;

/** Tag, length, and `bytes` of content. */
// @ts-ignore: decorator
@inline
function fieldBytes(bytes: u32): u32 {
  return 2 + u32(bytes > 127) + u32(bytes > 16_383) + u32(bytes > 2_097_151) + bytes;
}

/** Bytes of UTF-8 that the escape at `at` means beyond or, below zero, short of those it has. */
function escapeGrowth(at: usize): i32 {
  if (load<u8>(at, 1) != 0x75) return -1;
  const unit = hexUnit(at + 2);
  if (unit < 0x80) return -5;
  if (unit < 0x800) return -4;
  // Each half of a pair is half of four bytes.
  return (unit & 0xf800) == 0xd800 ? -4 : -3;
}

/** Of the string that `pastString` read last: the bytes that it means. */
let meantBytes: u32 = 0;

/** Past the closing quote of the string whose first byte is at `at`. */
function pastString(at: usize): usize {
  let position = at;
  let growth = 0;
  while (true) {
    const bytes = v128.load(position);
    const quotes = i8x16.eq(bytes, i8x16.splat(0x22));
    const found = i8x16.bitmask(v128.or(quotes, i8x16.eq(bytes, i8x16.splat(0x5c))));
    if (found == 0) {
      position += 16;
      continue;
    }
    position += ctz(found);
    if (load<u8>(position) == 0x22) break;
    growth += escapeGrowth(position);
    position += load<u8>(position, 1) == 0x75 ? 6 : 2;
  }
  meantBytes = <u32>(<i32>(position - at) + growth);
  return position + 1;
}

/** Notes the string value [start, end), quotes included, that was read last. */
function noteString(start: usize, end: usize, area: usize): void {
  if (meantBytes <= <u32>stringBytesKept) return;
  bytesSaved += meantBytes - stringBytesKept;
  const at = area + longStrings + <usize>stringCount * longStringBytes;
  store<u32>(at, <u32>start);
  store<u32>(at, <u32>end, 4);
  store<u32>(at, meantBytes, 8);
  stringCount++;
}

/** Past the number or word at `at`. */
// @ts-ignore: decorator
@inline
function pastBare(at: usize): usize {
  let position = at;
  let byte: u32 = 0;
  do {
    byte = <u32>load<u8>(++position);
  } while (byte > 0x20 && byte != 0x2c && byte != 0x7d && byte != 0x5d);
  return position;
}

/** Bytes of the members [from, end) of an object as a Struct. */
function measureMembers(from: usize, end: usize, area: usize): u32 {
  // A bit per container that is open, 1 for objects; the innermost is the lowest.
  let containers: u64 = 1;
  let outer = area + sizeStack;
  let bytes: u32 = 0;
  let keyBytes: u32 = 0;
  let isKey = true;
  let at = from;
  stringCount = 0;
  bytesSaved = 0;
  while (at < end) {
    const byte = <u32>load<u8>(at);
    let value: u32 = 0;
    if (byte <= 0x20 || byte == 0x3a || byte == 0x2c) {
      if (byte == 0x2c) isKey = (containers & 1) != 0;
      at++;
      continue;
    }
    if (byte == 0x22) {
      const start = at;
      at = pastString(at + 1);
      if (isKey) {
        keyBytes = meantBytes;
        isKey = false;
        continue;
      }
      noteString(start, at, area);
      value = fieldBytes(meantBytes);
    } else if (byte == 0x7b || byte == 0x5b) {
      store<u32>(outer, bytes);
      store<u32>(outer, keyBytes, 4);
      outer += 8;
      bytes = 0;
      isKey = byte == 0x7b;
      containers = (containers << 1) | <u64>isKey;
      at++;
      continue;
    } else if (byte == 0x7d || byte == 0x5d) {
      value = fieldBytes(bytes);
      outer -= 8;
      bytes = load<u32>(outer);
      keyBytes = load<u32>(outer, 4);
      containers >>= 1;
      isKey = false;
      at++;
    } else {
      at = pastBare(at);
      value = byte == 0x2d || byte - 0x30 < 10 ? 9 : 2;
    }
    value = fieldBytes(value);
    bytes += (containers & 1) != 0 ? fieldBytes(fieldBytes(keyBytes) + value) : value;
  }
  return bytes;
}

/** Bytes of `"labels":{}`. */
const noLabelsBytes: u32 = 14;
/** Bytes of `"traceSampled":true`, which is no part of what is shortened. */
const sampledBytes: u32 = 20;

/** Bytes of the members after the insertId, whose last character is before `idEnd`. */
function measureFields(idEnd: usize, entryEnd: usize, isSampled: bool, area: usize): u32 {
  const start = idEnd + 2; // ",
  const end = entryEnd - 3; // },\n
  if (start > end) return noLabelsBytes;
  const bytes = measureMembers(start, end, area) - (isSampled ? sampledBytes : 0);
  return load<u64>(start) == 0x22736c6562616c22 ? bytes : bytes + noLabelsBytes; // "labels"
}

/** What the content of a text payload means, in bytes: it is followed by a quote. */
function measureText(start: usize): u32 {
  pastString(start);
  return meantBytes;
}

/**
 * Whether the entry fits whose payload is [start, end) without braces or quotes, whose insertId
 * ends before `idEnd`, and which ends at `entryEnd`. If not, the area says by how much.
 */
export function judgeSize(
  isText: bool,
  start: usize,
  end: usize,
  idEnd: usize,
  entryEnd: usize,
  isSampled: bool,
  area: usize,
): u32 {
  const fields = measureFields(idEnd, entryEnd, isSampled, area);
  const room = <i32>entryBytesMax - load<i32>(area, entryFixedBytes) - <i32>fields;
  const bytes = isText ? measureText(start) : measureMembers(start, end, area);
  if (<i32>fieldBytes(bytes) <= room) return sizeFits;
  if (fields > <u32>entryFieldsBytesMax) return sizeUnknown;
  const excess = <i32>bytes - room;
  // As much as its tag and length more, which are not counted any more when it is shortened.
  if (excess <= 0) return sizeFits;
  const record = area + large;
  store<u32>(record, <u32>room, largeRoom);
  store<u32>(record, <u32>excess, largeExcess);
  store<u32>(record, stringCount, largeStrings);
  store<u32>(record, <u32>start, largePayloadStart);
  store<u32>(record, <u32>end, largePayloadEnd);
  store<u32>(record, <u32>idEnd, largeIdEnd);
  store<u32>(record, <u32>entryEnd, largeEntryEnd);
  let size: u32 = bytesSaved < <u32>excess ? sizeMembers : sizeStrings;
  if (isText) size = sizeText;
  store<u32>(record, size, largeSize);
  return size;
}
