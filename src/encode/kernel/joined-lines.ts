// Takes lines that are no record of their own: partial ones, and those of stack traces. A record
// whose lines follow each other is encoded at once; one whose lines are among those of the other
// stream is pending until its last line (pending.ts).
//
// The invariant: what is counted here are lines that have been taken, and no line twice.

import { newlineAfter } from './double-keys';
import { headerStream, parseHeader } from './header';
import { stopPending, stopTag } from './layout';
import {
  countEntry,
  endPending,
  forgetPending,
  pendingCount,
  pendingEnding,
  pendingField,
  pendingFirst,
  pendingLast,
  pendingStreams,
  setPending,
} from './pending';
import {
  beginRecords,
  isScattered,
  readRecord,
  recordLast,
  recordLines,
  recordNewline,
  recordUnknown,
} from './record-lines';
import { structuredSeverity } from './structured-line';
import {
  findTrace,
  traceEnding,
  traceEndingLast,
  traceFound,
  traceLast,
  traceLines,
  traceNone,
  traceRecords,
  writeTrace,
} from './traces';

/** Severity indexes of plain text by stream: INFO, ERROR. */
const streamSeverities: u32 = 0x0502;

// @ts-ignore: decorator
@inline
export function severityOfStream(stream: u32): u32 {
  return (streamSeverities >> (stream << 3)) & 0xff;
}

/** Lines less entries, of all that was taken; and before the lines that were taken last. */
export let linesJoined: u32 = 0;
export let linesBefore: u32 = 0;
// The first and the last line of the last trace that was taken at once.
export let lastJoined: usize = 0;
export let lastOfJoined: usize = 0;

// What was taken of lines that are no record of their own: how many, the last of them, and where to
// go on; whether their content was joined, or the entry of a trace that was pending was written.
export let takenLines: u32 = 0;
export let takenLast: usize = 0;
export let takenNext: usize = 0;
export let isJoined: bool = false;
let wasPending: bool = false;
export let isEntryTaken: bool = false;

/** Begins with a chunk, of which nothing is taken. */
export function beginJoins(): void {
  linesJoined = 0;
  lastJoined = 1;
  isJoined = false;
  forgetPending();
}

/** The newline of the last line of a record that was joined, and has become an entry. */
export function endJoined(): usize {
  isJoined = false;
  linesJoined += takenLines - 1;
  return takenNext - 1;
}

function noteLine(line: usize): void {
  takenLines = 1;
  takenLast = line;
  takenNext = newlineAfter(line) + 1;
}

/** Takes a line whose record is encoded later. */
function passLine(line: usize): u32 {
  noteLine(line);
  linesJoined++;
  return stopPending;
}

/**
 * Encodes the stack trace that begins with the record at `line`. Returns the newline of its last
 * line, `newline` if there is none, or a stop reason.
 */
export function takeTrace(
  line: usize,
  content: usize,
  newline: usize,
  severity: u32,
  offset: u64,
  to: usize,
  end: usize,
  area: usize,
): usize {
  const stream = headerStream;
  if (!isJoined) {
    beginRecords(stream, area);
    wasPending = false;
    linesBefore = linesJoined;
    noteLine(line);
  }
  const found = findTrace(content, takenLast, takenNext, takenLines, stream, end, area);
  if (found == traceNone) return newline;
  isJoined = false;
  if (found != traceFound) return found;
  // One whose first lines were passed over before is taken as a pending one, too.
  if (isScattered || wasPending) {
    const last = traceEnding == 0 ? traceLast : traceEndingLast;
    setPending(stream, line, last, traceRecords, traceEnding, area);
    // The last line of its first record is passed over then.
    linesJoined += takenLines - 1;
    return stopPending;
  }
  linesJoined += traceLines - 1;
  lastJoined = line;
  lastOfJoined = traceLast;
  return writeTrace(line, stream, traceRecords, severity, offset, to, end, area);
}

/** Encodes the pending trace that ends at `line`; returns as `takeLines`. */
function takePendingTrace(
  line: usize,
  stream: u32,
  to: usize,
  end: usize,
  fileBase: u64,
  area: usize,
): usize {
  const first = pendingField(stream, pendingFirst, area);
  const records = <u32>pendingField(stream, pendingCount, area);
  const ending = pendingField(stream, pendingEnding, area);
  const severity = severityOfStream(stream);
  const offset = fileBase + <u64>first;
  const newline = writeTrace(first, stream, records, severity, offset, to, end, area);
  if (newline <= <usize>stopPending) return newline;
  countEntry(structuredSeverity, area);
  isEntryTaken = true;
  linesJoined--;
  endPending(stream);
  if (ending == 0) return passLine(line);
  // The line is taken after it, as the last one of a record or as all of it.
  takenLines = 0;
  takenNext = line;
  if (ending != line) setPending(stream, ending, line, 0, 0, area);
  return stopPending;
}

/**
 * Takes the line at `line`, whose header was parsed last: it is a partial one, or of a stream with
 * a pending record. Returns the content of the record that it ends, or a stop reason.
 */
export function takeLines(line: usize, to: usize, end: usize, fileBase: u64, area: usize): usize {
  const stream = headerStream;
  let first = line;
  isEntryTaken = false;
  linesBefore = linesJoined;
  if (((pendingStreams >> stream) & 1) != 0) {
    if (line != pendingField(stream, pendingLast, area)) return passLine(line);
    if (pendingField(stream, pendingCount, area) != 0) {
      return takePendingTrace(line, stream, to, end, fileBase, area);
    }
    first = pendingField(stream, pendingFirst, area);
    endPending(stream);
  }
  beginRecords(stream, area);
  const content = readRecord(first, stream, end, true, area);
  if (content <= recordUnknown) return stopTag;
  if (first == line && isScattered) {
    setPending(stream, line, recordLast, 0, 0, area);
    return passLine(line);
  }
  isJoined = true;
  wasPending = first != line;
  takenLines = first == line ? recordLines : 1;
  takenLast = recordLast;
  takenNext = recordNewline + 1;
  parseHeader(first, area);
  return content;
}
