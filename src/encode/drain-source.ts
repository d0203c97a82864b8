// Drains one container's files into the body: reads chunks into the worker's window, has the kernel
// encode what it can, and gives the rest to the reference encoder. Called by drain.ts, once for
// each source of a task.
//
// The invariant: what it says is consumed stands in the body, and nothing else of the source does.

import { readSync } from 'node:fs';

import { limits } from '../config.ts';
import { severityIndex } from '../log-severity.ts';
import type { Body } from './body.ts';
import { parseCriLine } from './cri-line.ts';
import { positionBytesOf, positionHash } from '../position-hash.ts';
import { parseDockerLine } from './docker-line.ts';
import type { Segment, Source, SourceResult } from './drain-task.ts';
import { emitText } from './emit-record.ts';
import type { Incomplete } from './emit-record.ts';
import type { EncodeContext } from './entry.ts';
import { stopDone } from './kernel/layout.ts';
import { openLookBack, timeBefore } from './look-back.ts';
import { flushOpen, takeLine } from './open-record.ts';
import { createRedactor } from './redactor.ts';
import { openRecords, returnTo, softEnd } from './source-run.ts';
import type { DrainWorker, Place, SourceRun } from './source-run.ts';

const newline = 0x0a;
/**
 * Kept free at the window's end: for the newline that ends a chunk, and for loads that run past it.
 */
const windowReserveBytes = 256;
const positionScratch = Buffer.allocUnsafeSlow(limits.positionBytes);

/** The bytes of the window that are read but not encoded; addresses. */
type Chunk = {
  from: number;
  filled: number;
  /** Nothing follows: a line without newline is a line. */
  isLast: boolean;
  /** And it is no line yet, but has waited too long. */
  isFlushed: boolean;
};

/**
 * Why a source was left: all is read, the body is full, other bytes stand before the place to go on
 * from, or an errno code.
 */
type Stop = 'end' | 'full' | 'replaced' | { readonly code: string };

/** A source, and what else of its task it needs. */
type SourceTask = Pick<EncodeContext, 'traceParent' | 'readAt' | 'requestLabels'> & {
  readonly source: Source;
};

/** What every answer counts. */
const noTally = { lines: 0, entries: 0, fastLines: 0, malformedLines: 0 };

function openRun(worker: DrainWorker, body: Body, task: SourceTask): SourceRun {
  const { source, ...shared } = task;
  const { resource, logName, labels, recordRule } = source;
  const redact = recordRule?.redact ?? [];
  const redactor = redact.length === 0 ? undefined : createRedactor(redact);
  const context = { resource, logName, labels, ...shared, redactor };
  const isPlain = !source.joinStackTraces && recordRule === undefined;
  const mayUseKernel = source.format === 'cri' && isPlain;
  const kernel = mayUseKernel && worker.kernel?.setTemplates(context) ? worker.kernel : undefined;
  const tally = { ...noTally, redacted: 0, sampledOut: 0 };
  worker.severityCounts.fill(0);
  const [partials, traces] = [new Map(), new Map()];
  const lookBack = openLookBack(source.segments[0]!);
  const place = { segment: 0, fileBase: 0, inMidLine: false };
  return { worker, body, source, context, tally, kernel, partials, traces, lookBack, ...place };
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
  body.out = kernel.result.out;
  if (lines > 0) {
    body.entries += lines;
    tally.entries += lines;
    tally.lines += lines;
    tally.fastLines += lines;
    run.lookBack.lastLine = run.fileBase + lastLine;
  }
  return reason === stopDone;
}

/**
 * Where a line that is too long is cut: after `limits.lineBytesMax`, but not inside a character.
 */
function cutEnd(memory: Buffer, from: number): number {
  let end = from + limits.lineBytesMax;
  for (let back = 0; back < 3 && (memory[end]! & 0xc0) === 0x80; back++) end--;
  return end;
}

