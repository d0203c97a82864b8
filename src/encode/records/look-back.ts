// The time of a line that has none, from the lines before it: the one of the nearest line with a
// time that starts shortly before it in the same file.
//
// The invariant: the answer depends on the file's content alone, not on where a task or a chunk
// began. Otherwise a line sent twice would be two entries.

import type { LineFormat, Segment } from '../drain-task.ts';
import { tornAt } from './hole.ts';
import { headerBytesMax, lastTimedLineIn, readBytesAt, timedLineIn } from './timed-line.ts';
import type { TimedLine } from './timed-line.ts';
import { limits } from '../../config.ts';

const newline = 0x0a;

/** Where a line may begin in the bytes of [0, end), of which the first are the end of another. */
function firstStart(bytes: Buffer, end: number): number {
  if (bytes[0] === 0) return 0;
  const torn = tornAt(bytes, 0, end);
  return torn === -1 ? end : torn;
}

/** A time of lines that have none. */
export type LentTime = { readonly time: string; /** An offset. */ readonly until: number };

/** What is known of the lines with a time of one file. Offsets are of the file. */
export class LookBack {
  readonly #fd: number;
  readonly #format: LineFormat;
  /** Where the task began to read this file. */
  readonly #start: number;
  /** Start of the last such line that the task saw in this file; -1 before the first one. */
  #lastLine = -1;
  /** The last one whose time is known. */
  #known: TimedLine | undefined;
  /** The nearest one before `#start`: undefined until it is needed, `none` if none is near. */
  #before: TimedLine | 'none' | undefined;

  /** What lines without a time get that end before `until`; undefined if that is not known. */
  #lent: LentTime | undefined;

  constructor({ fd, start }: Pick<Segment, 'fd' | 'start'>, format: LineFormat) {
    this.#fd = fd;
    this.#format = format;
    this.#start = start;
  }

  /** Notes where a line with a time starts. */
  noteStart(offset: number): void {
    this.#lastLine = offset;
    this.#lent = undefined;
  }

  /** Notes a line whose time is known. */
  noteLine(line: TimedLine): void {
    this.#lastLine = line.at;
    this.#known = line;
    this.#lent = undefined;
  }

  get lent(): LentTime | undefined {
    return this.#lent;
  }

  /** Notes what lines get that come next. */
  lend(lent: LentTime): void {
    this.#lent = lent;
  }

  /**
   * The time for the line, or part of one, that begins at `offset` of the file; undefined when no
   * line before it is near.
   */
  timeBefore(offset: number): string | undefined {
    const floor = Math.max(0, offset - limits.lookBackBytes);
    const lastLine = this.#lastLine;
    if (lastLine === -1) {
      const before = (this.#before ??= this.#findBefore());
      return before === 'none' || before.at < floor ? undefined : this.#lendOf(before);
    }
    if (lastLine < floor) return undefined;
    if (this.#known?.at !== lastLine) {
      // The kernel took it: it begins with its header.
      const header = readBytesAt(this.#fd, lastLine, headerBytesMax);
      const end = header.indexOf(newline);
      const line = timedLineIn(header, [0, end === -1 ? header.length : end], this.#format);
      if (line === undefined) return undefined; // The file holds other bytes now.
      this.#known = { ...line, at: lastLine };
    }
    return this.#lendOf(this.#known);
  }

  #lendOf({ at, time }: TimedLine): string {
    this.#lent = { time, until: at + limits.lookBackBytes + 1 };
    return time;
  }

  /** The nearest line before `#start` among those that start at most `lookBackBytes` before it. */
  #findBefore(): TimedLine | 'none' {
    const start = this.#start;
    const floor = Math.max(0, start - limits.lookBackBytes);
    // One byte more, to see whether a line starts at the floor.
    const from = Math.max(0, floor - 1);
    const bytes = readBytesAt(this.#fd, from, start - from);
    for (let stop = bytes.length; stop > 0;) {
      const end = bytes[stop - 1] === newline ? stop - 1 : stop;
      const before = end === 0 ? -1 : bytes.lastIndexOf(newline, end - 1);
      const isStart = before >= 0 || from === 0;
      const begin = isStart ? before + 1 : firstStart(bytes, end);
      const line = lastTimedLineIn(bytes, [begin, end], this.#format);
      if (line !== undefined && from + line.at >= floor) return { ...line, at: from + line.at };
      stop = before + 1;
    }
    return 'none';
  }
}
