// The kernel: CRI lines in, LogEntries out, one pass over the bytes of a chunk.
//
// It encodes the common lines and hands back the rest, with a position and a reason, to the
// reference encoder (log-entry.ts), which is the specification: both write the same bytes. It never
// allocates and has no static data: all that can change is in the area or in globals, which every
// instance has for itself.

import { writeBase36Pairs, writeEnvelope, writeTextHead } from './envelope';
import { beginTimes, headerStream, headerTimeEnd, parseHeader, zoneEnd } from './header';
import { encodeKlogLine } from './klog-line';
import { joinedContent, joinedLast, joinedLines, joinLines } from './joined-lines';
import {
  backslashVector,
  labelRoom,
  quoteVector,
  joinsTraces,
  resultEntries,
  resultLastLine,
  resultLines,
  resultOut,
  resultPosition,
  severityCounts,
  spaceVector,
  stopDone,
  stopFull,
  stopIncomplete,
  stopJson,
  stopKlog,
  stopLarge,
  stopLong,
  stopOpenTrace,
  stopTag,
  stopTrace,
} from './layout';
import { setReadingNanos } from './event-time';
import { pastSpace } from './json-string';
import { setLabelRoom } from './labels';
import { clearKeys, seedKeys } from './key-table';
import { prepareNumbers } from './numbers';
import { forgetShapes } from './shapes';
import {
  encodeJsonLine,
  structuredOut,
  structuredSeverity,
  structureHandedBack,
  structureNone,
  takeLargeJudged,
} from './structured-line';
import { escapedOut, escapeText } from './text';
import { isEmptyAgain, mayBeCri, pastText } from './text-lines';
import { mayBeginTrace } from './trace-words';
import { encodeTrace, traceLast, traceLines, traceNone } from './traces';

let area: usize = 0;

/** Severity indexes of plain text by stream: INFO, ERROR. */
const streamSeverities: u32 = 0x0502;

/** Prepares the area; once per instance, before anything else. */
export function prepare(areaAddress: usize): void {
  area = areaAddress;
  writeBase36Pairs(area);
  clearKeys(area);
  seedKeys(area);
  prepareNumbers(area);
  v128.store(area, i8x16.splat(0x20), spaceVector);
  v128.store(area, i8x16.splat(0x22), quoteVector);
  v128.store(area, i8x16.splat(0x5c), backslashVector);
}

/**
 * Begins a new source: what was learned of the last one's lines is forgotten. `limit` and `nanos`
 * are the instant after which a time is too far ahead.
 */
export function beginSource(limit: f64, nanos: u32): void {
  beginTimes(<i64>limit, area);
  setReadingNanos(nanos);
  setLabelRoom(load<i32>(area, labelRoom));
  forgetShapes();
}

// @ts-ignore: decorator
@inline
function areFourDigits(at: usize): bool {
  const digits = load<u32>(at);
  return (((digits + 0x46464646) | (digits - 0x30303030)) & 0x80808080) == 0;
}

/**
 * One past the date of the klog header that may begin at `at`: a letter, four digits or eight, and
 * the space after them. 0 if there is none.
 */
// @ts-ignore: decorator
@inline
function klogDateEnd(at: usize): usize {
  if (load<u8>(at, 5) == 0x20) return areFourDigits(at + 1) ? at + 5 : 0;
  if (load<u8>(at, 9) != 0x20) return 0;
  return areFourDigits(at + 1) && areFourDigits(at + 5) ? at + 9 : 0;
}

/**
 * Encodes the line at `line` as JSON or klog, if its content looks like one of them. Returns the
 * address of its newline, or one of the two constants.
 */
// @ts-ignore: decorator
@inline
function encodeStructured(
  line: usize,
  timeEnd: usize,
  content: usize,
  stream: u32,
  streamSeverity: u32,
  offset: u64,
  out: usize,
): usize {
  const first = pastSpace(content);
  if (load<u8>(first) == 0x7b) {
    return encodeJsonLine(line, timeEnd, content, first, stream, streamSeverity, offset, out, area);
  }
  const dateEnd = klogDateEnd(content);
  if (dateEnd == 0) return structureNone;
  return encodeKlogLine(line, timeEnd, content, dateEnd, stream, offset, out, area);
}