/** When a line without a time of its own was read: the first time, if it was read before. */
function readTimeOf(run: SourceRun, offset: number): string {
  const { lineTimes } = run.source.segments[run.segment]!;
  return lineTimes?.find(({ end }) => offset < end)?.time ?? run.lookBack.fallbackTime;
}

/** Takes bytes that are no line of the file's format. */
function takeText(run: SourceRun, from: number, end: number, incomplete: Incomplete): boolean {
  const offset = run.fileBase + from;
  const { format } = run.source;
  const isReturn = incomplete === undefined && end > from && run.body.memory[end - 1] === 0x0d;
  return emitText(run, {
    content: run.body.memory.subarray(from, isReturn ? end - 1 : end),
    place: { segment: run.segment, offset },
    time: format === 'cri' ? timeBefore(run.lookBack, offset) : readTimeOf(run, offset),
    stream: 'stdout',
    incomplete,
  });
}

/** Takes the line of `[from, end)`, its newline not included. */
function takeWholeLine(run: SourceRun, from: number, end: number, incomplete: Incomplete): boolean {
  const offset = run.fileBase + from;
  const bytes = run.body.memory.subarray(from, end);
  const place = { segment: run.segment, offset };
  const { format } = run.source;
  if (format === 'cri') {
    const line = parseCriLine(bytes, 0, bytes.length);
    if (line !== undefined) {
      run.lookBack.lastLine = offset;
      const { time, stream } = line;
      const content = bytes.subarray(line.contentStart, line.contentEnd);
      const partial = line.partial && incomplete === undefined;
      return takeLine(run, { content, place, time, stream, partial, incomplete });
    }
  }
  if (format === 'docker') {
    const line = parseDockerLine(bytes, 0, bytes.length);
    if (line !== undefined) return takeLine(run, { ...line, place, incomplete });
  }
  if (format === 'raw') {
    const contentEnd = end > from && run.body.memory[end - 1] === 0x0d ? end - 1 : end;
    const content = run.body.memory.subarray(from, contentEnd);
    const time = readTimeOf(run, offset);
    return takeLine(run, { content, place, time, stream: 'stdout', partial: false, incomplete });
  }
  if (!takeText(run, from, end, incomplete)) return false;
  run.tally.malformedLines++;
  return true;
}

/** The end of the line at `from`: its newline, or the chunk's end when there is none. */
function findNewline(run: SourceRun, chunk: Chunk): number {
  // The byte past the chunk is ours: without it, the search would run on through the memory.
  run.body.memory[chunk.filled] = newline;
  return run.body.memory.indexOf(newline, chunk.from);
}

/** Takes what stands at the chunk's start by the reference. */
function takeNext(run: SourceRun, chunk: Chunk): 'taken' | 'full' | 'incomplete' {
  const { memory } = run.body;
  const lineEnd = findNewline(run, chunk);
  const isTooLong = lineEnd - chunk.from > limits.lineBytesMax;
  if (lineEnd === chunk.filled && !isTooLong && !chunk.isLast) return 'incomplete';
  const isWhole = !isTooLong && (lineEnd < chunk.filled || !chunk.isFlushed);
  const end = isTooLong ? cutEnd(memory, chunk.from) : lineEnd;
  const incomplete = isWhole ? undefined : isTooLong ? 'cut' : 'flushed';
  const take = run.inMidLine ? takeText : takeWholeLine;
  // A cut or flush may have fallen right before the newline: then nothing is left to send.
  const isEmptyRest = run.inMidLine && end === chunk.from;
  if (!isEmptyRest && !take(run, chunk.from, end, incomplete)) return 'full';
  if (!run.inMidLine) run.tally.lines++;
  run.inMidLine = !isWhole;
  chunk.from = isTooLong ? end : Math.min(end + 1, chunk.filled);
  return 'taken';
}

