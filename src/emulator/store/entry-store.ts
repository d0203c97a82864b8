// What the emulator keeps of an entry, and what a keeper of entries can do: the border between the
// handlers and the two stores.
//
// Both stores, in memory and in SQLite (`--data FILE`), keep the entry's JSON as the client wrote
// it, once per identity, and give entries back in order of (timestamp, insertId). stored-entry.ts
// turns them into what the API shows.

import type { Instant } from '../protocol/timestamp.ts';

/** JSON of the members that entries inherit: `logName`, `resource`, `labels`; '' for none. */
export type RequestDefaults = string;

export type StoredEntry = {
  /** `projects/P`, the scope within which (timestamp, insertId) is an entry's identity. */
  readonly parent: string;
  readonly logName: string;
  readonly timestamp: Instant;
  readonly insertId: string;
  readonly receiveTime: Instant;
  readonly defaults: RequestDefaults;
  /** The entry's object as UTF-8 JSON. */
  readonly json: Buffer;
};

/** The total order of a store. Two stored entries never have equal keys. */
export type EntryKey = Pick<StoredEntry, 'parent' | 'timestamp' | 'insertId'>;

export type PageRequest = {
  /** Entries strictly past this key, in the page's direction. */
  readonly after?: EntryKey | undefined;
  readonly descending?: boolean;
  readonly countMax: number;
};

export type EntryStore = {
  /** Entries kept, each identity once. */
  readonly count: number;
  /** Entries dropped for lack of room; absent when there is always room. */
  readonly droppedCount?: number;
  /**
   * Whether the entry's identity was new; only then it is kept. The bytes may be reused after it.
   */
  add(entry: StoredEntry): boolean;
  /** One transaction around the adds of a request. */
  transaction(work: () => void): void;
  page(request: PageRequest): StoredEntry[];
  /** Names of logs that hold entries, sorted. */
  logNames(): string[];
  /** Returns how many entries were deleted. */
  deleteLog(logName: string): number;
  clear(): void;
  close(): void;
};

/** Order of UTF-8 bytes, as in SQLite; `<` on strings would compare UTF-16 units. */
export function compareText(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}
