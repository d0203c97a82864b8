// Finds a line that has a time among other bytes: a line without one takes its time from there
// (look-back.ts, look-ahead.ts). The invariant: it finds the lines that the drain takes, at the
// same offsets.

import { readSync } from 'node:fs';

import { parseCriLine } from './cri-line.ts';
import { parseDockerLine } from './docker-line.ts';
import type { LineFormat } from '../drain-task.ts';
import { pastZeros, tornAt } from './hole.ts';

export type TimedLine = {
  /** Offset of its first byte. */
  readonly at: number;
  /** RFC 3339. */
  readonly time: string;
};

const hyphen = 0x2d;
/** Fewer than those of any line with a time: `2024-03-05T14:07:21Z`. */
export const timedBytesMin = 20;
/** More than any CRI header with a time that is valid. */
export const headerBytesMax = 128;

/**
 * Fewer zeros before a header are content: a container that writes them as lines would have each
 * byte cost 27 times one of plain text.
 */
const tearZerosMin = 32;

/** The time of the line of [at, end), of which the last bytes may be missing. */
function timeOf(bytes: Buffer, at: number, end: number, format: LineFormat): string | undefined {
  if (format === 'cri' && bytes[at + 4] !== hyphen) return undefined; // It follows the year.
  if (format === 'docker') return parseDockerLine(bytes, at, end)?.time;
  const header = bytes.subarray(at, Math.min(end, at + headerBytesMax));
  return parseCriLine(header, 0, header.length)?.time;
}

/**
 * The line in [start, end), which begins where a line may begin and holds no newline: it may come
 * after a hole, which may have torn another line. `mayBeTorn` is false where that is known not to
 * be.
 */
export function timedLineIn(
  bytes: Buffer,
  [start, end]: readonly [start: number, end: number],
  format: LineFormat,
  mayBeTorn = true,
): TimedLine | undefined {
  for (let at = pastZeros(bytes, start, end); at < end;) {
    const time = timeOf(bytes, at, end, format);
    if (time !== undefined) return { at, time };
    const torn = mayBeTorn ? tornAt(bytes, at, end) : -1;
    if (torn === -1) return undefined;
    at = pastZeros(bytes, torn, end);
  }
  return undefined;
}

/** Where the content of a line breaks off, and what follows it. */
export type Tear = {
  /** One past what there is of the line; zeros begin there. */
  readonly end: number;
  /** Where the next line begins. */
  readonly next: number;
};

/**
 * The first tear of the CRI line of [from, end): many zeros, and then the header of another line. A
 * power loss leaves that where it cuts a line off in its content. Zeros alone are content.
 */
export function tearOf(bytes: Buffer, from: number, end: number): Tear | undefined {
  for (let torn = tornAt(bytes, from, end); torn !== -1;) {
    const next = pastZeros(bytes, torn, end);
    const isHole = next - torn >= tearZerosMin && timeOf(bytes, next, end, 'cri') !== undefined;
    if (isHole) return { end: torn, next };
    torn = tornAt(bytes, next, end);
  }
  return undefined;
}

/** The last line of [start, end), which holds no newline: a tear may separate several. */
export function lastTimedLineIn(
  bytes: Buffer,
  [start, end]: readonly [start: number, end: number],
  format: LineFormat,
): TimedLine | undefined {
  const line = timedLineIn(bytes, [start, end], format);
  const tear = line && format === 'cri' ? tearOf(bytes, line.at, end) : undefined;
  return tear === undefined ? line : lastTimedLineIn(bytes, [tear.next, end], format);
}

function readUpTo(fd: number, bytes: Buffer, offset: number): number {
  try {
    return readSync(fd, bytes, 0, bytes.length, offset);
  } catch {
    return 0;
  }
}

/**
 * Up to `length` bytes of the file from `offset` on; fewer at its end and where it cannot be read,
 * which the next read of the drain reports.
 */
export function readBytesAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = readUpTo(fd, bytes.subarray(filled), offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
