// The members after an entry's payload, and the copying of templates. Templates are padded, so
// every copy runs in steps of 16 bytes and writes past its end; the next write covers that.

import {
  base36Pairs,
  severityAndIdBytes,
  severityAndIdLengths,
  severityAndIdTemplates,
  tail,
  textHead,
} from './layout';

/** Copies `length` bytes rounded up to 16; returns one past the last byte that counts. */
// @ts-ignore: decorator
@inline
export function copyPadded(to: usize, from: usize, length: usize): usize {
  let done: usize = 0;
  do {
    v128.store(to + done, v128.load(from + done));
    done += 16;
  } while (done < length);
  return to + length;
}

/** Copies a template of the area: its address and length are at `slot`. */
// @ts-ignore: decorator
@inline
export function copyTemplate(to: usize, slot: usize): usize {
  return copyPadded(to, <usize>load<u32>(slot), <usize>load<u32>(slot, 4));
}

export const entryEndBytes: usize = 3; // '},\n'

// @ts-ignore: decorator
@inline
export function writeEntryEnd(out: usize): usize {
  store<u32>(out, 0x0a2c7d); // },\n
  return out + entryEndBytes;
}

/** Begins the entry of a text. */
// @ts-ignore: decorator
@inline
export function writeTextHead(to: usize, stream: u32, area: usize): usize {
  return copyTemplate(to, area + textHead + <usize>(stream << 3));
}

/** Fills the table of the 1296 pairs of base 36 digits. */
export function writeBase36Pairs(area: usize): void {
  for (let pair: u32 = 0; pair < 1296; pair++) {
    const high = pair / 36;
    const low = pair % 36;
    const at = area + base36Pairs + <usize>(pair << 1);
    store<u8>(at, <u8>(high < 10 ? 0x30 + high : 0x57 + high));
    store<u8>(at, <u8>(low < 10 ? 0x30 + low : 0x57 + low), 1);
  }
}

/** Four base 36 digits of a number below 36^4. */
// @ts-ignore: decorator
@inline
function writeFourDigits(to: usize, value: u32, area: usize): void {
  store<u16>(to, load<u16>(area + <usize>((value / 1296) << 1), base36Pairs));
  store<u16>(to, load<u16>(area + <usize>((value % 1296) << 1), base36Pairs), 2);
}

/** Eight base 36 digits: offsets up to 2.8 TB, as the reference pads them. */
// @ts-ignore: decorator
@inline
export function writeOffset(to: usize, offset: u64, area: usize): usize {
  const high = <u32>(offset / 1679616);
  writeFourDigits(to, high, area);
  writeFourDigits(to + 4, <u32>(offset - <u64>high * 1679616), area);
  return to + 8;
}

/** What the id of a record of `bytes` bytes has at its end if it may not be whole. */
export function writeLength(to: usize, bytes: usize): usize {
  let digits = 1;
  for (let rest = bytes / 36; rest != 0; rest /= 36) digits++;
  store<u8>(to, 0x70); // p
  let rest = bytes;
  for (let at = to + digits; at > to; at--) {
    const digit = rest % 36;
    store<u8>(at, <u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
    rest /= 36;
  }
  return to + 1 + digits;
}

/**
 * Ends the payload with `closer` and writes everything after it: timestamp, severity, insertId and
 * the source's labels, and the comma and newline between entries. `severity` is an index of the
 * severity table, 0 is DEFAULT.
 */
// @ts-ignore: decorator
@inline
export function writeEnvelope(
  to: usize,
  closer: u8,
  time: usize,
  timeEnd: usize,
  severity: u32,
  offset: u64,
  area: usize,
): usize {
  let out = writeMeta(to, closer, time, timeEnd, severity, offset, area);
  return copyTemplate(out, area + tail);
}

/** `writeEnvelope` up to the insertId's last character, without its quote. */
// @ts-ignore: decorator
@inline
export function writeMeta(
  to: usize,
  closer: u8,
  time: usize,
  timeEnd: usize,
  severity: u32,
  offset: u64,
  area: usize,
): usize {
  store<u8>(to, closer);
  store<u64>(to, 0x7473656d6974222c, 1); // ,"timest
  store<u64>(to, 0x0000223a22706d61, 9); // amp":"
  let out = to + 15;
  v128.store(out, v128.load(time));
  v128.store(out, v128.load(time, 16), 16);
  store<u32>(out, load<u32>(time, 32), 32);
  out += timeEnd - time;
  const template = area + severityAndIdTemplates + <usize>(severity * severityAndIdBytes);
  v128.store(out, v128.load(template));
  v128.store(out, v128.load(template, 16), 16);
  v128.store(out, v128.load(template, 32), 32);
  v128.store(out, v128.load(template, 48), 48);
  out += <usize>load<u32>(area + <usize>(severity << 2), severityAndIdLengths);
  return writeOffset(out, offset, area);
}
