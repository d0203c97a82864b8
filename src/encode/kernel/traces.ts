// Joins the records of a stack trace (traces/stack-trace.ts) to one. The tables that say which of
// them belong to it come from traces/trace-table.ts.
//
// The invariant: only a trace whose end is in the chunk is taken. Nothing is left of any other one,
// so it can be read again with more bytes, or by the reference.

import { forgetDoubles, newlineAfter } from './double-keys';
import { copyTemplate, writeLength, writeMeta, writeTextHead } from './envelope';
import { headerTimeEnd, parseHeader } from './header';
import { objectBroken, objectHandedBack, objectInvalid, readObject } from './json';
import { pastSpace } from './json-string';
import { beginKlog, endKlog, klogDateEnd, klogOut, klogSeverity } from './klog-line';
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
import {
  beginRecords,
  readRecord,
  recordFirst,
  recordLast,
  recordLines,
  recordNewline,
  recordOpen,
  recordUnknown,
} from './record-lines';
import { repairCount } from './repair';
import { repairInvalid, repairJson, repairTooLong } from './repair-json';
import { setStructured, structureNone } from './structured-line';
import { escapedOut, escapeText } from './text';

/** What `findTrace` returns: the record begins none, or one whose end is in the chunk. */
export const traceNone: usize = 0;
export const traceFound: usize = 1;

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

// The trace that `findTrace` found: the records that it joins, its first line's and its last line's
// newline, and all of its lines.
export let traceRecords: u32 = 0;
export let traceLines: u32 = 0;
export let traceLast: usize = 0;
export let traceNewline: usize = 0;
/** The first and the last line of the record that ends it; 0 if it ends itself. */
export let traceEnding: usize = 0;
export let traceEndingLast: usize = 0;

/** Whether the content is an object: an address, or one of the first two constants of json.ts. */
function judgeObject(content: usize, area: usize): usize {
  const brace = pastSpace(content);
  let end = readObject(brace, area, recordFirst, recordFirst + 20);
  if (end == objectBroken) {
    const copy = repairJson(brace, area);
    if (copy <= repairTooLong) return copy == repairInvalid ? objectInvalid : objectHandedBack;
    end = readObject(copy, area, recordFirst, recordFirst + 20);
  }
  forgetDoubles();
  if (end <= objectBroken) return end == objectInvalid ? end : objectHandedBack;
  return load<u8>(pastSpace(end)) == 10 ? end : objectInvalid;
}

/**
 * Finds the end of the trace that may begin with the record that was read last: it has the content,
 * `first` is its last line, and the next line is at `next`. Returns `traceNone`, `traceFound`, or a
 * stop reason.
 */
export function findTrace(
  content: usize,
  first: usize,
  next: usize,
  lines: u32,
  stream: u32,
  end: usize,
  area: usize,
): usize {
  let state = firstState(content, area);
  if (state == 0) return traceNone;
  if (next > end) return stopOpenTrace;
  // Those that begin a trace come first.
  const entrances = load<u32>(area + traceTable, 4);
  traceRecords = 1;
  traceLines = lines;
  traceLast = first;
  traceNewline = next - 1;
  traceEnding = 0;
  let bytes = newlineAfter(content) - content;
  // A trace whose next state is the first one has ended.
  while (state != 1) {
    const following = readRecord(traceNewline + 1, stream, end, false, area);
    if (following == recordOpen) return stopOpenTrace;
    if (following == recordUnknown) return stopTrace;
    state =
      traceRecords < <u32>traceLinesMax ? stepLine(following, entrances + state - 2, area) : 0;
    if (state != 0 && load<u8>(pastSpace(following)) == 0x7b) {
      // An object is a record of its own, whatever it holds.
      const found = judgeObject(following, area);
      if (found == objectHandedBack) return stopTrace;
      if (found != objectInvalid) state = 0;
    }
    if (state == 0) {
      traceEnding = recordFirst;
      traceEndingLast = recordLast;
      break;
    }
    traceRecords++;
    traceLines += recordLines;
    traceLast = recordLast;
    traceNewline = recordNewline;
    bytes += 1 + newlineAfter(following) - following;
    if (bytes > <usize>contentBytesMax) return stopTrace;
  }
  return traceFound;
}

/**
 * Encodes the stack trace of so many records, the first of which begins at `line`. Returns its last
 * newline or a stop reason. The entry's end and severity are those of `setStructured`.
 */
export function writeTrace(
  line: usize,
  stream: u32,
  records: u32,
  severity: u32,
  offset: u64,
  to: usize,
  end: usize,
  area: usize,
): usize {
  beginRecords(stream, area);
  const content = readRecord(line, stream, end, true, area);
  let next = recordNewline + 1;
  parseHeader(line, area);
  const timeEnd = headerTimeEnd;
  const dateEnd = klogDateEnd(content);
  let klog = dateEnd == 0 ? 0 : klogSeverity(<u32>load<u8>(content));
  const repairs = repairCount;
  let newline: usize = 0;
  let out: usize = 0;
  if (klog != 0) {
    newline = beginKlog(content, dateEnd, stream, to, area);
    out = klogOut;
    if (newline == structureNone) klog = 0;
  }
  if (klog == 0) {
    newline = escapeText(content, writeTextHead(to, stream, area), area);
    out = escapedOut;
  }
  if (newline <= <usize>stopLong) return stopTrace;
  let bytes = contentEnd(content, newline) - content;
  for (let count: u32 = 1; count < records; count++) {
    const following = readRecord(next, stream, end, true, area);
    next = recordNewline + 1;
    store<u16>(out, 0x6e5c); // \n
    newline = escapeText(following, out + 2, area);
    if (newline <= <usize>stopLong) return stopTrace;
    out = escapedOut;
    bytes += 1 + contentEnd(following, newline) - following;
  }
  // A byte may have become three.
  const bytesMax = repairCount == repairs ? contentBytesMax : contentBytesMax / 3;
  if (bytes > <usize>bytesMax) return stopTrace;
  if (klog == 0) {
    out = writeMeta(out, 0x22, line, timeEnd, severity, offset, area);
    setStructured(copyTemplate(writeLength(out, bytes), area + tail), severity);
  } else {
    if (<i32>bytes > load<i32>(area, jsonBytesMax)) return stopTrace;
    endKlog(out, line, timeEnd, klog, offset, bytes, area);
  }
  return next - 1;
}