/** The newline that ends a record whose lines were joined; 0 for a line. */
let joinedEnd: usize = 0;

/** The content of the line or the lines at `line`, or a stop reason. */
// @ts-ignore: decorator
@inline
function findContent(line: usize, end: usize, held: u32): usize {
  const content = parseHeader(line, area);
  if (content <= <usize>stopLong) {
    if (content != stopTag || ((held >> headerStream) & 1) != 0) return content;
    joinedEnd = joinLines(line, end, area);
    return joinedEnd == 0 ? content : joinedContent;
  }
  if (content > end) return stopIncomplete;
  return ((held >> headerStream) & 1) == 0 ? content : stopTag;
}

/**
 * Whether the line may begin a stack trace; `newline` is what `encodeStructured` returned. An
 * object is a record of its own, whatever trace it holds.
 */
function isTraceBegun(content: usize, newline: usize): bool {
  if (newline == structureHandedBack) return false;
  if (newline != structureNone && load<u8>(pastSpace(content)) == 0x7b) return false;
  return mayBeginTrace(content);
}

function handBackReason(content: usize, newline: usize): u32 {
  if (newline != structureHandedBack) return <u32>newline;
  // One that was joined here is joined again by the reference, which then asks for it.
  if (takeLargeJudged() && joinedEnd == 0) return stopLarge;
  return load<u8>(pastSpace(content)) == 0x7b ? stopJson : stopKlog;
}

// Lines without an entry of their own, and the first and the last line of the last record of
// several.
let linesJoined: u32 = 0;
let lastJoined: usize = 0;
let lastOfJoined: usize = 0;

function noteJoined(first: usize, lines: u32, last: usize): void {
  linesJoined += lines - 1;
  lastJoined = first;
  lastOfJoined = last;
}

/**
 * Encodes the stack trace that begins at `line`. Returns the newline of its last line, `newline` if
 * there is none, or a stop reason.
 */
function takeTrace(
  line: usize,
  timeEnd: usize,
  content: usize,
  newline: usize,
  severity: u32,
  offset: u64,
  to: usize,
  end: usize,
): usize {
  // Lines that were joined of partial ones are the reference's.
  if (joinedEnd != 0) return stopTrace;
  const dateEnd = klogDateEnd(content);
  const last = encodeTrace(line, timeEnd, content, dateEnd, severity, offset, to, end, area);
  if (last == traceNone) return newline;
  if (last > <usize>stopOpenTrace) noteJoined(line, traceLines, traceLast);
  return last;
}

// @ts-ignore: decorator
@inline
function countEntry(severity: u32): void {
  const counted = area + <usize>(severity << 2);
  store<u32>(counted, load<u32>(counted, severityCounts) + 1, severityCounts);
}

// @ts-ignore: decorator
@inline
function writeResults(
  position: usize,
  out: usize,
  lines: u32,
  entries: u32,
  lastLine: usize,
): void {
  store<u32>(area, <u32>position, resultPosition);
  store<u32>(area, <u32>out, resultOut);
  store<u32>(area, lines, resultLines);
  store<u32>(area, entries, resultEntries);
  store<u32>(area, <u32>lastLine, resultLastLine);
}

/**
 * Encodes the lines of [position, end) to `out`, until it has to hand a line back or the slot's
 * soft end is reached. `base` is the file offset of address 0; `held` has the bits of streams with
 * an open partial line. Returns the stop reason; the other results are in the area.
 */
