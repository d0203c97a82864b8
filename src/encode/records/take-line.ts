// Takes one line, or part of one, that the kernel hands back: the bytes between two newlines,
// without the zeros before them.
//
// The invariant: a line that was not taken (the body is full, or the line waits for its time) has
// changed nothing.

import { parseCriLine } from './cri-line.ts';
import { parseDockerLine } from './docker-line.ts';
import { emitText } from './emit-record.ts';
import type { Incomplete } from './emit-record.ts';
import { tornAt } from './hole.ts';
import { takeLine } from './open-record.ts';
import type { FormatLine } from './open-record.ts';
import type { SourceRun } from './source-run.ts';
import { tearOf } from './timed-line.ts';

/** Bytes of the memory, and why they are not all of their line. */
export type Piece = {
  readonly from: number;
  readonly end: number;
  readonly incomplete: Incomplete;
  /** The rest of the line never came. */
  readonly isTorn?: boolean;
};

/** One past what was taken, or one of the constants, which are no addresses. */
export type Taken = number;
export const bodyIsFull: Taken = 0;
/** The line has no time, and the one whose time it will get is not written yet. */
export const timeIsUnknown: Taken = 1;

const carriageReturn = 0x0d;
const newline = 0x0a;

/** When a line without a time of its own was read: the first time, if it was read before. */
function readTimeOf(run: SourceRun, offset: number): string {
  const { lineTimes, fallbackTime } = run.reader.segment;
  return lineTimes?.find(({ end }) => offset < end)?.time ?? fallbackTime;
}

/**
 * The time of a line that has none, which ends at `next`; undefined while a line whose time it gets
 * may still come.
 */
function borrowedTime(run: SourceRun, offset: number, next: number): string | undefined {
  if (run.source.format === 'raw') return readTimeOf(run, offset);
  const before = run.reader.lookBack.timeBefore(offset);
  if (before !== undefined) return before;
  const { lookBack, lookAhead, segment } = run.reader;
  const { isKnown, time = segment.fallbackTime, until } = lookAhead.timeAfter(next);
  if (isKnown) lookBack.lend({ time, until });
  return isKnown || run.source.flushFirst ? time : undefined;
}

/** Takes bytes that are no line of the file's format. */
export function takeText(run: SourceRun, { from, end, incomplete }: Piece): Taken {
  const { reader } = run;
  const offset = reader.offsetOf(from);
  const time = borrowedTime(run, offset, reader.offsetOf(end));
  if (time === undefined) return timeIsUnknown;
  const isReturn =
    incomplete === undefined && end > from && run.body.memory[end - 1] === carriageReturn;
  const isTaken = emitText(run, {
    content: run.body.memory.subarray(from, isReturn ? end - 1 : end),
    position: { segment: reader.index, offset },
    time,
    stream: 'stdout',
    incomplete,
  });
  return isTaken ? end : bodyIsFull;
}

/** The line that a piece is; undefined when it is none of the file's format. */
function parseLine(
  run: SourceRun,
  { from, end, incomplete, isTorn = false }: Piece,
): FormatLine | undefined {
  const bytes = run.body.memory.subarray(from, end);
  const position = { segment: run.reader.index, offset: run.reader.offsetOf(from) };
  if (run.source.format === 'docker') {
    const line = parseDockerLine(bytes, 0, bytes.length);
    return line && { ...line, position, incomplete };
  }
  if (run.source.format === 'cri') {
    const line = parseCriLine(bytes, 0, bytes.length);
    if (line === undefined) return undefined;
    const { time, stream } = line;
    const content = bytes.subarray(line.contentStart, line.contentEnd);
    // The end of a file is none for a partial line: it goes on in the next one.
    const goesOn = !isTorn && (incomplete === undefined || incomplete === 'undecided');
    const partial = line.partial && goesOn;
    return {
      content,
      position,
      time,
      stream,
      partial,
      incomplete: partial ? undefined : incomplete,
    };
  }
  const content = bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes;
  const time = readTimeOf(run, position.offset);
  return { content, position, time, stream: 'stdout', partial: false, incomplete };
}

/**
 * Whether the line is empty and comes after an empty one, as the bytes before it say. Those of a
 * chunk's start are in the window.
 */
function isEmptyAgain(run: SourceRun, { from, end }: Piece): boolean {
  const { memory } = run.body;
  const offset = run.reader.offsetOf(from);
  if (end > from || offset === 0 || memory[from - 1] !== newline) return false;
  return offset === 1 || memory[from - 2] === newline;
}

/** Takes a line from its beginning. One that is not of the file's format is text, up to a tear. */
export function takeWholeLine(run: SourceRun, whole: Piece): Taken {
  const isCri = run.source.format === 'cri';
  const tear = isCri ? tearOf(run.body.memory, whole.from, whole.end) : undefined;
  const piece =
    tear === undefined ? whole : { ...whole, end: tear.end, incomplete: undefined, isTorn: true };
  const line = parseLine(run, piece);
  if (line !== undefined) {
    if (!takeLine(run, line)) return bodyIsFull;
    run.reader.lookBack.noteLine({ at: line.position.offset, time: line.time });
    return piece.end;
  }
  if (isEmptyAgain(run, piece)) {
    run.tally.addMalformedLines(1);
    return piece.end;
  }
  const torn = tornAt(run.body.memory, piece.from, piece.end);
  const taken = takeText(run, torn === -1 ? piece : { ...piece, end: torn, incomplete: undefined });
  if (taken > timeIsUnknown) run.tally.addMalformedLines(1);
  return taken;
}
