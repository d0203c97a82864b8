// Reads the entries of one journal file in the order of their sequence numbers.
//
// Invariants: only entries that were linked when the header was read count, so a half-written one
// is not seen; arrays are followed forward only, so that ends; an unreadable entry is counted and
// skipped once a later one can be read, because the last ones may be incomplete.

import { crc32 } from 'node:zlib';

import { JournalBytes, JournalCorrupt } from './journal-bytes.ts';
import { JournalFields, type JournalField } from './journal-fields.ts';
import { readJournalHeader, type JournalHeader } from './journal-header.ts';

const entryType = 3;
const entryArrayType = 6;
const arrayItemsAt = 24;
const entryItemsAt = 64;
/** journald itself refuses entries with more fields. */
const fieldsMax = 1024;
/** The part of an entry that its copies share: times, boot and hash of the fields. */
const twinAt = { start: 24, end: 64 } as const;
const bootAt = { start: 40, end: 56 } as const;

export type JournalEntry = {
  /** In the file. */
  readonly offset: number;
  readonly seqnum: number;
  /** Microseconds since the epoch. */
  readonly realtimeMicros: number;
  /** In the order of the file; a name may occur more than once. Valid until the next entry. */
  readonly fields: readonly JournalField[];
};

/** An entry without its fields. */
export type EntryHead = {
  readonly seqnum: number;
  readonly realtimeMicros: number;
  /** 32 hexadecimal digits. */
  readonly bootId: string;
  /** Equal for copies of one entry, as journald makes them when it moves from /run to /var. */
  readonly twinHash: number;
};

/** Where an entry array begins: spares the next task following the chain. */
export type ArrayHint = { readonly offset: number; readonly entriesBefore: number };

export type JournalRange = {
  /** Entries up to this one were handled before; 0: from the first on. */
  readonly afterSeqnum: number;
  readonly hint?: ArrayHint | undefined;
};

type EntryArray = ArrayHint & { readonly count: number; readonly next: number };

export class JournalFile {
  readonly header: JournalHeader;
  readonly fields: JournalFields;
  readonly #file: JournalBytes;
  readonly #itemBytes: number;
  readonly #entryItemBytes: number;
  /** Of one entry; reused. */
  readonly #offsets: number[] = [];
  readonly #entryFields: JournalField[] = [];
  #corruptEntries = 0;
  #corruptTail = 0;
  #hint: ArrayHint | undefined;

