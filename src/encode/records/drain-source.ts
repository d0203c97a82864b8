// Drains one container's files into the body: reads chunks into the encoder's window, has the
// kernel encode what it can, and gives the rest to the reference encoder.
//
// The invariant: what it reports as consumed is in the body, and nothing else of the source is.

import assert from 'node:assert';

import { limits } from '../../config.ts';
import { compileRe2 } from '../../re2-pattern.ts';
import type { GrowingBody } from '../growing-body.ts';
import type { RecordRule, Segment, Source, SourceResult } from '../drain-task.ts';
import type { EncodeContext } from '../entries/entry.ts';
import type { Stream } from '../entries/entry-template.ts';
import { insertIdOf } from '../entries/insert-id.ts';
import { beforeZeros, pastZeros } from './hole.ts';
import type { Kernel } from '../kernel.ts';
import { stopDone, stopLarge, stopNotCri, stopOpenTrace } from '../kernel/layout.ts';
import { parseCriLine } from './cri-line.ts';
import { appendLarge } from './large-object.ts';
import { flushOpen } from './open-record.ts';
import { ChunkReader } from './read-chunk.ts';
import { createRedactor } from '../redaction/redactor.ts';
import type { RecordRules } from '../rules/record-rules.ts';
import { openRecordRules } from '../rules/ruled-record.ts';
import { LineDrops } from './line-drops.ts';
import { consumedOf, skipSource } from './source-result.ts';
import { hasOpenRecords, openRecords, returnTo, softEnd } from './source-run.ts';
import type { Encoder, BytePosition, SourceRun } from './source-run.ts';
import { Tally } from './tally.ts';
import { readBytesAt } from './timed-line.ts';
import { bodyIsFull, takeText, takeWholeLine, timeIsUnknown } from './take-line.ts';

const newline = 0x0a;
/**
 * Why a source was left: all is read, the body is full or late, the file has other bytes before the
 * position, or an errno code.
 */
type Stop = 'end' | 'full' | 'late' | 'replaced' | { readonly code: string };

/** What the sources of a task have in common. */
type SharedContext = Pick<EncodeContext, 'traceParent' | 'readAt' | 'requestLabels'>;

function compileFirstLines({ stdout, stderr }: NonNullable<RecordRule['firstLine']>) {
  return {
    ...(stdout !== undefined && { stdout: compileRe2(stdout) }),
    ...(stderr !== undefined && { stderr: compileRe2(stderr) }),
  };
}

/** Where lines are records, and nothing is done to them before rules drop them. */
function openDrops(
  { format, joinStackTraces, recordRule }: Source,
  rules: RecordRules | undefined,
): LineDrops | undefined {
  if (rules === undefined || recordRule === undefined) return undefined;
  const { redact, shares, firstLine } = recordRule;
  const isSimple = redact.length === 0 && shares === undefined && firstLine === undefined;
  if (format !== 'cri' || joinStackTraces || !isSimple) return undefined;
  const drops = new LineDrops(rules.rules);
  return drops.isEmpty ? undefined : drops;
}

function openRun(
  encoder: Encoder,
  body: GrowingBody,
  source: Source,
  { traceParent, readAt, requestLabels }: SharedContext,
): SourceRun {
  const { resource, logName, labels, recordRule, joinStackTraces } = source;
  const hasRedactor = recordRule !== undefined && recordRule.redact.length > 0;
  const redactor = hasRedactor ? createRedactor(recordRule.redact) : undefined;
  const context = { resource, logName, labels, traceParent, readAt, requestLabels, redactor };
  const rules = recordRule?.steps === undefined ? undefined : openRecordRules(recordRule.steps);
  const drops = openDrops(source, rules);
  const isKernels = recordRule === undefined || drops?.areAll === true;
  const mayUseKernel = source.format === 'cri' && isKernels;
  const usesKernel = mayUseKernel && encoder.kernel?.setTemplates(context, joinStackTraces);
  const kernel = usesKernel ? encoder.kernel : undefined;
  const firstLine = recordRule?.firstLine && compileFirstLines(recordRule.firstLine);
  const tally = new Tally(encoder.severityCounts, rules?.names);
  const { partials, traces } = encoder;
  partials.clear();
  traces.clear();
  const reader = new ChunkReader(encoder, source);
  return {
    encoder,
    body,
    source,
    context,
    tally,
    kernel,
    rules,
    firstLine,
    drops,
    partials,
    traces,
    reader,
  };
}

/** Bits of the streams whose next line may go on with an open record: 1 stdout, 2 stderr. */
function heldStreams(run: SourceRun): number {
  if (!hasOpenRecords(run)) return 0;
  const { partials, traces } = run;
  const isHeld = (stream: Stream) => partials.has(stream) || traces.has(stream);
  return (isHeld('stdout') ? 1 : 0) | (isHeld('stderr') ? 2 : 0);
}

