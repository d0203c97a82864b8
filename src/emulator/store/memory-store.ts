// The default store: a million entries of 250 bytes in 170 MB, mostly columns and blocks.
//
// An entry's JSON goes into compressed blocks (entry-blocks.ts); its key and place are in typed
// columns, so that finding repeats and sorting touch no block.
//
//   columns   seconds nanos idStart idLength block start end parent log defaults received hash
//   slots     open addressing: hash of (parent, timestamp, insertId) → entry + 1
//   order     entries sorted by key, made when a page is asked for
//
// Invariant: an identity is in the columns once.

import { Blocks } from './entry-blocks.ts';
import type { EntryKey, EntryStore, PageRequest, StoredEntry } from './entry-store.ts';
import { compareText } from './entry-store.ts';

const firstCapacity = 1024;
type Found = {
  readonly isKnown: boolean;
  readonly slot: number;
  readonly hash: number;
  readonly parent: number;
};

const doubleNames = ['seconds', 'received'] as const;
const wordNames = [
  ...(['nanos', 'receivedNanos', 'idStart', 'idLength', 'block', 'start', 'end'] as const),
  ...(['parent', 'log', 'defaults', 'hash'] as const),
] as const;
const entryColumnBytes = 8 * doubleNames.length + 4 * wordNames.length;

type Columns = Readonly<
  Record<(typeof doubleNames)[number], Float64Array> &
    Record<(typeof wordNames)[number], Uint32Array>
>;

/** Empty columns, or a longer copy of others. */
function makeColumns(capacity: number, from?: Columns): Columns {
  const columns: Record<string, Float64Array | Uint32Array> = {};
  for (const name of doubleNames) columns[name] = new Float64Array(capacity);
  for (const name of wordNames) columns[name] = new Uint32Array(capacity);
  if (from !== undefined) {
    for (const [name, column] of Object.entries(from)) columns[name]?.set(column);
  }
  return columns as Columns;
}

/** Strings that many entries share, by number. */
class Names {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }

  nameOf(number: number | undefined): string {
    return this.#names[number ?? -1] ?? '';
  }
}

/** Entries in memory, compressed; gone with the process. */
export class MemoryStore implements EntryStore {
  #count = 0;
  #columns = makeColumns(firstCapacity);
  #slots = new Uint32Array(firstCapacity * 2);
  #ids = Buffer.allocUnsafe(firstCapacity * 40);
  #idsBytes = 0;
  #blocks = new Blocks();
  #parents = new Names();
  #logs = new Names();
  #defaults = new Names();
  #order = new Uint32Array(0);

  get count(): number {
    return this.#count;
  }

