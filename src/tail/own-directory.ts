// Decides when a container's log directory is listed: when its time has changed, in portions, and
// less often the more names it holds. Checking an unchanged one costs one stat(2).

import { statSync } from 'node:fs';

import { limits } from '../config.ts';
import { hasCode } from '../errors.ts';
import { runUntil } from '../time-slice.ts';
import { type Listing, listLog } from './listing.ts';

export class OwnDirectory {
  readonly path: string;
  readonly #liveName: string;
  /** Paths that the last look could not open. */
  readonly #unreadable = new Set<string>();
  #work: Generator<void, Listing | undefined> | undefined;
  #isGone = false;
  #mtimeMs = -1;
  #inode = 0;
  #listedAtMs = 0;
  #lookedAtMs = 0;
  #dueMs = 0;
  #tornInARow = 0;

  constructor(path: string, liveName: string) {
    this.path = path;
    this.#liveName = liveName;
  }

  /** It was removed or replaced. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The next look lists it, whatever its time is: the last listing may be incomplete. */
  get mustList(): boolean {
    return this.#mtimeMs === -1;
  }

  relist(): void {
    this.#mtimeMs = -1;
  }

  /** Files in it, or itself, that could not be opened when they were last tried. */
  get unreadableCount(): number {
    return this.#unreadable.size;
  }

  /** A file that the last listing showed cannot be opened. */
  noteUnreadable(path: string): void {
    this.#unreadable.add(path);
  }

  /**
   * A new listing; undefined while nothing has changed or one is in progress. `endMs`: of
   * `performance.now()`, when to pause.
   * @throws AgentError LINK_REFUSED, ENOENT or ENOTDIR when it is gone; the system's error.
   */
  look(nowMs: number, endMs: number): Listing | undefined {
    try {
      this.#work ??= this.#begin(nowMs);
      if (this.#work === undefined) return undefined;
      const listing = runUntil(this.#work, endMs, limits.listStepsMin)?.value;
      return listing && this.#end(listing, nowMs);
    } catch (error) {
      this.close();
      // A refused directory is looked at again when it changes, and from time to time.
      if (!hasCode(error, 'LINK_REFUSED')) this.relist();
      if (hasCode(error, 'LINK_REFUSED', 'ENOENT', 'ENOTDIR')) this.#isGone = true;
      else this.#unreadable.add(this.path);
      throw error;
    }
  }

  #begin(nowMs: number): Generator<void, Listing> | undefined {
    const { mtimeMs, ino } = statSync(this.path);
    const isSame = mtimeMs === this.#mtimeMs && ino === this.#inode;
    if (isSame && !this.#isDue(mtimeMs, nowMs)) return undefined;
    if (nowMs < this.#dueMs) return undefined;
    this.#note({ mtimeMs, ino }, nowMs);
    return listLog(this.path, this.#liveName);
  }

  #end(listing: Listing, nowMs: number): Listing {
    this.#work = undefined;
    this.#isGone = false;
    this.#unreadable.clear();
    const excess = listing.nameCount - limits.listNamesCheap;
    if (excess > 0) this.#dueMs = nowMs + excess * limits.relistMsPerName;
    // The next look finds what changed during the listing, unless one is due anyway.
    if (!this.mustList) this.#note(listing.stats, nowMs);
    this.#tornInARow = listing.isTorn ? this.#tornInARow + 1 : 0;
    // Constant changes must not prevent missing files from being noticed.
    if (listing.isTorn && this.#tornInARow < limits.tornListingsMax) this.relist();
    return listing;
  }

  #note({ mtimeMs, ino }: { mtimeMs: number; ino: number }, nowMs: number): void {
    this.#mtimeMs = mtimeMs;
    this.#inode = ino;
    this.#listedAtMs = Date.now();
    this.#lookedAtMs = nowMs;
  }

  /** A listing may miss a change in the same grain of the clock; a gone directory may come back. */
  #isDue(mtimeMs: number, nowMs: number): boolean {
    const isPast = Math.abs(this.#listedAtMs - mtimeMs) > limits.mtimeGrainMs;
    return (!isPast || this.#isGone) && nowMs - this.#lookedAtMs >= limits.relistMs;
  }

  close(): void {
    this.#work?.return(undefined);
    this.#work = undefined;
  }
}
