// Reads the bytes of a segment, chunk by chunk, into the encoder's window.
//
// The invariant: what is read continues the bytes that were read before, or nothing is read.

import { readSync } from 'node:fs';

import { limits } from '../../config.ts';
import { positionBytesOf, positionHash } from '../../position-hash.ts';
import type { Segment } from '../drain-task.ts';
import { openLookAhead } from './look-ahead.ts';
import { openLookBack } from './look-back.ts';
import { noHole } from './source-run.ts';
import type { SourceRun } from './source-run.ts';

const newline = 0x0a;
/**
 * Kept free at the window's end: for the newline that ends a chunk, and for loads that run past it.
 */
const windowReserveBytes = 256;

/** The bytes of the window that are read but not encoded; addresses. */
export type Chunk = {
  from: number;
  filled: number;
  /** Nothing follows: a line without newline is a line. */
  isLast: boolean;
  /** And it is no line yet, but has waited too long. */
  isFlushed: boolean;
};

/** Moves what is left of the chunk to the window's start. */
export function compact(run: SourceRun, chunk: Chunk): void {
  const { memory } = run.body;
  const { window } = run.encoder;
  if (chunk.filled > chunk.from) memory.copyWithin(window, chunk.from, chunk.filled);
  run.fileBase += chunk.from - window;
  chunk.filled -= chunk.from - window;
  chunk.from = window;
}

/**
 * Reads the segment's first chunk from some bytes earlier: they tell whether this is still the file
 * that was read before, and whether a line starts here.
 */
export function openSegment(run: SourceRun, index: number): Chunk {
  const segment = run.source.segments[index]!;
  const { window } = run.encoder;
  const before = positionBytesOf(segment.start);
  run.segment = index;
  run.fileBase = segment.start - before - window;
  run.inMidLine = false;
  run.holeStart = noHole;
  if (index > 0) {
    run.lookBack = openLookBack(segment, run.source.format);
    run.lookAhead = openLookAhead(segment, run.source.format);
  }
  run.kernel?.setIdPrefix(segment.idPrefix);
  return { from: window + before, filled: window, isLast: false, isFlushed: false };
}

/** Looks at the bytes before the segment's start. */
function isSameBefore(run: SourceRun, segment: Segment, { from, filled }: Chunk): boolean {
  if (filled < from) return false; // The file has become shorter.
  const bytes = run.body.memory.subarray(run.encoder.window, from);
  const last = bytes.at(-1);
  run.inMidLine = last !== newline && last !== 0;
  // The hole goes on, or the line after it begins.
  if (last === 0) run.holeStart = segment.start;
  const { positionHash: expected } = segment;
  return expected === undefined || positionHash(bytes) === expected;
}

/** Reads up to `encoder.readBytes` more of the segment; whether it was the last of it. */
export function readChunk(run: SourceRun, segment: Segment, chunk: Chunk): boolean | 'replaced' {
  const { encoder } = run;
  const windowEnd = encoder.window + limits.windowBytes - windowReserveBytes;
  const offset = run.fileBase + chunk.filled;
  const before = Math.max(0, chunk.from - chunk.filled);
  const readBytes = encoder.readBytes + before;
  const room = Math.min(readBytes, segment.end - offset, windowEnd - chunk.filled);
  const count = room > 0 ? readSync(segment.fd, run.body.memory, chunk.filled, room, offset) : 0;
  chunk.filled += count;
  if (before > 0 && !isSameBefore(run, segment, chunk)) {
    chunk.filled = chunk.from; // There is nothing to encode.
    return 'replaced';
  }
  return count === 0 || run.fileBase + chunk.filled >= segment.end;
}
