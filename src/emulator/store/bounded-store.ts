// A store in memory that stays within a bound: the oldest entries by arrival go first.
//
// It is a row of MemoryStores, the last of which is written to. When that one has its share of the
// bound, another begins, and the oldest is dropped whole, so that dropping costs nothing.
// Invariant: what was dropped is counted. Its identity is forgotten with it: an entry that is sent
// again after that counts as a new one.

import type { EntryKey, EntryStore, PageRequest, StoredEntry } from './entry-store.ts';
import { compareText } from './entry-store.ts';
import { MemoryStore } from './memory-store.ts';

/** The number of parts, of which one is dropped at a time. */
const usualPartCount = 8;

export class BoundedStore implements EntryStore {
  readonly #partBytesMax: number;
  readonly #partCountMax: number;
  /** The oldest first. */
  #parts = [new MemoryStore()];
  #droppedCount = 0;

  constructor(bytesMax: number, partCountMax = usualPartCount) {
    this.#partBytesMax = bytesMax / partCountMax;
    this.#partCountMax = partCountMax;
  }

  get count(): number {
    return this.#parts.reduce((sum, { count }) => sum + count, 0);
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  get bytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  transaction(work: () => void): void {
    work();
  }

  add(entry: StoredEntry): boolean {
    const last = this.#parts.length - 1;
    if (this.#parts.some((part, index) => index < last && part.has(entry))) return false;
    const isNew = this.#parts[last]?.add(entry) ?? false;
    if ((this.#parts[last]?.bytes ?? 0) >= this.#partBytesMax) this.#begin();
    return isNew;
  }

  page({ after, descending = false, countMax }: PageRequest): StoredEntry[] {
    const [only] = this.#parts;
    if (this.#parts.length === 1 && only !== undefined) {
      return only.page({ after, descending, countMax });
    }
    const sign = descending ? -1 : 1;
    return this.#parts
      .flatMap((part) => part.page({ after, descending, countMax }))
      .toSorted((left, right) => sign * compareKeys(left, right))
      .slice(0, countMax);
  }

  logNames(): string[] {
    const names = new Set(this.#parts.flatMap((part) => part.logNames()));
    return [...names].toSorted(compareText);
  }

  deleteLog(logName: string): number {
    return this.#parts.reduce((sum, part) => sum + part.deleteLog(logName), 0);
  }

  clear(): void {
    this.#parts = [new MemoryStore()];
    this.#droppedCount = 0;
  }

  close(): void {
    this.clear();
  }

  #begin(): void {
    if (this.#parts.length === this.#partCountMax) {
      this.#droppedCount += this.#parts.shift()?.count ?? 0;
    }
    this.#parts.push(new MemoryStore());
  }
}

function compareKeys(left: EntryKey, right: EntryKey): number {
  return (
    left.timestamp.seconds - right.timestamp.seconds ||
    left.timestamp.nanos - right.timestamp.nanos ||
    compareText(left.insertId, right.insertId) ||
    compareText(left.parent, right.parent)
  );
}
