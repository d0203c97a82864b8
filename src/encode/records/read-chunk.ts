// Reads the segments of a source, chunk by chunk, into the encoder's window, and says where in them
// the encoder is.
//
// The invariant: what is read continues the bytes that were read before, or nothing is read.

import { readSync } from 'node:fs';

import { limits } from '../../config.ts';
import { positionBytesOf, positionHash } from '../../position-hash.ts';
import type { Segment, Source } from '../drain-task.ts';
import { pastZeros } from './hole.ts';
import { LookAhead } from './look-ahead.ts';
import { LookBack } from './look-back.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const noHole = -1;
const positionScratch = Buffer.allocUnsafeSlow(limits.positionBytes);
/** Kept before a chunk: they tell an empty line from one that follows an empty one. */
const keptBytes = 2;
/**
 * Kept free at the window's end: for the newline that ends a chunk, and for loads that run past it.
 */
const windowReserveBytes = 256;

/** Where a reader puts what it reads. */
type ReadBuffer = {
  /** The whole memory. */
  readonly memory: Buffer;
  /** Address of the window. */
  readonly window: number;
  /** Bytes asked of one read. */
  readonly readBytes: number;
};

/** Positions are addresses, offsets are of the file. */
export class ChunkReader {
  readonly #buffer: ReadBuffer;
  readonly #source: Source;
  #index = 0;
  #segment: Segment;
  #lookBack: LookBack;
  #lookAhead: LookAhead | undefined;
  /** Offset of address 0. */
  #base = 0;
  #from = 0;
  #filled = 0;
  #isEnd = false;
  #isLast = false;
  #isFlushed = false;
  #isMidLine = false;
  #holeStart = noHole;

  /** A reader of the source's first segment, nothing of which is read. */
  constructor(buffer: ReadBuffer, source: Source) {
    this.#buffer = buffer;
    this.#source = source;
    this.#segment = source.segments[0]!;
    this.#lookBack = new LookBack(this.#segment, source.format);
  }

  get index(): number {
    return this.#index;
  }

  get segment(): Segment {
    return this.#segment;
  }

  get lookBack(): LookBack {
    return this.#lookBack;
  }