export function encodeLines(
  position: usize,
  end: usize,
  out: usize,
  softEnd: usize,
  base: f64,
  held: u32,
): u32 {
  const fileBase = <u64>(<i64>base);
  const mayTrace = load<u32>(area, joinsTraces) != 0;
  let entries: u32 = 0;
  let lastLine: usize = 0;
  let reason: u32 = stopDone;
  joinedEnd = 0;
  linesJoined = 0;
  lastJoined = 1;
  store<u8>(end, 10);
  while (position < end) {
    const content = out >= softEnd ? <usize>stopFull : findContent(position, end, held);
    if (content <= <usize>stopLong) {
      reason = <u32>content;
      break;
    }
    const stream = headerStream;
    const timeEnd = headerTimeEnd;
    const offset = fileBase + <u64>position;
    let severity = (streamSeverities >> (stream << 3)) & 0xff;
    let lineOut: usize = 0;
    let newline = encodeStructured(position, timeEnd, content, stream, severity, offset, out);
    if (mayTrace && isTraceBegun(content, newline)) {
      newline = takeTrace(position, timeEnd, content, newline, severity, offset, out, end);
    }
    if (newline == structureNone) {
      newline = escapeText(content, writeTextHead(out, stream, area), area);
      if (newline <= <usize>stopLong) {
        reason = <u32>newline;
        break;
      }
      lineOut = writeEnvelope(escapedOut, 0x22, position, timeEnd, severity, offset, area);
    } else if (newline <= <usize>stopOpenTrace) {
      reason = handBackReason(content, newline);
      break;
    } else {
      lineOut = structuredOut;
      severity = structuredSeverity;
    }
    if (newline >= end) {
      if (joinedEnd == 0) {
        reason = stopIncomplete;
        break;
      }
      // It was that of the join, which is behind the chunk.
      newline = joinedEnd;
      joinedEnd = 0;
      noteJoined(position, joinedLines, joinedLast);
    }
    countEntry(severity);
    out = lineOut;
    lastLine = position;
    entries++;
    position = newline + 1;
  }
  if (lastJoined == lastLine) lastLine = lastOfJoined;
  writeResults(position, out, entries + linesJoined, entries, lastLine);
  return reason;
}

/** So much of a text is escaped at once. */
const sliceBytes: usize = 131_072;

/**
 * Writes the UTF-8 text of [from, end), which has no newline, to `to` as the inside of a JSON
 * string; returns its end.
 */
export function escapeBytes(from: usize, end: usize, to: usize): usize {
  let out = to;
  for (let at = from; at < end;) {
    let last = end - at > sliceBytes ? at + sliceBytes : end;
    while (last < end && (load<u8>(last) & 0xc0) == 0x80) last--;
    const byte = load<u8>(last);
    store<u8>(last, 10);
    escapeText(at, out, area, false);
    store<u8>(last, byte);
    out = escapedOut;
    if (load<u8>(last - 1) == 13) {
      // One before a newline is dropped.
      store<u16>(out, 0x725c); // \r
      out += 2;
    }
    at = last;
  }
  return out;
}

/**
 * Encodes lines that are certainly not CRI's as text, with the time at `time`, up to the first one
 * that may be, that ends at `until` or later, or that the reference has to look at. The other
 * parameters and the results are those of `encodeLines`.
 */
export function encodeTexts(
  position: usize,
  end: usize,
  out: usize,
  softEnd: usize,
  base: f64,
  time: usize,
  until: usize,
): void {
  const fileBase = <u64>(<i64>base);
  const timeEnd = zoneEnd(time + 19);
  const last = until < end ? until : end;
  let lines: u32 = 0;
  let entries: u32 = 0;
  store<u8>(end, 10);
  while (out < softEnd && position < end) {
    const offset = fileBase + <u64>position;
    if (isEmptyAgain(position, offset)) {
      position++;
      lines++;
      continue;
    }
    if (timeEnd == 0 || mayBeCri(position) || pastText(position) > last) break;
    const newline = escapeText(position, writeTextHead(out, 0, area), area);
    if (newline <= <usize>stopLong) break;
    out = writeEnvelope(escapedOut, 0x22, time, timeEnd, 0, offset, area);
    countEntry(0);
    entries++;
    lines++;
    position = newline + 1;
  }
  writeResults(position, out, lines, entries, 0);
}