  /** @throws JournalCorrupt, JournalUnknown, the system's error. */
  constructor(fd: number, options: { readonly size: number; readonly blockBytes: number }) {
    this.#file = new JournalBytes(fd, options);
    this.header = readJournalHeader(this.#file);
    const { isCompact } = this.header;
    this.#itemBytes = isCompact ? 4 : 8;
    this.#entryItemBytes = isCompact ? 4 : 16;
    this.fields = new JournalFields(this.#file, isCompact);
  }

  /** Unreadable entries that were skipped. */
  get corruptEntries(): number {
    return this.#corruptEntries;
  }

  /** Unreadable entries at the end, which may be incomplete. */
  get corruptTail(): number {
    return this.#corruptTail;
  }

  /** The array of the last entry that was read. */
  get hint(): ArrayHint | undefined {
    return this.#hint;
  }

  /** Calls `accept` for each entry of the range until it returns false, or none is left. */
  read(range: JournalRange, accept: (entry: JournalEntry) => boolean): void {
    let array = this.#arrayOf(range);
    let last = range.afterSeqnum;
    while (array !== undefined) {
      this.#hint = array;
      let index = this.#firstAfter(array, range.afterSeqnum);
      for (; index < array.count; index += 1) {
        const offset = this.#itemAt(array, index);
        if (offset === 0) return; // Not linked yet.
        const entry = this.#try(() => this.#entryAt(offset));
        if (entry === undefined) this.#corruptTail += 1;
        if (entry === undefined || entry.seqnum <= last) continue;
        last = entry.seqnum;
        this.#corruptEntries += this.#corruptTail;
        this.#corruptTail = 0;
        if (!accept(entry)) return;
      }
      array = this.#nextArray(array);
    }
  }

  /** The heads after a sequence number, until `accept` returns false. */
  readHeads(afterSeqnum: number, accept: (head: EntryHead) => boolean): void {
    let array = this.#arrayOf({ afterSeqnum });
    while (array !== undefined) {
      let index = this.#firstAfter(array, afterSeqnum);
      for (; index < array.count; index += 1) {
        const head = this.headAt(this.#itemAt(array, index));
        if (head !== undefined && head.seqnum > afterSeqnum && !accept(head)) return;
      }
      array = this.#nextArray(array);
    }
  }

  /** The head of the last entry that can be read. */
  lastHead(): EntryHead | undefined {
    let last: EntryHead | undefined;
    for (let array = this.#arrayOf({ afterSeqnum: 0 }); array !== undefined;) {
      for (let index = array.count - 1; index >= 0; index -= 1) {
        const head = this.headAt(this.#itemAt(array, index));
        if (head === undefined) continue;
        last = head;
        break;
      }
      array = this.#nextArray(array);
    }
    return last;
  }

  /** The first entry of a boot that lasts to the end of the file; binary search. */
  firstOfLastBoot(bootId: string): EntryHead | undefined {
    const isOfBoot = (offset: number) => this.headAt(offset)?.bootId === bootId;
    for (let array = this.#arrayOf({ afterSeqnum: 0 }); array !== undefined;) {
      if (isOfBoot(this.#itemAt(array, array.count - 1))) {
        const first = this.#firstWhere(array, isOfBoot);
        return this.headAt(this.#itemAt(array, first));
      }
      array = this.#nextArray(array);
    }
    return undefined;
  }

  /** The first array whose last entry lies after the range's beginning. */
  #arrayOf({ afterSeqnum, hint }: JournalRange): EntryArray | undefined {
    const { entryArrayOffset, entryCount } = this.header;
    if (entryArrayOffset === 0 || entryCount === 0) return undefined;
    let array = this.#arrayAt(hint ?? { offset: entryArrayOffset, entriesBefore: 0 });
    if (afterSeqnum === 0) return array;
    while (array !== undefined) {
      const lastSeqnum = this.#seqnumAt(this.#itemAt(array, array.count - 1));
      if (lastSeqnum === undefined || lastSeqnum > afterSeqnum) break;
      array = this.#nextArray(array);
    }
    return array;
  }

  #arrayAt({ offset, entriesBefore }: ArrayHint): EntryArray | undefined {
    const left = this.header.entryCount - entriesBefore;
    if (left <= 0) return undefined;
    const file = this.#file;
    const at = file.seek(offset, arrayItemsAt);
    const size = file.uint64(at + 8);
    if (file.bytes[at] !== entryArrayType || size < arrayItemsAt || offset + size > file.size) {
      throw new JournalCorrupt(`no entry array at ${offset}`);
    }
    const next = file.uint64(at + 16);
    // Arrays are appended in order: a chain that goes back is a loop.
    if (next !== 0 && next <= offset) throw new JournalCorrupt(`the array at ${offset} goes back`);
    const capacity = Math.floor((size - arrayItemsAt) / this.#itemBytes);
    if (capacity === 0) throw new JournalCorrupt(`the array at ${offset} is empty`);
    return { offset, entriesBefore, count: Math.min(left, capacity), next };
  }

  #nextArray({ entriesBefore, count, next }: EntryArray): EntryArray | undefined {
    if (next === 0) return undefined;
    return this.#arrayAt({ offset: next, entriesBefore: entriesBefore + count });
  }

  #itemAt(array: EntryArray, index: number): number {
    const file = this.#file;
    const at = file.seek(array.offset + arrayItemsAt + index * this.#itemBytes, this.#itemBytes);
    return this.#itemBytes === 4 ? file.bytes.readUInt32LE(at) : file.uint64(at);
  }

  /** Index of the first entry after `seqnum`, by binary search: entries in an array are sorted. */
  #firstAfter(array: EntryArray, seqnum: number): number {
    if (seqnum === 0) return 0;
    // An unreadable entry may be after it.
    return this.#firstWhere(array, (offset) => {
      const found = this.#seqnumAt(offset);
      return found === undefined || found > seqnum;
    });
  }

  /** Index of the first item for which the test holds; it holds for all that follow. */
  #firstWhere(array: EntryArray, holds: (offset: number) => boolean): number {
    let low = 0;
    let high = array.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.#itemAt(array, middle))) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #seqnumAt(offset: number): number | undefined {
    if (offset === 0) return undefined;
    return this.#try(() => {
      const at = this.#file.seek(offset, entryItemsAt);
      return this.#file.bytes[at] === entryType ? this.#file.uint64(at + 16) : undefined;
    });
  }

  /** undefined: no entry begins there. */
  headAt(offset: number): EntryHead | undefined {
    const seqnum = this.#seqnumAt(offset);
    if (seqnum === undefined) return undefined;
    return this.#try(() => {
      const file = this.#file;
      const at = file.seek(offset, entryItemsAt);
      const { bytes } = file;
      return {
        seqnum,
        realtimeMicros: file.uint64(at + 24),
        bootId: bytes.toString('hex', at + bootAt.start, at + bootAt.end),
        twinHash: crc32(bytes.subarray(at + twinAt.start, at + twinAt.end)),
      };
    });
  }

  /** undefined: the bytes are corrupt. */
  #try<Found>(read: () => Found): Found | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof JournalCorrupt)) throw error;
      return undefined;
    }
  }

  #entryAt(offset: number): JournalEntry {
    const file = this.#file;
    const head = file.seek(offset, entryItemsAt);
    const size = file.uint64(head + 8);
    const count = Math.floor((size - entryItemsAt) / this.#entryItemBytes);
    if (file.bytes[head] !== entryType || count < 1 || count > fieldsMax) {
      throw new JournalCorrupt(`no entry at ${offset}`);
    }
    const seqnum = file.uint64(head + 16);
    const realtimeMicros = file.uint64(head + 24);
    const items = file.seek(offset + entryItemsAt, count * this.#entryItemBytes);
    // Reading a field moves the window, so all offsets are read first.
    const offsets = this.#offsets;
    for (let index = 0; index < count; index += 1) {
      const at = items + index * this.#entryItemBytes;
      offsets[index] = this.#entryItemBytes === 4 ? file.bytes.readUInt32LE(at) : file.uint64(at);
    }
    const fields = this.#entryFields;
    fields.length = count;
    for (let index = 0; index < count; index += 1) fields[index] = this.fields.at(offsets[index]!);
    return { offset, seqnum, realtimeMicros, fields };
  }
}
