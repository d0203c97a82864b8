// How far one file was drained and how far that was acknowledged, with the hash of the bytes before
// either place and, for lines without a time of their own, when they were read.
//
// Invariant: committed <= offset. Neither passes a range whose answer is missing or goes back,
// unless the whole position is given up.

import type { ReadTime } from '../commit/checkpoint.ts';
import { emptyPositionHash } from '../position-hash.ts';
import { createLowWater, type LowWater } from './low-water.ts';
import type { KnownOffset } from './tail-setup.ts';

/** A place to start from. An undefined hash is never compared. */
type Start = {
  readonly offset: number;
  readonly hash: number | undefined;
  readonly readTimes: readonly ReadTime[];
};

/** What was drained at once, until its answer comes. */
export type DrainedRange = { readonly lowWater: LowWater; readonly ticket: number };

const beginning: Start = { offset: 0, hash: emptyPositionHash, readTimes: [] };

export class Position {
  #offset = 0;
  #hash: number | undefined = emptyPositionHash;
  #committed = 0;
  #committedHash: number | undefined = emptyPositionHash;
  #readTimes: readonly ReadTime[] = [];
  #lowWater: LowWater | undefined;
  /** The ends of the ranges on their way, in file order. */
  #begun: { readonly end: number; readonly hash: number | undefined }[] = [];

  /** Next byte to drain. */
  get offset(): number {
    return this.#offset;
  }

  /** Of the bytes before the offset. */
  get hash(): number | undefined {
    return this.#hash;
  }

  /** Everything before it is acknowledged. */
  get committed(): number {
    return this.#committed;
  }

  /** Of what may have been sent behind `committed`, oldest first. */
  get readTimes(): readonly ReadTime[] {
    return this.#readTimes;
  }

  /** As it goes into a checkpoint. */
  get stored(): Pick<KnownOffset, 'offset' | 'positionHash' | 'readTimes'> {
    const { committed: offset, readTimes } = this;
    return { offset, positionHash: this.#committedHash, readTimes };
  }

  /** Nothing was drained since the start. */
  get isFresh(): boolean {
    return this.#lowWater === undefined;
  }

  /** Takes `start` as all that was acknowledged. */
  restart({ offset, hash, readTimes }: Start = beginning): void {
    this.#offset = offset;
    this.#hash = hash;
    this.#committed = offset;
    this.#committedHash = hash;
    this.#readTimes = readTimes;
    this.#lowWater = undefined;
    this.#begun = [];
  }

  drained(end: number, hash: number | undefined): void {
    this.#offset = end;
    this.#hash = hash;
  }

  /** Where a record ends that was flushed there and may have been sent, if it is read next. */
  get flushedEnd(): number | undefined {
    return this.#readTimes.find(({ end, isFlushed }) => isFlushed && end > this.#offset)?.end;
  }

  /**
   * Puts what was drained from `start` on its way; `read` says what must be the same should it be
   * sent again.
   */
  begin(start: number, read: Pick<ReadTime, 'atMs' | 'isFlushed'> | undefined): DrainedRange {
    this.#lowWater ??= createLowWater(start);
    const end = this.#offset;
    const marked = this.#readTimes.at(-1)?.end ?? start;
    if (read !== undefined && end > marked) {
      this.#readTimes = [...this.#readTimes, { ...read, end, hash: this.#hash }];
    }
    this.#begun.push({ end, hash: this.#hash });
    return { lowWater: this.#lowWater, ticket: this.#lowWater.begin(start, end) };
  }

  /** The answer came. Returns by how many bytes `committed` moved. */
  acknowledge({ lowWater, ticket }: DrainedRange): number {
    lowWater.done(ticket);
    if (lowWater !== this.#lowWater) return 0; // That position was given up.
    const before = this.#committed;
    this.#committed = lowWater.offset;
    let first = this.#begun[0];
    while (first !== undefined && first.end <= this.#committed) {
      this.#committedHash = first.hash;
      this.#begun.shift();
      first = this.#begun[0];
    }
    if (this.#readTimes.length > 0) {
      this.#readTimes = this.#readTimes.filter(({ end }) => end > this.#committed);
    }
    return this.#committed - before;
  }
}
