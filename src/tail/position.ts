// How far one file was drained and how far that was acknowledged, with the hash of the bytes before
// either offset and, for lines without a time, when they were read.
//
// Invariant: committed <= offset. Committed never passes a range whose answer is missing, and
// neither goes back unless the whole position is given up.

import assert from 'node:assert/strict';

import { append } from './append.ts';
import type { ReadTime } from '../commit/checkpoint.ts';
import { emptyPositionHash } from '../position-hash.ts';
import type { KnownOffset } from './tail-setup.ts';

/** Where to start. An undefined hash is never compared. */
type Start = {
  readonly offset: number;
  readonly hash: number | undefined;
  readonly readTimes: readonly ReadTime[];
};

/** A range of the file that is in flight. */
export type DrainedRange = {
  readonly end: number;
  /** Of the bytes before its end. */
  readonly hash: number | undefined;
  isAnswered: boolean;
};

const beginning: Start = { offset: 0, hash: emptyPositionHash, readTimes: [] };

export class Position {
  #offset = 0;
  #hash: number | undefined = emptyPositionHash;
  #committed = 0;
  #committedHash: number | undefined = emptyPositionHash;
  #readTimes: readonly ReadTime[] = [];
  /** The end of the last range; undefined: none was begun. */
  #begunEnd: number | undefined;
  /** Those in flight, in file order: at most as many as slots. */
  #begun: readonly DrainedRange[] = [];

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

  /** Of bytes after `committed` that may have been sent, oldest first. */
  get readTimes(): readonly ReadTime[] {
    return this.#readTimes;
  }

  /** As it goes into a checkpoint. */
  get stored(): Pick<KnownOffset, 'offset' | 'positionHash' | 'readTimes'> {
    const { committed: offset, readTimes } = this;
    return { offset, positionHash: this.#committedHash, readTimes };
  }

  /** No range was begun since the start. */
  get isFresh(): boolean {
    return this.#begunEnd === undefined;
  }

  /** Takes everything before `start` as acknowledged. */
  restart({ offset, hash, readTimes }: Start = beginning): void {
    this.#offset = offset;
    this.#hash = hash;
    this.#committed = offset;
    this.#committedHash = hash;
    this.#readTimes = readTimes;
    this.#begunEnd = undefined;
    this.#begun = [];
  }

  drained(end: number, hash: number | undefined): void {
    this.#offset = end;
    this.#hash = hash;
  }

  /** The end of the next record that was flushed, and perhaps sent. */
  get flushedEnd(): number | undefined {
    return this.#readTimes.find(({ end, isFlushed }) => isFlushed && end > this.#offset)?.end;
  }

  /** Puts `[start, offset)` in flight; `read` is what must be the same if it is sent again. */
  begin(start: number, read: Pick<ReadTime, 'atMs' | 'isFlushed'> | undefined): DrainedRange {
    const end = this.#offset;
    assert.equal(start, this.#begunEnd ?? start, 'ranges are begun in order and without gaps');
    assert(start <= end, 'a range ends before it starts');
    const marked = this.#readTimes.at(-1)?.end ?? start;
    if (read !== undefined && end > marked) {
      this.#readTimes = [...this.#readTimes, { ...read, end, hash: this.#hash }];
    }
    const range = { end, hash: this.#hash, isAnswered: false };
    this.#begun = append(this.#begun, range);
    this.#begunEnd = end;
    return range;
  }

  /** Notes an answer; they come in any order. Returns by how many bytes `committed` moved. */
  acknowledge(range: DrainedRange): number {
    assert(!range.isAnswered, 'a range is answered once');
    range.isAnswered = true;
    const before = this.#committed;
    // A range of a position that was given up is not in the list.
    for (let first = this.#begun[0]; first?.isAnswered === true; first = this.#begun[0]) {
      this.#committed = first.end;
      this.#committedHash = first.hash;
      this.#begun = this.#begun.slice(1);
    }
    if (this.#readTimes.length > 0) {
      this.#readTimes = this.#readTimes.filter(({ end }) => end > this.#committed);
    }
    return this.#committed - before;
  }
}
