// Copying text as the inside of a JSON string, escaped as JSON.stringify does: the control characters, the quote and the backslash.
//
// Sixteen bytes are stored at the destination before they are looked at. One comparison then finds every byte that is not itself:
// as signed bytes, the control characters and everything from 0x80 up are both "less than 0x20".
//
//     loop: copy 16 bytes; mask = (byte <signed 0x20) | (byte == '"') | (byte == '\')
//           mask empty: go on 16 bytes further
//           else go on at the first such byte: newline ends the text, quotes, backslashes and controls are escaped, UTF-8 is checked

import { contentBytesMax, stopLong, stopUtf8 } from './layout';

/** Where `escapeText` stopped writing. */
export let escapedOut: usize = 0;

/** Bytes of the well-formed UTF-8 sequence at `at` whose first byte is `first` (from 0x80 up); 0 if it is not well-formed. */
// @ts-ignore: decorator
@inline
export function sequenceBytes(at: usize, first: u32): usize {
  const word = load<u32>(at);
  if (first < 0xe0) return first >= 0xc2 && (word & 0xc000) == 0x8000 ? 2 : 0;
  if (first < 0xf0) {
    if ((word & 0xc0c000) != 0x808000) return 0;
    // The second byte of E0 starts at A0 (shorter forms exist below), that of ED ends at 9F (surrogates above).
    const high = word & 0x20ff;
    return high != 0x00e0 && high != 0x20ed ? 3 : 0;
  }
  if ((word & 0xc0c0c000) != 0x80808000) return 0;
  const second = (word >> 8) & 0xff;
  const valid = (first == 0xf0 && second >= 0x90) || (first > 0xf0 && first < 0xf4) || (first == 0xf4 && second < 0x90);
  return valid ? 4 : 0;
}

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
 * Copies the text at `at` up to its newline, without one carriage return before it. Returns the newline's address, or a stop
 * reason, which is smaller than any address. The caller has put a newline at the end of the chunk.
 */
// @ts-ignore: decorator
@inline
export function escapeText(at: usize, to: usize): usize {
  let position = at;
  let out = to;
  const last = at + contentBytesMax;
  while (true) {
    const bytes = v128.load(position);
    v128.store(out, bytes);
    const special = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.lt_s(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(0x22))),
        i8x16.eq(bytes, i8x16.splat(0x5c)),
      ),
    );
    if (special == 0) {
      position += 16;
      out += 16;
      continue;
    }
    const skip = ctz(special);
    position += skip;
    out += skip;
    const byte = <u32>load<u8>(position);
    if (byte == 10) break;
    if (position > last) return stopLong;
    if (byte < 0x80) {
      if (byte == 13 && load<u8>(position, 1) == 10) {
        position += 1;
        break;
      }
      out += writeEscape(out, byte);
      position += 1;
      continue;
    }
    let first = byte;
    do {
      const length = sequenceBytes(position, first);
      if (length == 0) return stopUtf8;
      store<u32>(out, load<u32>(position));
      position += length;
      out += length;
      first = <u32>load<u8>(position);
    } while (first >= 0x80);
  }
  escapedOut = out;
  return position <= last ? position : stopLong;
}