/** Encodes lines with the kernel, up to one that may be dropped; whether it came to the end. */
function encodeByKernel(run: SourceRun): boolean {
  const { kernel, body, reader, drops } = run;
  if (kernel === undefined) return false;
  if (isUnfinished(run)) return false;
  const end = drops?.nextLine(body.memory, reader) ?? reader.filled;
  if (end === reader.from) return false;
  // The kernel writes a newline there.
  const first = body.memory[end]!;
  const isDone = encodeLines(run, kernel, end);
  if (end === reader.filled) return isDone;
  body.memory[end] = first;
  return false;
}

/** Leaves out the line at the reader, if a rule does; whether it did. */
function dropLine({ body, tally, reader, drops, partials }: SourceRun): boolean {
  if (drops === undefined || partials.size > 0) return false;
  const found = drops.look(body.memory, reader);
  if (found === undefined) return false;
  tally.addLine();
  tally.addDropped(found.ruleIndex);
  reader.lookBack.noteStart(reader.offset);
  reader.advanceTo(found.next, false);
  return true;
}

/** Encodes the line at the reader, for whose object the kernel stopped; whether it had room. */
function takeLarge(run: SourceRun, kernel: Kernel, end: number): boolean {
  const { body, tally, reader } = run;
  const { newline: lineEnd } = kernel.largeEntry();
  // Its end is not read yet.
  if (lineEnd >= end) return false;
  const line = parseCriLine(body.memory, reader.from, lineEnd);
  assert(line !== undefined && !line.partial);
  const { time, stream } = line;
  const insertId = insertIdOf(reader.segment.idPrefix, reader.offset);
  if (!appendLarge(run, kernel, { time, stream, insertId })) return false;
  tally.addLine();
  reader.lookBack.noteLine({ at: reader.offset, time });
  reader.advanceTo(lineEnd + 1, false);
  return true;
}

/**
 * Encodes the lines up to `end`; whether all of them were the kernel's, or will be when more is
 * read.
 */
function encodeLines(run: SourceRun, kernel: Kernel, end: number): boolean {
  let reason = encodeUpTo(run, kernel, end);
  while (reason === stopLarge && takeLarge(run, kernel, end)) {
    if (run.reader.from === end) return true;
    reason = encodeUpTo(run, kernel, end);
  }
  return reason === stopDone || (reason === stopOpenTrace && !run.reader.isEnd);
}

/** Encodes lines up to one that is not the kernel's; returns why it stopped. */
function encodeUpTo(run: SourceRun, kernel: Kernel, end: number): number {
  const { body, tally, reader } = run;
  const reason = kernel.encodeLines({
    position: reader.from,
    end,
    out: body.out,
    softEnd: softEnd(run),
    offset: reader.offset,
    heldStreams: heldStreams(run),
  });
  const { position, out, lines, entries, lastLine } = kernel.result;
  reader.advanceTo(position, false);
  body.extend(out, entries);
  if (lines > 0) {
    tally.addFastLines(lines, entries);
    reader.lookBack.noteStart(reader.offsetOf(lastLine));
  }
  // Rules look at lines that are no CRI lines, too.
  const mayBeText = reason === stopNotCri && run.rules === undefined;
  const isText = mayBeText && body.memory[position] !== 0;
  if (isText) encodeTextsByKernel(run, kernel, lastLine);
  return reason;
}