  get lookAhead(): LookAhead {
    return (this.#lookAhead ??= new LookAhead(this.#segment, this.#source.format));
  }

  /** The first byte that is not encoded. */
  get from(): number {
    return this.#from;
  }

  /** One past the last byte that is read. */
  get filled(): number {
    return this.#filled;
  }

  /** Offset of the first byte that is not encoded. */
  get offset(): number {
    return this.#base + this.#from;
  }

  /** Nothing more of the segment can be read. */
  get isEnd(): boolean {
    return this.#isEnd;
  }

  /** Nothing follows: a line without newline is a line. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** And it is no line yet, but has waited too long. */
  get isFlushed(): boolean {
    return this.#isFlushed;
  }

  /** The next byte is inside a line whose beginning was cut off or flushed. */
  get isMidLine(): boolean {
    return this.#isMidLine;
  }

  /** Offset of the zeros before the next byte, where a line should begin. */
  get holeStart(): number | undefined {
    return this.#holeStart === noHole ? undefined : this.#holeStart;
  }

  /** Nothing of the source is encoded. */
  get isAtStart(): boolean {
    return this.#index === 0 && this.offset === this.#segment.start;
  }

  offsetOf(position: number): number {
    return this.#base + position;
  }
  /**
   * Begins a segment. Its first chunk is read from some bytes earlier: they tell whether this is
   * still the file that was read before, and whether a line starts here.
   */
  open(index: number): void {
    const { segments, format } = this.#source;
    const segment = segments[index]!;
    if (index > 0) {
      this.#lookBack = new LookBack(segment, format);
      this.#lookAhead = undefined;
    }
    const { window } = this.#buffer;
    const before = positionBytesOf(segment.start);
    this.#index = index;
    this.#segment = segment;
    this.#base = segment.start - before - window;
    this.#from = window + before;
    this.#filled = window;
    this.#isEnd = false;
    this.#isLast = false;
    this.#isFlushed = false;
    this.#isMidLine = false;
    this.#holeStart = noHole;
  }

  /**
   * Reads more of the segment; whether it was the last of it.
   * @throws the system's error.
   */
  read(): boolean | 'replaced' {
    const { memory, window, readBytes } = this.#buffer;
    const { fd, end, ended } = this.#segment;
    const windowEnd = window + limits.windowBytes - windowReserveBytes;
    const offset = this.#base + this.#filled;
    const before = Math.max(0, this.#from - this.#filled);
    const room = Math.min(readBytes + before, end - offset, windowEnd - this.#filled);
    const count = room > 0 ? readSync(fd, memory, this.#filled, room, offset) : 0;
    this.#filled += count;
    if (before > 0 && !this.#isSameBefore()) {
      this.#filled = this.#from; // There is nothing to encode.
      return 'replaced';
    }
    this.#isEnd = count === 0 || this.#base + this.#filled >= end;
    this.#isLast = this.#isEnd && ended;
    return this.#isEnd;
  }

  /** Looks at the bytes before the segment's start. */
  #isSameBefore(): boolean {
    if (this.#filled < this.#from) return false; // The file has become shorter.
    const bytes = this.#buffer.memory.subarray(this.#buffer.window, this.#from);
    const last = bytes.at(-1);
    this.#isMidLine = last !== newline && last !== 0;
    // The hole goes on, or the line after it begins.
    if (last === 0) this.#holeStart = this.#segment.start;
    const { positionHash: expected } = this.#segment;
    return expected === undefined || positionHash(bytes) === expected;
  }

  /** Moves what is left of the chunk, and the bytes before it, to the window's start. */
  compact(): void {
    const { memory, window } = this.#buffer;
    const start = Math.max(window, this.#from - keptBytes);
    memory.copyWithin(window, start, this.#filled);
    this.#base += start - window;
    this.#filled -= start - window;
    this.#from -= start - window;
  }

  /** What is left is flushed. */
  flush(): void {
    this.#isLast = true;
    this.#isFlushed = true;
  }

  /** Goes on at `position`, at the beginning of a line or, `isMidLine`, within one. */
  advanceTo(position: number, isMidLine: boolean): void {
    this.#from = position;
    this.#isMidLine = isMidLine;
  }

  /**
   * Skips the zeros before the next byte: a line begins there, or would go on after it was cut.
   * What follows them begins a line, of which nothing is left when it is a line's end. Returns the
   * length of the hole that ends here.
   */
  skipHole(): number {
    const { memory } = this.#buffer;
    const end = pastZeros(memory, this.#from, this.#filled);
    if (end > this.#from && this.#holeStart === noHole) this.#holeStart = this.offset;
    this.#from = end;
    if (this.#holeStart === noHole || end === this.#filled) return 0;
    const isReturn = memory[end] === carriageReturn;
    const isCut = isReturn && end + 1 === this.#filled;
    if (isCut && !this.#isLast) return 0; // The newline may follow.
    const bytes = this.endHole();
    if (isCut || memory[end] === newline) this.#from = end + 1;
    else if (isReturn && memory[end + 1] === newline) this.#from = end + 2;
    return bytes;
  }

  /** Ends the hole before the next byte; returns its length. */
  endHole(): number {
    const bytes = this.offset - this.#holeStart;
    this.#holeStart = noHole;
    this.#isMidLine = false;
    return bytes;
  }

  /** The hash of the bytes before `offset` of a segment, from the window where they still are. */
  hashBefore(index: number, offset: number): number | undefined {
    const { memory, window } = this.#buffer;
    const { fd, start } = this.#source.segments[index]!;
    if (offset === start) return undefined;
    const length = positionBytesOf(offset);
    const at = offset - length - this.#base;
    if (index === this.#index && at >= window) {
      return positionHash(memory.subarray(at, at + length));
    }
    try {
      const count = readSync(fd, positionScratch, 0, length, offset - length);
      return count < length ? undefined : positionHash(positionScratch.subarray(0, length));
    } catch {
      return undefined; // The next read says what is wrong with the disk.
    }
  }
}
