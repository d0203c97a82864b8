// Drains one container's files into the body: reads chunks into the encoder's window, has the
// kernel encode what it can, and gives the rest to the reference encoder.
//
// The invariant: what it reports as consumed is in the body, and nothing else of the source is.

import { limits } from '../../config.ts';
import type { GrowingBody } from '../growing-body.ts';
import type { Segment, Source, SourceResult } from '../drain-task.ts';
import type { EncodeContext } from '../entries/entry.ts';
import { beforeZeros, pastZeros } from './hole.ts';
import { stopDone } from '../kernel/layout.ts';
import { openLookAhead } from './look-ahead.ts';
import { noteStart, openLookBack } from './look-back.ts';
import { flushOpen } from './open-record.ts';
import { compact, openSegment, readChunk } from './read-chunk.ts';
import type { Chunk } from './read-chunk.ts';
import { createRedactor } from '../redaction/redactor.ts';
import { consumedOf, zeroTally, positionHashOf, skipSource, talliedOf } from './source-result.ts';
import { endHole, noHole, openRecords, returnTo, softEnd } from './source-run.ts';
import type { Encoder, BytePosition, SourceRun } from './source-run.ts';
import { readBytesAt } from './timed-line.ts';
import { bodyIsFull, takeText, takeWholeLine, timeIsUnknown } from './take-line.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
/**
 * Why a source was left: all is read, the body is full or late, the file has other bytes before the
 * position, or an errno code.
 */
type Stop = 'end' | 'full' | 'late' | 'replaced' | { readonly code: string };

/** A source, and what else of its task it needs. */
type SourceTask = Pick<EncodeContext, 'traceParent' | 'readAt' | 'requestLabels'> & {
  readonly source: Source;
};

function openRun(encoder: Encoder, body: GrowingBody, task: SourceTask): SourceRun {
  const { source, ...shared } = task;
  const { resource, logName, labels, recordRule } = source;
  const redact = recordRule?.redact ?? [];
  const redactor = redact.length === 0 ? undefined : createRedactor(redact);
  const context = { resource, logName, labels, ...shared, redactor };
  const isPlain = !source.joinStackTraces && recordRule === undefined;
  const mayUseKernel = source.format === 'cri' && isPlain;
  const kernel = mayUseKernel && encoder.kernel?.setTemplates(context) ? encoder.kernel : undefined;
  const tally = { ...zeroTally, redacted: 0, sampledOut: 0, holeBytes: 0 };
  encoder.severityCounts.fill(0);
  const [partials, traces] = [new Map(), new Map()];
  const [segment] = source.segments;
  const look = {
    lookBack: openLookBack(segment!, source.format),
    lookAhead: openLookAhead(segment!, source.format),
  };
  const start = { segment: 0, fileBase: 0, inMidLine: false, holeStart: noHole };
  return { encoder, body, source, context, tally, kernel, partials, traces, ...look, ...start };
}

/** Bits of the streams whose next line goes on with a partial one: 1 stdout, 2 stderr. */
function heldStreams(run: SourceRun): number {
  const { partials } = run;
  return (partials.has('stdout') ? 1 : 0) | (partials.has('stderr') ? 2 : 0);
}

/** Encodes lines with the kernel; whether it came to the chunk's end. */
function encodeByKernel(run: SourceRun, chunk: Chunk): boolean {
  const { kernel, body, tally } = run;
  if (kernel === undefined) return false;
  const reason = kernel.encodeLines({
    position: chunk.from,
    end: chunk.filled,
    out: body.out,
    softEnd: softEnd(run),
    offset: run.fileBase + chunk.from,
    heldStreams: heldStreams(run),
  });
  const { lines, lastLine } = kernel.result;
  chunk.from = kernel.result.position;
  body.extend(kernel.result.out, lines);
  if (lines > 0) {
    tally.entries += lines;
    tally.lines += lines;
    tally.fastLines += lines;
    noteStart(run.lookBack, run.fileBase + lastLine);
  }
  return reason === stopDone;
}

/**
 * Where a line that is too long is cut: after `limits.lineBytesMax`, but not inside a character and
 * not after a zero, because a line begins after zeros.
 */
function cutEnd(memory: Buffer, from: number): number {
  let end = from + limits.lineBytesMax;
  for (let back = 0; back < 3 && (memory[end]! & 0xc0) === 0x80; back++) end--;
  return beforeZeros(memory, from, end);
}

