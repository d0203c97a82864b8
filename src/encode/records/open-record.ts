// Joins partial lines to records, and records to stack traces.
//
// The invariant: a line that was not taken (false: the body has no room) has changed no open
// record.

import { limits } from '../../config.ts';
import { emitJoin, emitRecord, joinContent, joinStart } from './emit-record.ts';
import type { Incomplete, WholeRecord } from './emit-record.ts';
import { markAt, openBytes, openRecords, softEnd } from './source-run.ts';
import type { Mark, OpenPartial, OpenTrace, SourceRun } from './source-run.ts';
import type { Stream } from '../entries/entry-template.ts';
import type { Re2Pattern } from '../../re2-pattern.ts';
import { traceStart, traceStep } from '../traces/stack-trace.ts';
import type { TraceState } from '../traces/stack-trace.ts';

/** A line of the file's format. */
export type FormatLine = WholeRecord & { readonly partial: boolean };

const newline = Buffer.from('\n');
const utf8 = new TextDecoder();
/** A record of several lines that goes on until the next first one. */
const traceOpen: TraceState = 'exception';

/** A trace has one id whether it was flushed, ended by the line after it, or by the log's end. */
function emitTrace(run: SourceRun, trace: OpenTrace): boolean {
  const pieces = trace.lines.flatMap((line, index) => (index === 0 ? [line] : [newline, line]));
  const content = Buffer.concat(pieces);
  if (!emitRecord(run, { ...trace, content, incomplete: 'undecided' })) return false;
  run.traces.delete(trace.stream);
  return true;
}

/** Whether the trace stays within its limits with one more line. */
function hasRoomFor(trace: OpenTrace, content: Uint8Array): boolean {
  const bytes = trace.bytes + newline.length + content.length;
  return bytes <= limits.traceBytesMax && trace.lines.length < limits.traceLinesMax;
}

/** Adds a line that goes on with the trace, or ends it. */
function joinTrace(
  run: SourceRun,
  trace: OpenTrace,
  { content, state }: { content: Uint8Array; state: TraceState },
): boolean {
  const bytes = trace.bytes + newline.length + content.length;
  trace.lines.push(Buffer.from(content));
  if (state === traceStart && !emitTrace(run, trace)) {
    trace.lines.pop();
    return false;
  }
  if (state !== traceStart) run.traces.set(trace.stream, { ...trace, bytes, state });
  return true;
}

/** The pattern of the lines that begin a record; undefined where each line is one. */
function firstLineOf({ firstLine }: SourceRun, stream: Stream): Re2Pattern | undefined {
  return firstLine?.[stream];
}

/** Whether a record begins at the line. Only its beginning is looked at: a tenant writes it. */
function isFirstLine(pattern: Re2Pattern, content: Uint8Array): boolean {
  return pattern.test(utf8.decode(content.subarray(0, limits.firstLineBytesMax)));
}

/** Joins a line that does not match to the record before it; one that matches ends that record. */
function takeMultiline(
  run: SourceRun,
  record: WholeRecord,
  { pattern, mark }: { readonly pattern: Re2Pattern; readonly mark: Mark | undefined },
): boolean {
  const { content, stream, position, time, incomplete } = record;
  const open = run.traces.get(stream);
  const isFirst = isFirstLine(pattern, content);
  if (open !== undefined && !isFirst && incomplete === undefined && hasRoomFor(open, content)) {
    return joinTrace(run, open, { content, state: traceOpen });
  }
  if (open !== undefined && !emitTrace(run, open)) return false;
  if (incomplete !== undefined) return emitRecord(run, record);
  run.traces.set(stream, {
    position,
    time,
    stream,
    mark: mark ?? markAt(run, position),
    lines: [Buffer.from(content)],
    bytes: content.length,
    state: traceOpen,
  });
  return true;
}

