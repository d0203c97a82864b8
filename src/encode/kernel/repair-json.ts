// Repairs a JSON line that could not be sent as it is (json/object-scan.ts): bytes that are no
// UTF-8 and halves of surrogate pairs become U+FFFD, numbers that no double holds become strings.
//
// The invariant: whether it is JSON does not depend on what was repaired.

import { newlineAfter } from './double-keys';
import { hugeEnd, pastScalar, valueHuge, valueInvalid } from './json-number';
import { hexUnit, pastSpace } from './json-string';
import { repairedLine, wholeContentMax } from './layout';
import { sequenceBytes } from './repair';

/** What `repairJson` returns instead of an address. */
export const repairInvalid: usize = 0;
export const repairTooLong: usize = 1;

/** Bytes of the line that was repaired last were no UTF-8. */
export let isTextRepaired: bool = false;

let from: usize = 0;
let out: usize = 0;

// @ts-ignore: decorator
@inline
function copyBytes(count: usize): void {
  for (let end = from + count; from < end; from++) store<u8>(out++, load<u8>(from));
}

/** Copies a character, or what is in place of one. */
function copyCharacter(): void {
  const bytes = sequenceBytes(from);
  if (bytes > 0) {
    copyBytes(<usize>bytes);
    return;
  }
  isTextRepaired = true;
  store<u32>(out, 0xbdbfef); // U+FFFD
  out += 3;
  from += <usize>-bytes;
}

function copyEscape(): void {
  const unit = load<u8>(from, 1) == 0x75 ? hexUnit(from + 2) : 0;
  if (load<u8>(from, 1) == 10) {
    copyBytes(1);
  } else if (unit < 0 || (unit & 0xf800) != 0xd800) {
    copyBytes(2);
  } else if (
    unit < 0xdc00 &&
    load<u16>(from, 6) == 0x755c &&
    (hexUnit(from + 8) & 0xfffffc00) == 0xdc00
  ) {
    copyBytes(12);
  } else {
    store<u32>(out, 0x6666755c); // \uff
    store<u16>(out, 0x6466, 4); // fd
    out += 6;
    from += 6;
  }
}

/** Copies the string that begins at a quote, or what there is of it. */
function copyString(): void {
  copyBytes(1);
  while (true) {
    const bytes = v128.load(from);
    v128.store(out, bytes);
    const quotes = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
    const found = i8x16.bitmask(v128.or(i8x16.lt_s(bytes, i8x16.splat(0x20)), quotes));
    const skip: usize = found == 0 ? 16 : ctz(found);
    from += skip;
    out += skip;
    if (found == 0) continue;
    const byte = <u32>load<u8>(from);
    if (byte == 10) return;
    if (byte == 0x5c) copyEscape();
    else copyCharacter();
    if (byte == 0x22) return;
  }
}

/** Copies the number at `from`; false if it is none, or is where a key should be. */
function copyNumber(): bool {
  const end = pastScalar(from);
  if (end > valueHuge) {
    copyBytes(end - from);
    return true;
  }
  if (end == valueInvalid || load<u8>(pastSpace(hugeEnd)) == 0x3a) return false;
  store<u8>(out++, 0x22);
  copyBytes(hugeEnd - from);
  store<u8>(out++, 0x22);
  return true;
}

/**
 * Copies the line from its brace at `brace` on, with its newline; returns where the copy is, or
 * one of the two constants.
 */
export function repairJson(brace: usize, area: usize): usize {
  if (newlineAfter(brace) - brace > <usize>wholeContentMax) return repairTooLong;
  const copy = area + repairedLine;
  from = brace;
  out = copy;
  isTextRepaired = false;
  while (true) {
    const byte = <u32>load<u8>(from);
    if (byte == 10) break;
    if (byte == 0x22) copyString();
    else if (byte != 0x2d && byte - 0x30 > 9) copyCharacter();
    else if (!copyNumber()) return repairInvalid;
  }
  store<u8>(out, 10);
  return copy;
}
