// When a container's log directory is listed: when its time has changed, in portions, and the more
// names it holds the more seldom. A look at one that has not changed costs one stat(2).

import { statSync } from 'node:fs';

import { limits } from '../config.ts';
import { hasCode } from '../errors.ts';
import { runUntil } from '../time-slice.ts';
import { Listing } from './listing.ts';

type Work = { readonly listing: Listing; readonly steps: Generator<void, void> };

export class OwnDirectory {
  readonly path: string;
  readonly #liveName: string;
  #work: Work | undefined;
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

  /** It was removed, or something else lies in its place. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The next look lists it, whatever its time says; what the last did not show may be there. */
  get mustList(): boolean {
    return this.#mtimeMs === -1;
  }

  relist(): void {
    this.#mtimeMs = -1;
  }

  /**
   * A listing when there is a new one; undefined while nothing has changed or one is not finished.
   * `endMs`: of `performance.now()`, when to pause.
   * @throws AgentError LINK_REFUSED, ENOENT and ENOTDIR, with which it is gone; the system's error.
   */
  look(nowMs: number, endMs: number): Listing | undefined {
    try {
      this.#work ??= this.#begin(nowMs);
      if (this.#work === undefined) return undefined;
      return this.#goOn(this.#work, { nowMs, endMs });
    } catch (error) {
      this.close();
      // What lies in its place is looked at again when it changes, and now and then.
      if (!hasCode(error, 'LINK_REFUSED')) this.relist();
      if (hasCode(error, 'LINK_REFUSED', 'ENOENT', 'ENOTDIR')) this.#isGone = true;
      throw error;
    }
  }

  #begin(nowMs: number): Work | undefined {
    const { mtimeMs, ino } = statSync(this.path);
    const isSame = mtimeMs === this.#mtimeMs && ino === this.#inode;
    if (isSame && !this.#isDue(mtimeMs, nowMs)) return undefined;
    if (nowMs < this.#dueMs) return undefined;
    this.#note({ mtimeMs, ino }, nowMs);
    const listing = new Listing();
    return { listing, steps: listing.read(this.path, this.#liveName) };
  }

  #goOn(work: Work, { nowMs, endMs }: { nowMs: number; endMs: number }): Listing | undefined {
    const { listing, steps } = work;
    if (!runUntil(steps, endMs, limits.listStepsMin)) return undefined;
    this.#work = undefined;
    this.#isGone = false;
    const excess = listing.nameCount - limits.listNamesCheap;
    if (excess > 0) this.#dueMs = nowMs + excess * limits.relistMsPerName;
    // What changed while it was read is found by the next one, unless one is due anyway.
    if (listing.stats !== undefined && !this.mustList) this.#note(listing.stats, nowMs);
    this.#tornInARow = listing.isTorn ? this.#tornInARow + 1 : 0;
    // A writer that changes it all the time must not keep what is gone from being noticed.
    if (listing.isTorn && this.#tornInARow < limits.tornListingsMax) this.relist();
    return listing;
  }

  #note({ mtimeMs, ino }: { mtimeMs: number; ino: number }, nowMs: number): void {
    this.#mtimeMs = mtimeMs;
    this.#inode = ino;
    this.#listedAtMs = Date.now();
    this.#lookedAtMs = nowMs;
  }

  /**
   * A change within the clock's grain of the listing could have been missed by it, and what lay in
   * its place may have gone again. Where clocks are fine the first hardly ever happens, so looking
   * for it must not cost a listing at each look.
   */
  #isDue(mtimeMs: number, nowMs: number): boolean {
    const isPast = Math.abs(this.#listedAtMs - mtimeMs) > limits.mtimeGrainMs;
    return (!isPast || this.#isGone) && nowMs - this.#lookedAtMs >= limits.relistMs;
  }

  close(): void {
    this.#work?.steps.return();
    this.#work = undefined;
  }
}
