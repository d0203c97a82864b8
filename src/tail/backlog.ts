// How much of a container's log was there before the agent watched it, and how much was
// acknowledged since.
//
// Invariant: the backlog is measured in the first looks only, and does not count as growth.

import { limits } from '../config.ts';

/** After so many looks, all files were seen. */
const looksMax = 10;

type File = { readonly bornMs: number; readonly committed: number; readonly size: number };

export class Backlog {
  #bytes = 0;
  #looks = 0;
  #committedBytes = 0;

  /** Unacknowledged bytes that the files held when the agent began to watch them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Acknowledged since the start. */
  get committedBytes(): number {
    return this.#committedBytes;
  }

  acknowledge(bytes: number): void {
    this.#committedBytes += bytes;
  }

  /** Call it after each look; files born before `startedAtMs` are backlog. */
  measure(files: readonly File[], startedAtMs = Number.POSITIVE_INFINITY): void {
    if (this.#looks >= looksMax) return;
    let bytes = this.#committedBytes;
    for (const { bornMs, committed, size } of files) {
      if (bornMs < startedAtMs) bytes += Math.max(0, size - committed);
    }
    this.#bytes = bytes;
    // When time is short, a look ends after this many files.
    const isWhole = files.length < limits.filesLookedAtOnceMax;
    this.#looks = isWhole ? looksMax : this.#looks + 1;
  }
}
