// Joins the lines of a stack trace (traces/stack-trace.ts) to one record, where they follow each
// other in the chunk. The tables that say which lines belong to one come from
// traces/trace-table.ts.
//
// The invariant: only a trace whose end is in the chunk is taken. Nothing is left of any other one,
// so it can be read again with more bytes, or by the reference.

import { copyTemplate, writeLength, writeMeta, writeTextHead } from './envelope';
import { headerStream, parseHeader } from './header';
import { pastSpace } from './json-string';
import { beginKlog, endKlog, klogOut, klogSeverity } from './klog-line';
import {
  contentBytesMax,
  jsonBytesMax,
  stopLong,
  stopOpenTrace,
  stopTrace,
  tail,
  traceClasses,
  traceEntrances,
  traceLinesMax,
  traceLookBytes,
  traceTable,
} from './layout';
import { repairCount } from './repair';
import { setStructured } from './structured-line';
import { escapedOut, escapeText } from './text';

/** What `encodeTrace` returns where the line begins none. */
export const traceNone: usize = 0;

// Of the record that was encoded last.
export let traceLines: u32 = 0;
/** The address of its last line. */
export let traceLast: usize = 0;

/** More than any header with a valid time. */
const headerBytesMax: usize = 128;

/** Where `stepLine` stopped reading. */
let stepEnd: usize = 0;

/**
 * What the automaton says of the line at `content` from an entrance on: 0, or one more than the
 * trace's next state.
 */
function stepLine(content: usize, entrance: u32, area: usize): u32 {
  const table = area + traceTable;
  const settled = load<u32>(table);
  const last = content + traceLookBytes;
  let row = load<u32>(table + <usize>(entrance << 2), traceEntrances);
  let at = content;
  while (row >= settled && at < last) {
    const byte = <u32>load<u8>(at);
    if (byte == 10 || (byte == 13 && load<u8>(at, 1) == 10)) break;
    const column = <u32>load<u8>(table + byte, traceClasses);
    row = load<u32>(table + row + <usize>(column << 2), 4);
    at++;
  }
  stepEnd = at;
  return load<u32>(table + row);
}

/** The state after a line that begins a trace, plus one; 0 if it begins none. */
function firstState(content: usize, area: usize): u32 {
  const entrances = load<u32>(area + traceTable, 4);
  for (let entrance: u32 = 0; entrance < entrances; entrance++) {
    const state = stepLine(content, entrance, area);
    if (state != 0) return state;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function contentEnd(content: usize, newline: usize): usize {
  return newline > content && load<u8>(newline - 1) == 13 ? newline - 1 : newline;
}

// The record that grows: where its entry ends by now, what is in it, and the newline of its last
// line.
let out: usize = 0;
let bytes: usize = 0;
let newline: usize = 0;
/** `repairCount` before it. */
let repairs: u32 = 0;

/** Begins the entry with the line that was parsed last; false if it is the reference's. */
function beginTrace(
  content: usize,
  dateEnd: usize,
  klog: u32,
  to: usize,
  end: usize,
  area: usize,
): bool {
  repairs = repairCount;
  if (klog == 0) {
    newline = escapeText(content, writeTextHead(to, headerStream, area), area);
    out = escapedOut;
  } else {
    newline = beginKlog(content, dateEnd, headerStream, to, area);
    out = klogOut;
  }
  if (newline <= <usize>stopLong || newline >= end) return false;
  bytes = contentEnd(content, newline) - content;
  traceLines = 1;
  return true;
}

/** Adds the line with the content; false if its end does not come before `end`, or is too far. */
function addLine(content: usize, end: usize, area: usize): bool {
  store<u16>(out, 0x6e5c); // \n
  const lineEnd = escapeText(content, out + 2, area);
  if (lineEnd <= <usize>stopLong || lineEnd >= end) {
    newline = lineEnd;
    return false;
  }
  out = escapedOut;
  newline = lineEnd;
  bytes += 1 + contentEnd(content, lineEnd) - content;
  traceLines++;
  return true;
}

/**
 * Adds the lines after the first one, which led to `first`, up to the one that ends the trace.
 * Returns a stop reason, or `traceNone` when that is found.
 */
function addLines(first: u32, end: usize, area: usize): usize {
  const stream = headerStream;
  // Those that begin a trace come first.
  const entrances = load<u32>(area + traceTable, 4);
  let state = first;
  // A trace whose next state is the first one has ended.
  while (state != 1) {
    const line = newline + 1;
    const content = parseHeader(line, area);
    if (content <= <usize>stopLong) return line + headerBytesMax > end ? stopOpenTrace : stopTrace;
    if (content > end) return stopOpenTrace;
    if (headerStream != stream) return stopTrace;
    if (traceLines >= <u32>traceLinesMax) break;
    state = stepLine(content, entrances + state - 2, area);
    if (stepEnd >= end) return stopOpenTrace;
    if (state == 0) break;
    // Whether it is an object is the reference's to say.
    if (load<u8>(pastSpace(content)) == 0x7b) return stopTrace;
    if (!addLine(content, end, area)) return newline >= end ? stopOpenTrace : stopTrace;
    // A byte may have become three.
    const bytesMax = repairCount == repairs ? contentBytesMax : contentBytesMax / 3;
    if (bytes > <usize>bytesMax) return stopTrace;
    traceLast = line;
  }
  return traceNone;
}

/**
 * Encodes the trace that begins with the line at `line`, whose header was parsed last; `dateEnd` is
 * that of its klog header, or 0. Returns the newline of its last line, a stop reason, or
 * `traceNone`. The entry's end and severity are those of `setStructured`.
 */
export function encodeTrace(
  line: usize,
  timeEnd: usize,
  content: usize,
  dateEnd: usize,
  severity: u32,
  offset: u64,
  to: usize,
  end: usize,
  area: usize,
): usize {
  const state = firstState(content, area);
  if (state == 0) return traceNone;
  if (load<u8>(pastSpace(content)) == 0x7b) return stopTrace;
  const klog = dateEnd == 0 ? 0 : klogSeverity(<u32>load<u8>(content));
  traceLast = line;
  if (!beginTrace(content, dateEnd, klog, to, end, area)) return stopTrace;
  const reason = addLines(state, end, area);
  if (reason != traceNone) return reason;
  if (klog == 0) {
    out = writeMeta(out, 0x22, line, timeEnd, severity, offset, area);
    setStructured(copyTemplate(writeLength(out, bytes), area + tail), severity);
  } else {
    if (<i32>bytes > load<i32>(area, jsonBytesMax)) return stopTrace;
    endKlog(out, line, timeEnd, klog, offset, bytes, area);
  }
  return newline;
}