/**
 * Where the line ends that ends at `lineEnd`: without the zeros at the end of a file, where its
 * newline never came.
 */
function endOfLine(memory: Buffer, { from, filled }: Chunk, lineEnd: number): number {
  return lineEnd < filled ? lineEnd : beforeZeros(memory, from, lineEnd);
}

/** The end of the line at `from`: its newline, or the chunk's end when there is none. */
function findNewline(run: SourceRun, chunk: Chunk): number {
  // The byte past the chunk is ours: without it, the search would run on through the memory.
  run.body.memory[chunk.filled] = newline;
  return run.body.memory.indexOf(newline, chunk.from);
}

/**
 * Skips the zeros at the chunk's start: a line begins there, or would go on after it was cut. What
 * follows them begins a line, of which nothing is left when it is a line's end.
 */
function skipHole(run: SourceRun, chunk: Chunk): void {
  const { memory } = run.body;
  const end = pastZeros(memory, chunk.from, chunk.filled);
  if (end > chunk.from && run.holeStart === noHole) run.holeStart = run.fileBase + chunk.from;
  chunk.from = end;
  if (run.holeStart === noHole || end === chunk.filled) return;
  const isReturn = memory[end] === carriageReturn;
  const isCut = isReturn && end + 1 === chunk.filled;
  if (isCut && !chunk.isLast) return; // The newline may follow.
  endHole(run, run.fileBase + end);
  if (isCut) chunk.from = end + 1;
  else if (memory[end] === newline) chunk.from = end + 1;
  else if (isReturn && memory[end + 1] === newline) chunk.from = end + 2;
}

/** Takes the line at the chunk's start by the reference. */
function takeNext(run: SourceRun, chunk: Chunk): 'taken' | 'full' | 'incomplete' {
  const { memory } = run.body;
  const lineEnd = findNewline(run, chunk);
  const isTooLong = lineEnd - chunk.from > limits.lineBytesMax;
  if (lineEnd === chunk.filled && !isTooLong && !chunk.isLast) return 'incomplete';
  const isWhole = !isTooLong && (lineEnd < chunk.filled || !chunk.isFlushed);
  const end = isTooLong ? cutEnd(memory, chunk.from) : endOfLine(memory, chunk, lineEnd);
  // At the end of its file it may have been flushed before: then it must have that id again.
  const atEnd = chunk.isFlushed ? 'flushed' : 'undecided';
  const incomplete = isTooLong ? 'cut' : lineEnd < chunk.filled ? undefined : atEnd;
  const take = run.inMidLine ? takeText : takeWholeLine;
  // A cut or flush may have fallen right before the newline: then nothing is left to send.
  const isEmptyRest = run.inMidLine && end === chunk.from;
  const taken = isEmptyRest ? end : take(run, { from: chunk.from, end, incomplete });
  if (taken === bodyIsFull) return 'full';
  if (taken === timeIsUnknown) return 'incomplete';
  if (!run.inMidLine) run.tally.lines++;
  run.inMidLine = !isWhole && taken === end;
  chunk.from = taken === lineEnd ? Math.min(taken + 1, chunk.filled) : taken;
  return 'taken';
}

/** Encodes the chunk as far as possible; `end` when nothing more of it can be taken. */
function encodeChunk(run: SourceRun, chunk: Chunk): 'end' | 'full' | 'late' {
  for (;;) {
    skipHole(run, chunk);
    if (chunk.from === chunk.filled) return 'end';
    if (!run.inMidLine && encodeByKernel(run, chunk)) return 'end';
    if (run.body.memory[chunk.from] === 0) continue;
    if (run.body.out >= softEnd(run)) return 'full';
    const outcome = takeNext(run, chunk);
    if (outcome === 'full') return 'full';
    if (outcome === 'incomplete') return 'end';
    // Only between two records: then something was taken, and nothing is begun twice.
    if (!hasOpen(run) && run.body.isLate()) return 'late';
  }
}

function hasOpen({ traces, partials, inMidLine }: SourceRun): boolean {
  return inMidLine || traces.size > 0 || partials.size > 0;
}

function isAt(run: SourceRun, chunk: Chunk, start: number): boolean {
  return run.segment === 0 && run.fileBase + chunk.from === start;
}

