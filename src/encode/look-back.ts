// The time of a line that has none: the one of the nearest CRI line that starts shortly before it
// in the same file. Called by the worker for lines that are no CRI.
//
// The invariant: the answer depends on the file's content alone, not on where a task or a chunk
// began. Otherwise a line sent twice would be two entries.

import { readSync } from 'node:fs';

import { parseCriLine } from './cri-line.ts';
import { limits } from '../config.ts';

/** What is known of the CRI lines of one file. Offsets are of the file. */
export type LookBack = {
  readonly fd: number;
  /** Where the task began to read this file. */
  readonly start: number;
  readonly fallbackTime: string;
  /** Start of the last CRI line that the task saw in this file; -1 before the first one. */
  lastLine: number;
  /** The last time that was looked up, and where its line starts. */
  known: { readonly line: number; readonly time: string } | undefined;
  /**
   * The nearest CRI line before `start`: undefined until it is needed, -1 if there is none near.
   */
  before: number | undefined;
};

const newline = 0x0a;
/** More than any CRI header with a time that is valid. */
const headerBytesMax = 128;

export function openLookBack(options: {
  fd: number;
  start: number;
  fallbackTime: string;
}): LookBack {
  return { ...options, lastLine: -1, known: undefined, before: undefined };
}

/** Up to `length` bytes of the file from `offset` on. */
function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** The time of the line that starts `at`, if it is a CRI line. */
function timeOf(bytes: Buffer, at: number): string | undefined {
  const end = bytes.indexOf(newline, at);
  return parseCriLine(
    bytes.subarray(at, end === -1 ? bytes.length : end),
    0,
    (end === -1 ? bytes.length : end) - at,
  )?.time;
}

/**
 * Start of the CRI line nearest before `end` among those that start at `floor` or later; -1 if
 * there is none.
 */
function findBefore(lookBack: LookBack, floor: number, end: number): number {
  // One byte more, to see whether a line starts at the floor.
  const from = Math.max(0, floor - 1);
  const bytes = readAt(lookBack.fd, from, end - from);
  let stop = bytes.length;
  while (stop > 0) {
    const before = stop === 1 ? -1 : bytes.lastIndexOf(newline, stop - 2);
    const lineStart = before + 1;
    const isStart = before >= 0 || from === 0;
    if (isStart && from + lineStart >= floor) {
      const time = timeOf(bytes, lineStart);
      if (time !== undefined) return from + lineStart;
    }
    stop = lineStart;
  }
  return -1;
}

/** The time for the line, or part of one, that begins at `offset` of the file. */
export function timeBefore(lookBack: LookBack, offset: number): string {
  const floor = Math.max(0, offset - limits.lookBackBytes);
  let line = lookBack.lastLine;
  if (line === -1) {
    const { start } = lookBack;
    lookBack.before ??= findBefore(lookBack, Math.max(0, start - limits.lookBackBytes), start);
    line = lookBack.before;
  }
  if (line < floor) return lookBack.fallbackTime;
  if (lookBack.known?.line !== line) {
    const time = timeOf(readAt(lookBack.fd, line, headerBytesMax), 0);
    lookBack.known = { line, time: time ?? lookBack.fallbackTime };
  }
  return lookBack.known.time;
}