  /** Allocated for entries, full or not; blocks decompressed for a page are not counted. */
  get bytes(): number {
    const columnBytes = this.#columns.seconds.length * entryColumnBytes;
    const wordBytes = 4 * (this.#slots.length + this.#order.length);
    return columnBytes + wordBytes + this.#ids.length + this.#blocks.bytes;
  }

  transaction(work: () => void): void {
    work();
  }

  has(entry: EntryKey): boolean {
    const idStart = this.#idsBytes;
    const { isKnown } = this.#find(entry);
    this.#idsBytes = idStart;
    return isKnown;
  }

  add(entry: StoredEntry): boolean {
    const { seconds, nanos } = entry.timestamp;
    if (this.#count * 2 >= this.#slots.length) this.#growSlots();
    const columns = this.#columnsWithRoom();
    const idStart = this.#idsBytes;
    const { isKnown, slot, hash, parent } = this.#find(entry);
    if (isKnown) {
      this.#idsBytes = idStart;
      return false;
    }
    const idLength = this.#idsBytes - idStart;
    const span = this.#blocks.append(entry.json);
    const index = this.#count;
    columns.seconds[index] = seconds;
    columns.nanos[index] = nanos;
    columns.received[index] = entry.receiveTime.seconds;
    columns.receivedNanos[index] = entry.receiveTime.nanos;
    columns.idStart[index] = idStart;
    columns.idLength[index] = idLength;
    columns.block[index] = span.block;
    columns.start[index] = span.start;
    columns.end[index] = span.start + entry.json.length;
    columns.parent[index] = parent;
    columns.log[index] = this.#logs.numberOf(entry.logName);
    columns.defaults[index] = this.#defaults.numberOf(entry.defaults);
    columns.hash[index] = hash;
    this.#slots[slot] = index + 1;
    this.#count = index + 1;
    return true;
  }

  page({ after, descending = false, countMax }: PageRequest): StoredEntry[] {
    this.#sort();
    const order = this.#order;
    if (descending) {
      const end = after === undefined ? order.length : this.#positionOf(after, false);
      return this.#entriesAt(order.slice(Math.max(0, end - countMax), end).reverse());
    }
    const start = after === undefined ? 0 : this.#positionOf(after, true);
    return this.#entriesAt(order.subarray(start, start + countMax));
  }

  logNames(): string[] {
    const names = new Set<string>();
    const seen = new Set<number>(this.#columns.log.subarray(0, this.#count));
    for (const number of seen) names.add(this.#logs.nameOf(number));
    return [...names].toSorted(compareText);
  }

  deleteLog(logName: string): number {
    const before = this.#count;
    const kept: StoredEntry[] = [];
    for (let index = 0; index < before; index += 1) {
      const entry = this.#entryAt(index);
      if (entry.logName !== logName) kept.push(entry);
    }
    if (kept.length === before) return 0;
    this.clear();
    for (const entry of kept) this.add(entry);
    return before - kept.length;
  }

  clear(): void {
    this.#count = 0;
    this.#columns = makeColumns(firstCapacity);
    this.#slots = new Uint32Array(firstCapacity * 2);
    this.#ids = Buffer.allocUnsafe(firstCapacity * 40);
    this.#idsBytes = 0;
    this.#blocks = new Blocks();
    this.#parents = new Names();
    this.#logs = new Names();
    this.#defaults = new Names();
    this.#order = new Uint32Array(0);
  }

  close(): void {
    this.clear();
  }

  /** Leaves the insertId at the end of the ids; `slot` is where the entry is, or belongs. */
  #find({ parent: parentName, timestamp, insertId }: EntryKey): Found {
    const { seconds, nanos } = timestamp;
    const idStart = this.#appendId(insertId);
    const idLength = this.#idsBytes - idStart;
    const parent = this.#parents.numberOf(parentName);
    const hash = this.#hashOf(seconds, nanos, parent, idStart, this.#idsBytes);
    const mask = this.#slots.length - 1;
    const columns = this.#columns;
    let slot = hash & mask;
    for (
      let found = this.#slots[slot];
      found !== 0 && found !== undefined;
      found = this.#slots[slot]
    ) {
      const other = found - 1;
      const isKnown =
        columns.hash[other] === hash &&
        columns.nanos[other] === nanos &&
        columns.seconds[other] === seconds &&
        columns.parent[other] === parent &&
        this.#compareIds(other, idStart, idLength) === 0;
      if (isKnown) return { isKnown, slot, hash, parent };
      slot = (slot + 1) & mask;
    }
    return { isKnown: false, slot, hash, parent };
  }

  #appendId(insertId: string): number {
    const start = this.#idsBytes;
    const roomNeeded = start + insertId.length * 3;
    if (roomNeeded > this.#ids.length) {
      const larger = Buffer.allocUnsafe(Math.max(roomNeeded, this.#ids.length * 2));
      this.#ids.copy(larger, 0, 0, start);
      this.#ids = larger;
    }
    this.#idsBytes = start + this.#ids.write(insertId, start, 'utf8');
    return start;
  }

  /** FNV-1a is good enough: equal hashes are compared in full. */
  #hashOf(seconds: number, nanos: number, parent: number, idStart: number, idEnd: number): number {
    const ids = this.#ids;
    let hash = 0x811c9dc5 ^ parent;
    hash = Math.imul(hash ^ (seconds | 0), 0x01000193);
    hash = Math.imul(hash ^ nanos, 0x01000193);
    for (let at = idStart; at < idEnd; at += 1) {
      hash = Math.imul(hash ^ (ids[at] as number), 0x01000193);
    }
    hash ^= hash >>> 15;
    return hash >>> 0;
  }

  #columnsWithRoom(): Columns {
    if (this.#count === this.#columns.seconds.length) {
      this.#columns = makeColumns(this.#count * 2, this.#columns);
    }
    return this.#columns;
  }

  #growSlots(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    const hashes = this.#columns.hash;
    for (let index = 0; index < this.#count; index += 1) {
      let slot = (hashes[index] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }

  #compareIds(index: number, idStart: number, idLength: number): number {
    const otherStart = this.#columns.idStart[index] as number;
    const otherEnd = otherStart + (this.#columns.idLength[index] as number);
    const ids = this.#ids;
    const end = Math.min(otherEnd - otherStart, idLength);
    for (let at = 0; at < end; at += 1) {
      const difference = (ids[otherStart + at] as number) - (ids[idStart + at] as number);
      if (difference !== 0) return difference;
    }
    return otherEnd - otherStart - idLength;
  }

  #compareEntries(left: number, right: number): number {
    const { seconds, nanos, idStart, idLength, parent } = this.#columns;
    return (
      (seconds[left] as number) - (seconds[right] as number) ||
      (nanos[left] as number) - (nanos[right] as number) ||
      this.#compareIds(left, idStart[right] as number, idLength[right] as number) ||
      compareText(this.#parents.nameOf(parent[left]), this.#parents.nameOf(parent[right]))
    );
  }

  /** Sorts the entries added since the last page, and merges them in. */
  #sort(): void {
    const sorted = this.#order;
    if (sorted.length === this.#count) return;
    const added = Uint32Array.from(
      { length: this.#count - sorted.length },
      (_, at) => sorted.length + at,
    );
    added.sort((left, right) => this.#compareEntries(left, right));
    const merged = new Uint32Array(this.#count);
    let [fromSorted, fromAdded] = [0, 0];
    for (let at = 0; at < merged.length; at += 1) {
      const left = sorted[fromSorted];
      const right = added[fromAdded];
      const takesLeft =
        left !== undefined && (right === undefined || this.#compareEntries(left, right) < 0);
      merged[at] = (takesLeft ? left : right) as number;
      if (takesLeft) fromSorted += 1;
      else fromAdded += 1;
    }
    this.#order = merged;
  }

  /** Position of the first entry not before `key`, or, with `past`, of the first one after it. */
  #positionOf(key: EntryKey, past: boolean): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const comparison = this.#compareToKey(this.#order[middle] as number, key);
      if (comparison < 0 || (past && comparison === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compareToKey(index: number, key: EntryKey): number {
    const { seconds, nanos, parent } = this.#columns;
    return (
      (seconds[index] as number) - key.timestamp.seconds ||
      (nanos[index] as number) - key.timestamp.nanos ||
      compareText(this.#insertIdAt(index), key.insertId) ||
      compareText(this.#parents.nameOf(parent[index]), key.parent)
    );
  }

  #insertIdAt(index: number): string {
    const start = this.#columns.idStart[index] as number;
    return this.#ids.toString('utf8', start, start + (this.#columns.idLength[index] as number));
  }

  /** Reads block by block: the entries of a page may be in any order, and a block takes 0.1 ms. */
  #entriesAt(indexes: Uint32Array): StoredEntry[] {
    const { block } = this.#columns;
    const order = Uint32Array.from(indexes.keys());
    const blockOf = (at: number) => block[indexes[at] as number] as number;
    order.sort((left, right) => blockOf(left) - blockOf(right));
    const page = new Map<number, StoredEntry>();
    for (const at of order) page.set(at, this.#entryAt(indexes[at] as number));
    return Array.from(indexes.keys(), (at) => page.get(at) as StoredEntry);
  }

  #entryAt(index: number): StoredEntry {
    const columns = this.#columns;
    return {
      parent: this.#parents.nameOf(columns.parent[index]),
      logName: this.#logs.nameOf(columns.log[index]),
      timestamp: {
        seconds: columns.seconds[index] as number,
        nanos: columns.nanos[index] as number,
      },
      insertId: this.#insertIdAt(index),
      receiveTime: {
        seconds: columns.received[index] as number,
        nanos: columns.receivedNanos[index] as number,
      },
      defaults: this.#defaults.nameOf(columns.defaults[index]),
      json: this.#blocks.read(
        columns.block[index] as number,
        columns.start[index] as number,
        columns.end[index] as number,
      ),
    };
  }
}