/** Has the kernel encode lines that are not CRI's; `lastLine` is one with a time, 0 if none. */
function encodeTextsByKernel(run: SourceRun, kernel: Kernel, lastLine: number): void {
  const { body, tally, reader, context } = run;
  const { from: position, filled: end, offset } = reader;
  const call = { position, end, offset, out: body.out, softEnd: softEnd(run), heldStreams: 0 };
  const { lent } = reader.lookBack;
  if (lastLine > 0) {
    const until = lastLine + limits.lookBackBytes + 1;
    kernel.encodeTexts(call, { timedLine: lastLine, until });
  } else {
    const isLent = lent !== undefined && lent.time <= context.readAt.text;
    if (isLent) kernel.lendTime(lent.time);
    const until = isLent ? lent.until - reader.offsetOf(0) : 0;
    kernel.encodeTexts(call, { timedLine: undefined, until });
  }
  const { position: next, out, lines, entries } = kernel.result;
  reader.advanceTo(next, false);
  body.extend(out, entries);
  tally.addFastLines(lines, entries);
  tally.addMalformedLines(lines);
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
function endOfLine(memory: Buffer, { from, filled }: ChunkReader, lineEnd: number): number {
  return lineEnd < filled ? lineEnd : beforeZeros(memory, from, lineEnd);
}

/** The end of the line at `from`: its newline, or the chunk's end when there is none. */
function findNewline({ memory }: GrowingBody, { from, filled }: ChunkReader): number {
  // The byte past the chunk is ours: without it, the search would run on through the memory.
  memory[filled] = newline;
  return memory.indexOf(newline, from);
}

/** Whether the chunk is the beginning of one long line, which need not be looked at twice. */
function isUnfinished({ body, reader }: SourceRun): boolean {
  return findNewline(body, reader) === reader.filled;
}

/** Takes the line at the chunk's start by the reference. */
function takeNext(run: SourceRun): 'taken' | 'full' | 'incomplete' {
  const { body, reader } = run;
  const { from, filled, isMidLine, isLast, isFlushed } = reader;
  const lineEnd = findNewline(body, reader);
  const isTooLong = lineEnd - from > limits.lineBytesMax;
  if (lineEnd === filled && !isTooLong && !isLast) return 'incomplete';
  const isWhole = !isTooLong && (lineEnd < filled || !isFlushed);
  const end = isTooLong ? cutEnd(body.memory, from) : endOfLine(body.memory, reader, lineEnd);
  // At the end of its file it may have been flushed before: then it must have that id again.
  const atEnd = isFlushed ? 'flushed' : 'undecided';
  const incomplete = isTooLong ? 'cut' : lineEnd < filled ? undefined : atEnd;
  const take = isMidLine ? takeText : takeWholeLine;
  // A cut or flush may have fallen right before the newline: then nothing is left to send.
  const isEmptyRest = isMidLine && end === from;
  const taken = isEmptyRest ? end : take(run, { from, end, incomplete });
  if (taken === bodyIsFull) return 'full';
  if (taken === timeIsUnknown) return 'incomplete';
  if (!isMidLine) run.tally.addLine();
  const next = taken === lineEnd ? Math.min(taken + 1, filled) : taken;
  reader.advanceTo(next, !isWhole && taken === end);
  return 'taken';
}

/** Encodes the chunk as far as possible; `end` when nothing more of it can be taken. */
function encodeChunk(run: SourceRun): 'end' | 'full' | 'late' {
  const { body, tally, reader } = run;
  for (;;) {
    tally.addHole(reader.skipHole());
    if (reader.from === reader.filled) return 'end';
    if (!reader.isMidLine) {
      if (dropLine(run)) continue;
      if (encodeByKernel(run)) return 'end';
    }
    if (body.memory[reader.from] === 0 || reader.from === reader.filled) continue;
    if (!reader.isMidLine && dropLine(run)) continue;
    if (body.out >= softEnd(run)) return 'full';
    const outcome = takeNext(run);
    if (outcome === 'full') return 'full';
    if (outcome === 'incomplete') return 'end';
    // Only between two records: then something was taken, and nothing is begun twice.
    if (!reader.isMidLine && !hasOpenRecords(run) && body.isLate()) return 'late';
  }
}

/** Reads and encodes the reader's segment. */
function drainSegment(run: SourceRun): Stop {
  const { source, reader } = run;
  for (;;) {
    let isEnd: boolean | 'replaced' = false;
    try {
      isEnd = reader.read();
    } catch (error) {
      return { code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN' };
    }
    if (isEnd === 'replaced') return isEnd;
    let outcome = encodeChunk(run);
    if (outcome !== 'end') return outcome;
    if (isEnd && source.flushFirst && reader.isAtStart) {
      reader.flush();
      outcome = encodeChunk(run);
      if (outcome !== 'end') return outcome;
    }
    if (isEnd) return 'end';
    reader.compact();
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
function endOfSegment({ reader, tally }: SourceRun, stop: Stop): number {
  const { segment, offset, holeStart } = reader;
  if (holeStart === undefined) return offset;
  // A line that waits for its end follows the hole.
  const isOver = reader.from < reader.filled || segment.ended || isHoleOver(segment);
  if (stop !== 'end' || !isOver) return holeStart;
  tally.addHole(reader.endHole());
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
  const { segments } = run.source;
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index]!;
    run.reader.open(index);
    run.kernel?.setIdPrefix(segment.idPrefix);
    const stop = drainSegment(run);
    const offset = endOfSegment(run, stop);
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
  const earliest = openRecords(run)[0];
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
export function drainSource(
  encoder: Encoder,
  body: GrowingBody,
  source: Source,
  shared: SharedContext,
): SourceResult {
  if (source.segments.length === 0) return skipSource(source);
  const isFirstInBody = body.isEmpty;
  const run = openRun(encoder, body, source, shared);
  const left = drainSegments(run);
  const next = settle(run, left, isFirstInBody);
  const consumed = consumedOf(source, next, left.ends);
  return {
    consumed,
    positionHashes: consumed.map((end, index) => run.reader.hashBefore(index, end)),
    ...(left.stop === 'replaced' && { replaced: left.position.segment }),
    ...run.tally.answer(),
    readError: typeof left.stop === 'object' ? left.stop.code : undefined,
    more: left.stop === 'full' || left.stop === 'late',
  };
}