/** Encodes the chunk as far as possible; false when the body is full. */
function encodeChunk(run: SourceRun, chunk: Chunk): boolean {
  while (chunk.from < chunk.filled) {
    if (!run.inMidLine && encodeByKernel(run, chunk)) return true;
    if (run.body.out >= softEnd(run)) return false;
    const outcome = takeNext(run, chunk);
    if (outcome === 'full') return false;
    if (outcome === 'incomplete') return true;
  }
  return true;
}

/** Moves what is left of the chunk to the window's start. */
function compact(run: SourceRun, chunk: Chunk): void {
  const { memory } = run.body;
  const { window } = run.worker;
  if (chunk.filled > chunk.from) memory.copyWithin(window, chunk.from, chunk.filled);
  run.fileBase += chunk.from - window;
  chunk.filled -= chunk.from - window;
  chunk.from = window;
}

/**
 * Reads the segment's first chunk from some bytes earlier: they tell whether this is still the file
 * that was read before, and whether a line starts here.
 */
function openSegment(run: SourceRun, index: number): Chunk {
  const segment = run.source.segments[index]!;
  const { window } = run.worker;
  const before = positionBytesOf(segment.start);
  run.segment = index;
  run.fileBase = segment.start - before - window;
  run.inMidLine = false;
  if (index > 0) run.lookBack = openLookBack(segment);
  run.kernel?.setIdPrefix(segment.idPrefix);
  return { from: window + before, filled: window, isLast: false, isFlushed: false };
}

/** Looks at the bytes that stand before the segment's start. */
function isSameBefore(run: SourceRun, segment: Segment, { from, filled }: Chunk): boolean {
  if (filled < from) return false; // The file has become shorter.
  const bytes = run.body.memory.subarray(run.worker.window, from);
  run.inMidLine = bytes.at(-1) !== newline;
  const { positionHash: expected } = segment;
  return expected === undefined || positionHash(bytes) === expected;
}

/** Reads up to `worker.readBytes` more of the segment; whether it was the last of it. */
function readChunk(run: SourceRun, segment: Segment, chunk: Chunk): boolean | 'replaced' {
  const { worker } = run;
  const windowEnd = worker.window + limits.windowBytes - windowReserveBytes;
  const offset = run.fileBase + chunk.filled;
  const before = Math.max(0, chunk.from - chunk.filled);
  const readBytes = worker.readBytes + before;
  const room = Math.min(readBytes, segment.end - offset, windowEnd - chunk.filled);
  const count = room > 0 ? readSync(segment.fd, run.body.memory, chunk.filled, room, offset) : 0;
  chunk.filled += count;
  if (before > 0 && !isSameBefore(run, segment, chunk)) {
    chunk.filled = chunk.from; // There is nothing to encode.
    return 'replaced';
  }
  return count === 0 || run.fileBase + chunk.filled >= segment.end;
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
    if (!encodeChunk(run, chunk)) return 'full';
    if (isEnd && run.source.flushFirst && isAt(run, chunk, segment.start)) {
      chunk.isLast = true;
      chunk.isFlushed = true;
      if (!encodeChunk(run, chunk)) return 'full';
    }
    if (isEnd) return 'end';
    compact(run, chunk);
  }
}

/** Where the source was left: the first byte that no taken line holds. */
type Left = { readonly place: Place; readonly stop: Stop; readonly ends: readonly number[] };

/** Reads the segments in order until one has to be continued later. */
function drainSegments(run: SourceRun): Left {
  const ends: number[] = [];
  let place: Place = { segment: 0, offset: 0 };
  for (const [index, segment] of run.source.segments.entries()) {
    const chunk = openSegment(run, index);
    const stop = drainSegment(run, segment, chunk);
    const offset = run.fileBase + chunk.from;
    place = { segment: index, offset };
    if (stop !== 'end') return { place, stop, ends };
    ends.push(offset);
    // What comes after a file that may still grow has to wait for it.
    if (!segment.ended) break;
  }
  return { place, stop: 'end', ends };
}

