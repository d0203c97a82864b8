// Copies text as the inside of a JSON string, escaped as JSON.stringify does: the control
// characters, the quote and the backslash.
//
// Sixteen bytes are stored at the destination before they are looked at. One comparison then finds
// every byte that is not itself: as signed bytes, the control characters and everything from 0x80
// up are both "less than 0x20".
//
//     loop: copy 16 bytes; special = (byte <signed 0x20) | (byte == '"') | (byte == '\')
//           none: go on 16 bytes further
//           bytes from 0x80 up: check the block's UTF-8, then they are as good as any other;
//           where it is none, see repair.ts
//           else go on at the first special byte: a newline ends the text, the others are escaped
//
// The vectors that bytes are compared with are loaded from the area: V8 would build constants again
// for each block, which takes three instructions each.

import { backslashVector, contentBytesMax, quoteVector, spaceVector, stopLong } from './layout';
import { repairedOut, repairText } from './repair';
import { mayBeCri } from './text-lines';
import { utf8Errors } from './utf8';

/** Where `escapeText` stopped writing. */
export let escapedOut: usize = 0;

/** The letter after the backslash for \b \t \n \f \r, else 0. */
// @ts-ignore: decorator
@inline
function shortEscape(control: u32): u32 {
  if (control == 9) return 0x74;
  if (control == 10) return 0x6e;
  if (control == 13) return 0x72;
  if (control == 8) return 0x62;
  return control == 12 ? 0x66 : 0;
}

/** Writes the escape of a control character, quote or backslash; returns its length. */
// @ts-ignore: decorator
@inline
export function writeEscape(out: usize, byte: u32): usize {
  if (byte >= 0x20) {
    store<u16>(out, <u16>(0x5c | (byte << 8)));
    return 2;
  }
  const letter = shortEscape(byte);
  if (letter != 0) {
    store<u16>(out, <u16>(0x5c | (letter << 8)));
    return 2;
  }
  const low = byte & 15;
  store<u32>(out, 0x3030755c); // \u00
  store<u8>(out, <u8>(0x30 + (byte >> 4)), 4);
  store<u8>(out, <u8>(low < 10 ? 0x30 + low : 0x57 + low), 5);
  return 6;
}

/**
 * Whether a run of zeros begins at `at` that may be a hole before another line: at least 16, and
 * what looks like its header. The reference decides, in tearOf.
 */
function isTear(at: usize): bool {
  if (load<u8>(at - 1) == 0 || load<u64>(at) != 0 || load<u64>(at, 8) != 0) return false;
  let next = at + 16;
  while (load<u8>(next) == 0) next++;
  return mayBeCri(next);
}

/**
 * Copies the text at `at` up to its newline, without one carriage return before it. Returns the
 * newline's address, or a stop reason, which is smaller than any address: for a text that is long,
 * or torn if it `mayTear`. The caller has put a newline at the end of the chunk.
 */
// @ts-ignore: decorator
@inline
export function escapeText(at: usize, to: usize, area: usize, mayTear: bool = true): usize {
  const space = v128.load(area, spaceVector);
  const quote = v128.load(area, quoteVector);
  const backslash = v128.load(area, backslashVector);
  let position = at;
  let out = to;
  let last = at + contentBytesMax;
  // No sequence that is not checked yet begins before it.
  let floor = at;
  while (true) {
    const bytes = v128.load(position);
    v128.store(out, bytes);
    const quotes = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    let special = i8x16.bitmask(v128.or(i8x16.lt_s(bytes, space), quotes));
    if (special == 0) {
      position += 16;
      out += 16;
      continue;
    }
    const high = i8x16.bitmask(bytes);
    if (high != 0) {
      special &= ~high;
      // Errors past the byte that is looked at next may be those of another line.
      const looked = special == 0 ? 0xffff : (special & -special) * 2 - 1;
      if ((utf8Errors(position) & looked) != 0) {
        position = repairText(position, out, floor);
        out = repairedOut;
        floor = position;
        // A byte may have become three.
        last = at + contentBytesMax / 3;
        const next = <u32>load<u8>(position);
        if (position > last) return stopLong;
        if (next >= 0x20 && next != 0x22 && next != 0x5c) continue;
        special = 1;
      }
      if (position > last) return stopLong;
      if (special == 0) {
        // The last three bytes may begin a sequence: they are looked at again with what follows.
        position += 13;
        out += 13;
        continue;
      }
    }
    const skip = ctz(special);
    position += skip;
    out += skip;
    const byte = <u32>load<u8>(position);
    if (byte == 10) break;
    if (position > last) return stopLong;
    if (byte == 13 && load<u8>(position, 1) == 10) {
      position += 1;
      break;
    }
    position += 1;
    if (byte >= 0x20) {
      store<u16>(out, <u16>(0x5c | (byte << 8)));
      out += 2;
      continue;
    }
    if (mayTear && byte == 0 && isTear(position - 1)) return stopLong;
    out += writeEscape(out, byte);
  }
  escapedOut = out;
  return position <= last ? position : stopLong;
}
