// Entries that the API refuses for what they are: kept with the reason in dead-letter.ndjson, for a
// person to look at.
//
// Invariant: at most twice `bytesMax` on disk, whole lines only, and a disk that cannot take them
// never stops the agent.

import { openSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { closeDescriptor } from '../descriptor.ts';
import { hasCode } from '../errors.ts';
import { containerOfLetter } from './dead-letter-reader.ts';
import { appendLines } from './append-lines.ts';
import { addEntries, type EntriesByContainer, type GivenUpEntries } from './given-up-entries.ts';

export type DeadLetter = {
  /** The API's words. */
  readonly reason: string;
  /** google.rpc.Code */
  readonly code: number;
  /** Its JSON as it was sent. */
  readonly entry: Uint8Array;
  /** JSON of what its request gave to all entries: logName, resource, labels. */
  readonly defaults?: string;
};

export type DeadLetterOptions = {
  readonly stateDir: string;
  readonly bytesMax: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Where letters that are not kept are counted by container. */
  readonly givenUp?: GivenUpEntries;
};

/** What became of some letters. */
export type AppendCounts = {
  readonly written: number;
  /** The disk refused them; `error` is why. */
  readonly unwritten: number;
  /** Older letters that went with the file that the rotation replaced. */
  readonly dropped: number;
  readonly error: Error | undefined;
};

const reasonCharsMax = 1_024;
/** Letters are handed to the disk in pieces of about this many bytes. */
const appendBytes = 1024 * 1024;
const newline = 0x0a;

export class DeadLetterFile {
  readonly #options: DeadLetterOptions;
  readonly #path: string;
  /** Whose letters of this process are in the file, and in the one before it. */
  #containers: EntriesByContainer = new Map();
  #olderContainers: EntriesByContainer = new Map();

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#path = join(options.stateDir, 'dead-letter.ndjson');
  }

  /**
   * Appends the letters, one line each: `{"time","reason","code","defaults","entry"}`. Never
   * throws.
   */
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
    // Not kept in memory: a command may have moved the file aside, or written letters back.
    const stored = sizeOf(this.#path);
    if (stored === 0 || stored + bytes <= this.#options.bytesMax) return 0;
    const dropped = countLines(`${this.#path}.1`);
    renameSync(this.#path, `${this.#path}.1`);
    this.#evict(dropped);
    return dropped;
  }

  /** The file before this one is gone, with so many letters; a former process wrote the rest. */
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

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Lines in a file, read piecewise: it is as long as `bytesMax`. */
function countLines(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
  try {
    const chunk = Buffer.allocUnsafe(64 * 1024);
    let count = 0;
    for (let bytes = readSync(fd, chunk); bytes > 0; bytes = readSync(fd, chunk)) {
      for (
        let at = chunk.indexOf(newline);
        at >= 0 && at < bytes;
        at = chunk.indexOf(newline, at + 1)
      ) {
        count += 1;
      }
    }
    return count;
  } finally {
    closeDescriptor(fd);
  }
}
