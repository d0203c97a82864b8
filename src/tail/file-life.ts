// The life of one log file: written to, superseded by another, ended, unlinked. Times are of the
// steady clock, in milliseconds since the epoch.
//
// Invariant: an ended file is not appended to, unless `revive` takes the end back.

import { limits } from '../config.ts';

export class FileLife {
  #grownAtMs = 0;
  #supersededAtMs: number | undefined;
  #unlinkedAtMs: number | undefined;
  #ended = false;
  #missed = 0;

  /** Since when nothing more is expected. */
  get supersededAtMs(): number | undefined {
    return this.#supersededAtMs;
  }

  /** When a look found that it has no name. */
  get unlinkedAtMs(): number | undefined {
    return this.#unlinkedAtMs;
  }

  /** Nothing more will be appended. */
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

  /** A listing lacks it; true when so many in a row do that it is gone. */
  noteMissed(): boolean {
    this.#missed += 1;
    return this.#missed >= limits.tornListingsMax;
  }

  /** It has the same inode, and so the same links, as `other`. */
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

  /** Ends it if it is whole, or superseded and quiet for long enough; true when this ends it. */
  settle(isWhole: boolean, nowMs: number): boolean {
    const sinceMs = this.#supersededAtMs;
    // It is the newest file again, and so the live one.
    if (sinceMs === undefined && !isWhole) this.#ended = false;
    // The runtime opens the new file before it closes the old one: lines may still come.
    const isQuiet =
      sinceMs !== undefined && nowMs - Math.max(sinceMs, this.#grownAtMs) >= limits.settleMs;
    if (this.#ended || !(isWhole || isQuiet)) return false;
    this.#ended = true;
    return true;
  }
}
