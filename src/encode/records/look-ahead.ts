// The time of a line that has none where no line before it has one either, as at a file's
// beginning: that of the first line with a time that comes after it in the same file.
//
// The invariant: the answer depends on the file's content alone. While that line may still be
// written, the time is not known yet.

import type { LineFormat, Segment } from '../drain-task.ts';
import { tornAt } from './hole.ts';
import { headerBytesMax, readBytesAt, timedBytesMin, timedLineIn } from './timed-line.ts';
import type { TimedLine } from './timed-line.ts';
import { limits } from '../../config.ts';

const newline = 0x0a;

/** `time` is undefined where no line has one, or the one that has is not written yet. */
type TimeAhead = {
  readonly isKnown: boolean;
  readonly time: string | undefined;
  /** The same for all offsets from the one asked for up to here. */
  readonly until: number;
};

const unknownTime: TimeAhead = { isKnown: false, time: undefined, until: 0 };

/** The first line in `bytes` that starts before `limit` and may start where they begin. */
function findIn(bytes: Buffer, limit: number, format: LineFormat): TimedLine | undefined {
  const mayBeTorn = tornAt(bytes, 0, bytes.length) !== -1;
  for (let start = 0; start < limit && start < bytes.length;) {
    // A file of empty lines has as many as bytes.
    if (bytes[start] === newline) {
      start++;
      continue;
    }
    const at = bytes.indexOf(newline, start);
    const end = at === -1 ? bytes.length : at;
    const isShort = end - start < timedBytesMin;
    const line = isShort ? undefined : timedLineIn(bytes, [start, end], format, mayBeTorn);
    if (line !== undefined) return line.at < limit ? line : undefined;
    start = end + 1;
  }
  return undefined;
}

/** What is known of the lines ahead in one file. Offsets are of the file. */
export class LookAhead {
  readonly #fd: number;
  readonly #format: LineFormat;
  /** Nothing will be appended to the file. */
  readonly #isWhole: boolean;
  /** What was found last. */
  #found: TimedLine | undefined;
  /** Up to here, there is none after the offsets that were asked for. */
  #noneUntil = 0;

  constructor({ fd, ended }: Pick<Segment, 'fd' | 'ended'>, format: LineFormat) {
    this.#fd = fd;
    this.#format = format;
    this.#isWhole = ended;
  }

  /**
   * The time of the first such line from `offset` of the file on, where a line ends. It is looked
   * for up to the end of the block of `lookAheadBytes` after the one of `offset`: so each block is
   * read twice, however many lines ask.
   */
  timeAfter(offset: number): TimeAhead {
    const block = limits.lookAheadBytes;
    const limit = (Math.floor(offset / block) + 2) * block;
    const noTime: TimeAhead = { isKnown: true, time: undefined, until: limit - block };
    if (this.#found !== undefined && this.#found.at >= offset) {
      const { at, time } = this.#found;
      return at < limit ? { isKnown: true, time, until: at } : noTime;
    }
    if (this.#noneUntil === limit) return noTime;
    const length = limit - offset + headerBytesMax;
    const bytes = readBytesAt(this.#fd, offset, length);
    const line = findIn(bytes, limit - offset, this.#format);
    if (line !== undefined) {
      this.#found = { ...line, at: offset + line.at };
      return { isKnown: true, time: line.time, until: this.#found.at };
    }
    if (bytes.length < length && !this.#isWhole) return unknownTime;
    this.#noneUntil = limit;
    return noTime;
  }
}
