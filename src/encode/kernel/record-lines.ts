// Reads the records of one stream: partial lines are put together in the stream's join, and lines
// of the other stream are passed over.
//
// The invariant: what was read leaves no trace, so the same lines may be read again, also by the
// reference.

import { newlineAfter } from './double-keys';
import { headerStream, headerTimeEnd, parseHeader } from './header';
import { contentBytesMax, joinStarts, stopLong, stopTag } from './layout';

/** What `readRecord` returns instead of an address: the end is not there, or is the reference's. */
export const recordOpen: usize = 0;
export const recordUnknown: usize = 1;

// The record that was read last: its first and its last line, the newline at its end, and how many
// lines it has.
export let recordFirst: usize = 0;
export let recordLast: usize = 0;
export let recordNewline: usize = 0;
export let recordLines: u32 = 0;
/** Lines of the other stream are between the lines that were read since `beginRecords`. */
export let isScattered: bool = false;

/** Where the next content is put together. */
let joinEnd: usize = 0;

/** `P` and a space. */
const partialTag: u16 = 0x2050;
/** More than any header with a valid time. */
const headerBytesMax: usize = 128;
/** Loads and stores run past a content's end. */
const paddingBytes: usize = 32;

/** Begins to read records of a stream. */
export function beginRecords(stream: u32, area: usize): void {
  joinEnd = <usize>load<u32>(area + <usize>(stream << 2), joinStarts);
  isScattered = false;
}

/**
 * Copies the bytes from `from` up to a newline; returns its address, 0 if there is none in the
 * first `contentBytesMax`.
 */
function copyUpToNewline(from: usize, to: usize): usize {
  const last = from + contentBytesMax;
  let at = from;
  let out = to;
  while (at <= last) {
    const bytes = v128.load(at);
    v128.store(out, bytes);
    const newlines = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(10)));
    if (newlines != 0) return at + ctz(newlines);
    at += 16;
    out += 16;
  }
  return 0;
}

/**
 * Reads the next record of the stream from the line at `from` on. Returns the address of its
 * content, which a newline ends, or one of the two constants. With `isKept`, later records do not
 * overwrite it.
 */
export function readRecord(from: usize, stream: u32, end: usize, isKept: bool, area: usize): usize {
  let at = from;
  const start = joinEnd;
  let out = start;
  recordLines = 0;
  while (at < end) {
    const content = parseHeader(at, area);
    const isPartial = content == stopTag;
    if (content <= <usize>stopLong && !isPartial) {
      return at + headerBytesMax > end ? recordOpen : recordUnknown;
    }
    if (headerStream != stream) {
      isScattered = true;
      at = newlineAfter(at) + 1;
      continue;
    }
    const part = headerTimeEnd + 10;
    if (part > end) return recordOpen;
    if (isPartial && load<u16>(headerTimeEnd, 8) != partialTag) return recordUnknown;
    if (recordLines == 0) recordFirst = at;
    recordLast = at;
    if (++recordLines == 1 && !isPartial) {
      recordNewline = newlineAfter(part);
      return recordNewline < end ? part : recordOpen;
    }
    const newline = copyUpToNewline(part, out);
    if (newline == 0) return recordUnknown;
    if (newline >= end) return recordOpen;
    out += newline - part;
    if (out - start > <usize>contentBytesMax) return recordUnknown;
    at = newline + 1;
    if (isPartial) continue;
    // A return before the newline is dropped; one at the end of a partial line is content.
    if (newline == part && out > start && load<u8>(out - 1) == 13) return recordUnknown;
    recordNewline = newline;
    if (isKept) joinEnd = out + paddingBytes;
    return start;
  }
  return recordOpen;
}
