// What the emulator keeps of an entry, and what a keeper of entries can do: the border between the
// handlers and the two stores.
//
// Both stores, in memory and in SQLite (`--data FILE`), keep the entry's JSON as the client wrote
// it, once per identity, and give entries back in order of (timestamp, insertId). stored-entry.ts
// turns them into what the API shows.

import type { Instant } from '../protocol/timestamp.ts';

/**
 * The members of a write request that its entries inherit, as JSON: `logName`, `resource`,
 * `labels`; '' when it had none.
 */
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
  /** Entries that were kept, and went because there was no room; absent: there is always room. */
  readonly droppedCount?: number;
  /**
   * Keeps the entry unless its identity is there already; tells whether it was new. The bytes may
   * be reused after the call.
   */
  add(entry: StoredEntry): boolean;
  /** One transaction around the adds of a request. */
  transaction(work: () => void): void;
  page(request: PageRequest): StoredEntry[];
  /** Names of logs that hold entries, sorted. */
  logNames(): string[];
  /** How many entries went. */
  deleteLog(logName: string): number;
  clear(): void;
  close(): void;
};

/** Order of UTF-8 bytes; `<` on strings would order by UTF-16 unit, as SQLite does not. */
export function compareText(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}
