// Joins the partial lines of one record, where all of them follow each other in the chunk: their
// content is put together in the stream's join, and is then encoded like that of one line.
//
// The invariant: what was begun and could not be finished leaves no trace, so the reference may
// join the same lines again.

import { headerStream, headerTimeEnd, parseHeader } from './header';
import { contentBytesMax, joinStarts, stopLong, stopTag } from './layout';

/** `P` and a space. */
const partialTag: u16 = 0x2050;

// The record that was joined last.
/** Its content, which a newline ends. */
export let joinedContent: usize = 0;
export let joinedLines: u32 = 0;
/** The address of its last line. */
export let joinedLast: usize = 0;

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
 * Joins the lines from the partial one at `line` on, whose header was parsed last, and parses it
 * again. Returns the newline of the record's last line; 0 if it does not come before `end`, is not
 * the next one of the stream, or has to be looked at by the reference.
 */
export function joinLines(line: usize, end: usize, area: usize): usize {
  const stream = headerStream;
  const start = <usize>load<u32>(area + <usize>(stream << 2), joinStarts);
  let to = start;
  let at = line;
  let content = line;
  let count: u32 = 0;
  while (content == line || content == stopTag) {
    // A partial line.
    if (load<u16>(headerTimeEnd, 8) != partialTag) return 0;
    const part = headerTimeEnd + 10;
    const newline = copyUpToNewline(part, to);
    if (newline == 0 || newline + 1 >= end) return 0;
    to += newline - part;
    if (to - start > <usize>contentBytesMax) return 0;
    count++;
    at = newline + 1;
    content = parseHeader(at, area);
    if ((content <= <usize>stopLong && content != stopTag) || headerStream != stream) return 0;
  }
  const newline = copyUpToNewline(content, to);
  if (newline == 0 || newline >= end) return 0;
  const length = newline - content;
  // A return before the newline is dropped; one at the end of a partial line is content.
  if (length == 0 && load<u8>(to - 1) == 13) return 0;
  joinedContent = start;
  joinedLines = count + 1;
  joinedLast = at;
  parseHeader(line, area);
  return newline;
}