/** Reads and encodes one segment. */
function drainSegment(run: SourceRun, segment: Segment, chunk: Chunk): Stop {
  for (;;) {
    let isEnd: boolean | 'replaced' = false;
    try {
      isEnd = readChunk(run, segment, chunk);
    } catch (error) {
      return { code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN' };
    }
    if (isEnd === 'replaced') return isEnd;
    chunk.isLast = isEnd && segment.ended;
    let outcome = encodeChunk(run, chunk);
    if (outcome !== 'end') return outcome;
    if (isEnd && run.source.flushFirst && isAt(run, chunk, segment.start)) {
      chunk.isLast = true;
      chunk.isFlushed = true;
      outcome = encodeChunk(run, chunk);
      if (outcome !== 'end') return outcome;
    }
    if (isEnd) return 'end';
    compact(run, chunk);
  }
}

/** Whether anything but zeros follows in the file, as far as can be said. */
function isHoleOver({ fd, end }: Segment): boolean {
  for (let offset = end; offset < end + limits.holeLookBytes;) {
    const bytes = readBytesAt(fd, offset, limits.readBytes);
    if (bytes.length === 0) return false;
    if (pastZeros(bytes, 0, bytes.length) < bytes.length) return true;
    offset += bytes.length;
  }
  return true;
}

/** Where the next task has to start, if nothing is open: a hole at the end may still be filled. */
function endOfSegment(
  run: SourceRun,
  segment: Segment,
  { chunk, stop }: { readonly chunk: Chunk; readonly stop: Stop },
): number {
  const offset = run.fileBase + chunk.from;
  if (run.holeStart === noHole) return offset;
  // A line that waits for its end follows the hole.
  const isOver = chunk.from < chunk.filled || segment.ended || isHoleOver(segment);
  if (stop !== 'end' || !isOver) return run.holeStart;
  endHole(run, offset);
  return offset;
}

/** Where the source was left: the first byte that no taken line holds. */
type Left = {
  readonly position: BytePosition;
  readonly stop: Stop;
  readonly ends: readonly number[];
};

/** Reads the segments in order until one has to be continued later. */
function drainSegments(run: SourceRun): Left {
  const ends: number[] = [];
  let position: BytePosition = { segment: 0, offset: 0 };
  for (const [index, segment] of run.source.segments.entries()) {
    const chunk = openSegment(run, index);
    const stop = drainSegment(run, segment, chunk);
    const offset = endOfSegment(run, segment, { chunk, stop });
    position = { segment: index, offset };
    if (stop !== 'end') return { position, stop, ends };
    ends.push(offset);
    // What comes after a file that may still grow has to wait for it.
    if (!segment.ended) break;
  }
  return { position, stop: 'end', ends };
}

/** Flushes or takes back what is still open; returns where the next task has to start. */
function settle(run: SourceRun, { position, stop }: Left, isFirstInBody: boolean): BytePosition {
  const [earliest] = openRecords(run);
  if (earliest === undefined) return position;
  const { source } = run;
  const { mark } = earliest;
  const hasProgress = mark.position.segment > 0 || mark.position.offset > source.segments[0]!.start;
  const isOver = stop === 'end' && source.ended;
  const isFlushed = stop === 'end' && source.flushFirst && !hasProgress;
  // Lines of the other stream filled the body before the record came to its end.
  const isStuck = stop === 'full' && isFirstInBody && !hasProgress;
  const incomplete = isOver ? undefined : isFlushed ? 'flushed' : 'cut';
  if ((isOver || isFlushed || isStuck) && flushOpen(run, incomplete)) return position;
  returnTo(run, mark);
  return mark.position;
}

/** Encodes what can be read of a source; its entries are appended to `body`. */
export function drainSource(encoder: Encoder, body: GrowingBody, task: SourceTask): SourceResult {
  const { source } = task;
  if (source.segments.length === 0) return skipSource(source);
  const isFirstInBody = body.isEmpty;
  const run = openRun(encoder, body, task);
  const left = drainSegments(run);
  const next = settle(run, left, isFirstInBody);
  const consumed = consumedOf(source, next, left.ends);
  return {
    consumed,
    positionHashes: consumed.map((end, index) => positionHashOf(run, index, end)),
    ...(left.stop === 'replaced' && { replaced: left.position.segment }),
    ...talliedOf(run),
    readError: typeof left.stop === 'object' ? left.stop.code : undefined,
    more: left.stop === 'full' || left.stop === 'late',
  };
}
