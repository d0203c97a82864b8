// The kernel: CRI lines in, LogEntries out, one pass over the bytes of a chunk.
//
// It encodes the common lines and hands back the rest, with a position and a reason, to the
// reference encoder (log-entry.ts), which is the specification: both write the same bytes. It never
// allocates and has no static data: all that can change is in the area or in globals, which every
// instance has for itself.

import { writeBase36Pairs, writeEnvelope, writeTextHead } from './envelope';
import { setReadingNanos } from './event-time';
import { beginTimes, headerStream, headerTimeEnd, parseHeader, zoneEnd } from './header';
import {
  beginJoins,
  endJoined,
  isEntryTaken,
  isJoined,
  lastJoined,
  lastOfJoined,
  linesBefore,
  linesJoined,
  severityOfStream,
  takeLines,
  takenLast,
  takenLines,
  takenNext,
  takeTrace,
} from './joined-lines';
import { pastSpace } from './json-string';
import { clearKeys, seedKeys } from './key-table';
import { encodeKlogLine, klogDateEnd } from './klog-line';
import { setLabelRoom } from './labels';
import {
  backslashVector,
  joinsTraces,
  labelRoom,
  quoteVector,
  spaceVector,
  stopDone,
  stopFull,
  stopIncomplete,
  stopJson,
  stopKlog,
  stopLarge,
  stopLong,
  stopPending,
  stopTag,
} from './layout';
import { prepareNumbers } from './numbers';
import { countEntry, pendingStreams, returnToSaved, savePending, writeResults } from './pending';
import { recordFirst } from './record-lines';
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

let area: usize = 0;

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

/** The content of the line at `line`, or a stop reason; `blocked` streams are no whole lines. */
// @ts-ignore: decorator
@inline
function findContent(line: usize, end: usize, blocked: u32): usize {
  const content = parseHeader(line, area);
  if (content <= <usize>stopLong) return content;
  if (content > end) return stopIncomplete;
  return ((blocked >> headerStream) & 1) == 0 ? content : stopTag;
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
  // The reference joins a record again, and then asks for what is known of a large one.
  if (takeLargeJudged() && !isJoined) return stopLarge;
  return load<u8>(pastSpace(content)) == 0x7b ? stopJson : stopKlog;
}

/** The last line of what was taken up to the line at `line`. */
function lastTaken(line: usize): usize {
  return lastJoined == line ? lastOfJoined : line;
}

// Of the call: the end of its chunk, where to stop writing, the offset of address 0, the streams
// with an open record, and whether stack traces are joined.
let chunkEnd: usize = 0;
let outEnd: usize = 0;
let fileBase: u64 = 0;
let heldStreams: u32 = 0;
let mayTrace: bool = false;

/** Saves what there is before the line at `position`, with whose record something is pending. */
function save(position: usize, out: usize, entries: u32, lastLine: usize): void {
  savePending(position, out, entries + linesBefore, entries, lastTaken(lastLine), area);
}

/** Why a line is not taken: a stop reason in place of its content, or it is a text and too long. */
function reasonOf(content: usize): u32 {
  return content > <usize>stopPending ? stopLong : <u32>content;
}

/** Encodes the lines of the chunk from `from` on to `to`; returns the stop reason. */
function takeChunk(from: usize, to: usize): u32 {
  let position = from;
  let out = to;
  let entries: u32 = 0;
  let lastLine: usize = 0;
  // Of a line that is not taken, the stop reason.
  let content: usize = 0;
  let blocked = heldStreams;
  while (position < chunkEnd) {
    content = out >= outEnd ? <usize>stopFull : findContent(position, chunkEnd, blocked);
    if (content <= <usize>stopLong) {
      if (content == stopTag && ((heldStreams >> headerStream) & 1) == 0) {
        content = takeLines(position, out, chunkEnd, fileBase, area);
      }
      if (content < <usize>stopPending) break;
      if (content == stopPending) {
        if (blocked == heldStreams) save(position, out, entries, lastLine);
        blocked = heldStreams | pendingStreams;
        if (isEntryTaken) out = structuredOut;
        entries += u32(isEntryTaken);
        if (takenLines != 0) lastLine = takenLast;
        position = takenNext;
        continue;
      }
      position = recordFirst;
    }
    const stream = headerStream;
    const timeEnd = headerTimeEnd;
    const offset = fileBase + <u64>position;
    let severity = severityOfStream(stream);
    let lineOut: usize = 0;
    let newline = encodeStructured(position, timeEnd, content, stream, severity, offset, out);
    if (mayTrace && isTraceBegun(content, newline)) {
      newline = takeTrace(position, content, newline, severity, offset, out, chunkEnd, area);
    }
    if (newline == structureNone) {
      newline = escapeText(content, writeTextHead(out, stream, area), area);
      if (newline <= <usize>stopLong) break;
      lineOut = writeEnvelope(escapedOut, 0x22, position, timeEnd, severity, offset, area);
    } else if (newline <= <usize>stopPending) {
      content = handBackReason(content, newline);
      if (content != stopPending) break;
      if (blocked == heldStreams) save(position, out, entries, lastLine);
      blocked = heldStreams | pendingStreams;
      position = takenLast;
      continue;
    } else {
      lineOut = structuredOut;
      severity = structuredSeverity;
    }
    if (newline >= chunkEnd) {
      if (!isJoined) {
        content = stopIncomplete;
        break;
      }
      // It is that of the join, which is behind the chunk.
      newline = endJoined();
      blocked = heldStreams | pendingStreams;
      position = takenLast;
    }
    lastLine = position;
    countEntry(severity, area);
    out = lineOut;
    entries++;
    position = newline + 1;
  }
  writeResults(position, out, entries + linesJoined, entries, lastTaken(lastLine), area);
  if (blocked != heldStreams) return returnToSaved(reasonOf(content), area);
  return position < chunkEnd ? reasonOf(content) : stopDone;
}

/**
 * Encodes the lines of [position, end) to `out`, until it has to hand a line back or the slot's
 * soft end is reached. `base` is the file offset of address 0; `held` has the bits of streams with
 * an open record. Returns the stop reason; the other results are in the area.
 */
export function encodeLines(
  position: usize,
  end: usize,
  out: usize,
  softEnd: usize,
  base: f64,
  held: u32,
): u32 {
  chunkEnd = end;
  outEnd = softEnd;
  fileBase = <u64>(<i64>base);
  heldStreams = held;
  mayTrace = load<u32>(area, joinsTraces) != 0;
  beginJoins();
  store<u8>(end, 10);
  return takeChunk(position, out);
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
  const textBase = <u64>(<i64>base);
  const timeEnd = zoneEnd(time + 19);
  const last = until < end ? until : end;
  let lines: u32 = 0;
  let entries: u32 = 0;
  store<u8>(end, 10);
  while (out < softEnd && position < end) {
    const offset = textBase + <u64>position;
    if (isEmptyAgain(position, offset)) {
      position++;
      lines++;
      continue;
    }
    if (timeEnd == 0 || mayBeCri(position) || pastText(position) > last) break;
    const newline = escapeText(position, writeTextHead(out, 0, area), area);
    if (newline <= <usize>stopLong) break;
    out = writeEnvelope(escapedOut, 0x22, time, timeEnd, 0, offset, area);
    countEntry(0, area);
    entries++;
    lines++;
    position = newline + 1;
  }
  writeResults(position, out, lines, entries, 0, area);
}