/** Flushes or takes back what is still open; returns where the next task has to start. */
function settle(run: SourceRun, { place, stop }: Left, isFirstInBody: boolean): Place {
  const [earliest] = openRecords(run);
  if (earliest === undefined) return place;
  const { source } = run;
  const { mark } = earliest;
  const hasProgress = mark.place.segment > 0 || mark.place.offset > source.segments[0]!.start;
  const isOver = stop === 'end' && source.ended;
  const isFlushed = stop === 'end' && source.flushFirst && !hasProgress;
  // Lines of the other stream filled the body before the record came to its end.
  const isStuck = stop === 'full' && isFirstInBody && !hasProgress;
  const incomplete = isOver ? undefined : isFlushed ? 'flushed' : 'cut';
  if ((isOver || isFlushed || isStuck) && flushOpen(run, incomplete)) return place;
  returnTo(run, mark);
  return mark.place;
}

/** Per segment, where the next task has to start. */
function consumedOf(source: Source, next: Place, ends: readonly number[]): number[] {
  return source.segments.map((segment, index) => {
    if (index < next.segment) return ends[index]!;
    return index === next.segment ? next.offset : segment.start;
  });
}

/** The hash of the bytes before `consumed`, from the window where they are still there. */
function positionHashOf(run: SourceRun, index: number, consumed: number): number | undefined {
  const { fd, start } = run.source.segments[index]!;
  if (consumed === start) return undefined;
  const { memory } = run.body;
  const length = positionBytesOf(consumed);
  const at = consumed - length - run.fileBase;
  if (index === run.segment && at >= run.worker.window) {
    return positionHash(memory.subarray(at, at + length));
  }
  try {
    const count = readSync(fd, positionScratch, 0, length, consumed - length);
    return count < length ? undefined : positionHash(positionScratch.subarray(0, length));
  } catch {
    return undefined; // The next read says what is wrong with the disk.
  }
}

function hasBytes(source: Source): boolean {
  return source.segments.some((segment) => segment.end > segment.start);
}

/** Entries by severity; undefined when all are INFO, as most are: it is copied between threads. */
function severitiesOf({ worker, tally }: SourceRun): readonly number[] | undefined {
  const { severityCounts } = worker;
  const isPlain = severityCounts[severityIndex('INFO')] === tally.entries;
  return isPlain ? undefined : [...severityCounts];
}

/** The counts of the answer, those that most have none of left out. */
function talliedOf(
  run: SourceRun,
): Omit<SourceResult, 'consumed' | 'positionHashes' | 'readError' | 'more'> {
  const { redacted, sampledOut, ...tally } = run.tally;
  const severities = severitiesOf(run);
  if (redacted === 0 && sampledOut === 0) return { ...tally, severities };
  return { ...tally, severities, redacted, sampledOut };
}

/** The answer for a source that was not begun. */
export function skipSource(source: Source): SourceResult {
  const consumed = source.segments.map((segment) => segment.start);
  return {
    consumed,
    ...noTally,
    severities: undefined,
    readError: undefined,
    more: hasBytes(source),
  };
}

/** Encodes what can be read of a source; its entries are appended to `body`. */
export function drainSource(worker: DrainWorker, body: Body, task: SourceTask): SourceResult {
  const { source } = task;
  if (source.segments.length === 0) return skipSource(source);
  const isFirstInBody = body.out === body.headEnd;
  const run = openRun(worker, body, task);
  const left = drainSegments(run);
  const next = settle(run, left, isFirstInBody);
  const consumed = consumedOf(source, next, left.ends);
  return {
    consumed,
    positionHashes: consumed.map((end, index) => positionHashOf(run, index, end)),
    ...(left.stop === 'replaced' && { replaced: left.place.segment }),
    ...talliedOf(run),
    readError: typeof left.stop === 'object' ? left.stop.code : undefined,
    more: left.stop === 'full',
  };
}