/** A record that has all its lines; `mark` is that of its first one, when it had several. */
function takeRecord(run: SourceRun, record: WholeRecord, mark?: Mark): boolean {
  const pattern = firstLineOf(run, record.stream);
  if (pattern !== undefined) return takeMultiline(run, record, { pattern, mark });
  if (!run.source.joinStackTraces) return emitRecord(run, record);
  const { content, stream, position, time, incomplete } = record;
  const trace = run.traces.get(stream);
  // A line that its file's end cut off joins no trace: a flush would not have waited for it.
  if (trace !== undefined && incomplete === undefined && hasRoomFor(trace, content)) {
    const { join, state } = traceStep(trace.state, content);
    if (join) return joinTrace(run, trace, { content, state });
  }
  if (trace !== undefined && !emitTrace(run, trace)) return false;
  const { state } = traceStep(traceStart, content);
  if (state === traceStart || incomplete !== undefined) return emitRecord(run, record);
  const lines = [Buffer.from(content)];
  const bytes = content.length;
  run.traces.set(stream, {
    position,
    time,
    stream,
    mark: mark ?? markAt(run, position),
    lines,
    bytes,
    state,
  });
  return true;
}

function endPartial(run: SourceRun, partial: OpenPartial): boolean {
  const isJoined = run.source.joinStackTraces || firstLineOf(run, partial.stream) !== undefined;
  const isTaken = isJoined
    ? takeRecord(run, { ...partial, content: joinContent(run, partial) }, partial.mark)
    : emitJoin(run, partial, undefined);
  if (isTaken) run.partials.delete(partial.stream);
  return isTaken;
}

function cutPartial(run: SourceRun, partial: OpenPartial, incomplete: Incomplete): boolean {
  if (!emitJoin(run, partial, incomplete)) return false;
  run.partials.delete(partial.stream);
  return true;
}

/**
 * Ends the open records, the first begun first, until `bytes` more fit: all open records together
 * are never longer than a record may be, so that there is always room to flush them.
 */
function makeRoom(run: SourceRun, bytes: number): boolean {
  for (const open of openRecords(run)) {
    if (openBytes(run) + bytes <= limits.lineBytesMax) return true;
    const isSent = 'lines' in open ? emitTrace(run, open) : cutPartial(run, open, 'cut');
    if (!isSent) return false;
  }
  return run.body.out < softEnd(run);
}

/** Takes one line of the file's format. */
export function takeLine(run: SourceRun, line: FormatLine): boolean {
  const { content, position, time, stream } = line;
  if (openBytes(run) + content.length > limits.lineBytesMax && !makeRoom(run, content.length)) {
    return false;
  }
  const open = run.partials.get(stream);
  if (open === undefined && !line.partial) return takeRecord(run, line);
  const begun = open ?? { position, time, stream, mark: markAt(run, position), bytes: 0 };
  run.body.memory.set(content, joinStart(run, stream) + begun.bytes);
  const partial = { ...begun, bytes: begun.bytes + content.length };
  if (!line.partial) {
    return line.incomplete === undefined
      ? endPartial(run, partial)
      : cutPartial(run, partial, line.incomplete);
  }
  run.partials.set(stream, partial);
  return true;
}

/**
 * Sends all open records as they are; `incomplete` is undefined when no more can come. Their ids
 * are then still those of records that are not whole: they may have been sent as such before, and
 * the same bytes must not get a second id.
 */
export function flushOpen(run: SourceRun, incomplete: Incomplete): boolean {
  const inOrder = openRecords(run);
  for (const open of inOrder) {
    if ('lines' in open || incomplete === 'cut') continue;
    // The last line of a trace may be one that its program did not end.
    if (run.traces.has(open.stream) && !endPartial(run, open)) return false;
  }
  for (const open of openRecords(run)) {
    const isSent =
      'lines' in open ? emitTrace(run, open) : cutPartial(run, open, incomplete ?? 'undecided');
    if (!isSent) return false;
  }
  return true;
}
