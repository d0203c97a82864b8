// The inside of JSON strings. The fast path is one load and one branch for each 16 bytes.

import { utf8Errors } from './utf8';

/**
 * What `stringEnd` returns instead of an address: no JSON, or something that the reference has to
 * repair.
 */
export const stringInvalid: usize = 0;
export const stringHandedBack: usize = 1;

/**
 * Bits: 1, strings since the last reset had escapes; 2, escapes that JSON.stringify would write
 * otherwise.
 */
export let stringEscapes: u32 = 0;

export function resetStringEscapes(): void {
  stringEscapes = 0;
}

/** The value of four hexadecimal digits, or -1. */
export function hexUnit(at: usize): i32 {
  let unit = 0;
  for (let index = 0; index < 4; index++) {
    const byte = <i32>load<u8>(at + index);
    let digit = byte - 0x30;
    if (<u32>digit > 9) {
      digit = (byte | 0x20) - 0x57;
      if (<u32>(digit - 10) > 5) return -1;
    }
    unit = (unit << 4) | digit;
  }
  return unit;
}

/** Past the escape at `at`, or one of the constants. */
function pastEscape(at: usize): usize {
  const byte = <u32>load<u8>(at, 1);
  // " \ b f n r t
  const isShort =
    byte == 0x22 ||
    byte == 0x5c ||
    byte == 0x6e ||
    byte == 0x74 ||
    byte == 0x72 ||
    byte == 0x62 ||
    byte == 0x66;
  stringEscapes |= isShort ? 1 : 3;
  if (isShort || byte == 0x2f) return at + 2;
  if (byte != 0x75) return stringInvalid;
  const unit = hexUnit(at + 2);
  if (unit < 0) return stringInvalid;
  if ((unit & 0xf800) != 0xd800) return at + 6;
  // Half a surrogate pair is no text; but what follows it may still make the line no JSON.
  if (unit >= 0xdc00 || load<u16>(at, 6) != 0x755c) return stringHandedBack;
  return (hexUnit(at + 8) & 0xfffffc00) == 0xdc00 ? at + 12 : stringHandedBack;
}

/**
 * The address of the quote that ends the string whose first byte is at `at`, or one of the
 * constants. The vectors are those of the area, loaded by the caller.
 */
// @ts-ignore: decorator
@inline
export function stringEnd(at: usize, space: v128, quote: v128, backslash: v128): usize {
  let position = at;
  while (true) {
    const bytes = v128.load(position);
    const quotes = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    let special = i8x16.bitmask(v128.or(i8x16.lt_s(bytes, space), quotes));
    if (special == 0) {
      position += 16;
      continue;
    }
    const high = i8x16.bitmask(bytes);
    if (high != 0) {
      special &= ~high;
      const looked = special == 0 ? 0xffff : (special & -special) * 2 - 1;
      if ((utf8Errors(position) & looked) != 0) return stringHandedBack;
      if (special == 0) {
        // The last three bytes may begin a sequence: they are looked at again with what follows.
        position += 13;
        continue;
      }
    }
    position += ctz(special);
    const byte = <u32>load<u8>(position);
    if (byte == 0x22) return position;
    if (byte < 0x20) return stringInvalid;
    position = pastEscape(position);
    if (position <= stringHandedBack) return position;
  }
}

/** Past the closing quote of the valid string whose first byte is at `at`. */
export function pastString(at: usize): usize {
  let position = at;
  while (true) {
    const bytes = v128.load(position);
    const found = i8x16.bitmask(
      v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
    );
    if (found == 0) {
      position += 16;
      continue;
    }
    position += ctz(found);
    if (load<u8>(position) == 0x22) return position + 1;
    position += 2;
  }
}

/** Past the JSON white space at `at`; a newline ends the line, so it counts as none. */
// @ts-ignore: decorator
@inline
export function pastSpace(at: usize): usize {
  let position = at;
  let byte = <u32>load<u8>(position);
  while (byte == 0x20 || byte == 9 || byte == 13) byte = <u32>load<u8>(++position);
  return position;
}
