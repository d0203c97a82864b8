// How far the life of one log file has come: written to, superseded by another, ended, unlinked.
// Times are of the steady clock, in milliseconds since the epoch.
//
// Invariant: what has ended is not appended to, unless `revive` takes the end back.

import { limits } from '../config.ts';

export class FileLife {
  #grownAtMs = 0;
  #supersededAtMs: number | undefined;
  #unlinkedAtMs: number | undefined;
  #ended = false;
  #missed = 0;

  /** Since when nothing is expected to be appended any more. */
  get supersededAtMs(): number | undefined {
    return this.#supersededAtMs;
  }

  /** The look that found no name that leads to it any more. */
  get unlinkedAtMs(): number | undefined {
    return this.#unlinkedAtMs;
  }

  /** Nothing will ever be appended. */
  get ended(): boolean {
    return this.#ended;
  }

  noteGrowth(nowMs: number): void {
    this.#grownAtMs = nowMs;
  }

  noteUnlinked(nowMs: number): void {
    this.#unlinkedAtMs ??= nowMs;
    this.#supersededAtMs ??= nowMs;
  }

  noteLinked(): void {
    this.#unlinkedAtMs = undefined;
    this.#missed = 0;
  }

  /** A listing lacks it; true when so many in a row have that it is gone, whatever they were. */
  noteMissed(): boolean {
    this.#missed += 1;
    return this.#missed >= limits.tornListingsMax;
  }

  /** It shares its inode, and so its links, with `other`. */
  shareLinks(other: FileLife): void {
    this.#unlinkedAtMs = other.#unlinkedAtMs;
  }

  end(): void {
    this.#ended = true;
  }

  /** It was appended to after its end. */
  revive(nowMs: number): void {
    this.#ended = false;
    this.#grownAtMs = nowMs;
  }

  noteSuperseded(isSuperseded: boolean, nowMs: number): void {
    if (isSuperseded) this.#supersededAtMs ??= nowMs;
    else this.#supersededAtMs = undefined;
  }

  /** Ends it if it is whole, or superseded and quiet for long enough; true when it ends by this. */
  settle(isWhole: boolean, nowMs: number): boolean {
    const sinceMs = this.#supersededAtMs;
    // What was taken for ended and is the newest again is the live file.
    if (sinceMs === undefined && !isWhole) this.#ended = false;
    // The runtime opens the new file before it closes the old one: lines may come after the
    // successor was seen.
    const isQuiet =
      sinceMs !== undefined && nowMs - Math.max(sinceMs, this.#grownAtMs) >= limits.settleMs;
    if (this.#ended || !(isWhole || isQuiet)) return false;
    this.#ended = true;
    return true;
  }
}
