// How much of a container's log was written since the agent watches it, and how much was there.
//
// Invariant: what is older than the agent is measured in the first looks only, and is no growth.

import { limits } from '../config.ts';

/** After so many, all files were looked at. */
const looksMax = 10;

type File = { readonly bornMs: number; readonly committed: number; readonly size: number };

export class Backlog {
  #bytes = 0;
  #looks = 0;
  /** Acknowledged since the start. */
  #committedBytes = 0;

  /** What the files held, and was not acknowledged, when the agent began to watch them. */
  get bytes(): number {
    return this.#bytes;
  }

  get committedBytes(): number {
    return this.#committedBytes;
  }

  acknowledge(bytes: number): void {
    this.#committedBytes += bytes;
  }

  /** After a look; what is older than the agent was there before it watched. */
  measure(files: readonly File[], startedAtMs = Number.POSITIVE_INFINITY): void {
    if (this.#looks >= looksMax) return;
    let bytes = this.#committedBytes;
    for (const { bornMs, committed, size } of files) {
      if (bornMs < startedAtMs) bytes += Math.max(0, size - committed);
    }
    this.#bytes = bytes;
    // A look takes in no more files than this when time is short.
    const isWhole = files.length < limits.filesLookedAtOnceMax;
    this.#looks = isWhole ? looksMax : this.#looks + 1;
  }
}
