// Entries that the API refuses for good: kept with the reason in dead-letter.ndjson, for a person
// to look at.
//
// Invariant: at most twice `bytesMax` on disk, whole lines only, and a disk that cannot take them
// never stops the agent.

import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { containerOfLetter, letterLines, sizeOf } from './dead-letter-reader.ts';
import { appendLines } from './append-lines.ts';
import { addEntries, type EntriesByContainer, type GivenUpEntries } from './given-up-entries.ts';

export type DeadLetter = {
  /** The API's message. */
  readonly reason: string;
  /** google.rpc.Code */
  readonly code: number;
  /** Its JSON as it was sent. */
  readonly entry: Uint8Array;
  /** JSON of the members that its request gave to all entries: logName, resource, labels. */
  readonly defaults?: string;
};

export type DeadLetterOptions = {
  readonly stateDir: string;
  readonly bytesMax: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Counts by container the letters that are not kept. */
  readonly givenUp?: GivenUpEntries;
};

export type AppendCounts = {
  readonly written: number;
  /** They could not be written; `error` says why. */
  readonly unwritten: number;
  /** Older letters, in a file that the rotation replaced. */
  readonly dropped: number;
  readonly error: Error | undefined;
};

const reasonCharsMax = 1_024;
/** Letters are written about this many bytes at a time. */
const appendBytes = 1024 * 1024;

export class DeadLetterFile {
  readonly #options: DeadLetterOptions;
  readonly #path: string;
  /** The letters of this process in the file, and in the one before it. */
  #containers: EntriesByContainer = new Map();
  #olderContainers: EntriesByContainer = new Map();

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#path = join(options.stateDir, 'dead-letter.ndjson');
  }

  /** Appends `{"time","reason","code","defaults","entry"}`, one line each. Never throws. */
  append(letters: Iterable<DeadLetter>): AppendCounts {
    const counts = { written: 0, unwritten: 0, dropped: 0, error: undefined as Error | undefined };
    const time = new Date(this.#options.now()).toISOString();
    let lines: Uint8Array[] = [];
    let owners: string[] = [];
    let bytes = 0;
    const flush = (): void => {
      let account = this.#options.givenUp?.dead_letter_unwritten;
      try {
        const whole = Buffer.concat(lines);
        // It may have been removed.
        mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
        counts.dropped += this.#makeRoom(whole.length);
        appendLines(this.#path, whole);
        counts.written += owners.length;
        account = this.#containers;
      } catch (error) {
        counts.unwritten += owners.length;
        counts.error = error as Error;
      }
      if (account !== undefined) for (const owner of owners) addEntries(account, owner, 1);
      lines = [];
      owners = [];
      bytes = 0;
    };
    for (const letter of letters) {
      const { reason, code, entry, defaults } = letter;
      const head = JSON.stringify({ time, reason: reason.slice(0, reasonCharsMax), code });
      const inherited = defaults === undefined ? '' : `,"defaults":${defaults}`;
      const opening = Buffer.from(`${head.slice(0, -1)}${inherited},"entry":`);
      lines.push(opening, entry, Buffer.from('}\n'));
      owners.push(containerOfLetter(letter));
      bytes += opening.length + entry.length + 2;
      if (bytes >= appendBytes) flush();
    }
    if (owners.length > 0) flush();
    return counts;
  }

  /** Returns how many older letters were dropped for it. */
  #makeRoom(bytes: number): number {
    // A command may have moved the file aside or written letters back, so its size is looked up.
    const stored = sizeOf(this.#path);
    if (stored === 0 || stored + bytes <= this.#options.bytesMax) return 0;
    const dropped = letterLines(`${this.#path}.1`).reduce((count) => count + 1, 0);
    renameSync(this.#path, `${this.#path}.1`);
    this.#evict(dropped);
    return dropped;
  }

  /** The file before this one is gone, with `dropped` letters; some may be of an older process. */
  #evict(dropped: number): void {
    const evicted = this.#options.givenUp?.dead_letter_evicted;
    if (evicted !== undefined) {
      let left = dropped;
      for (const [owner, count] of this.#olderContainers) {
        const gone = Math.min(left, count); // The user may have cleared some.
        if (gone > 0) addEntries(evicted, owner, gone);
        left -= gone;
      }
      if (left > 0) addEntries(evicted, '', left);
    }
    this.#olderContainers = this.#containers;
    this.#containers = new Map();
  }
}
