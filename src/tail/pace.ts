// How fast one container may be read: by its rate limit, or because it is the agent's own log,
// whose lines about its own lines must not feed it endlessly.

import { limits } from '../config.ts';

export class Pace {
  readonly bytesPerSecond: number;
  #dueMs: number;
  #triedAt: number | undefined;

  /** Continues from `before`. */
  constructor(bytesPerSecond: number, before: Pace | undefined) {
    this.bytesPerSecond = bytesPerSecond;
    this.#dueMs = before === undefined ? 0 : before.#dueMs;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  get bytesMax(): number {
    return Math.max(this.bytesPerSecond, limits.pacedBytesMin);
  }

  /** Whether the last cut began at the same offset, and so consumed nothing. */
  hasTried(offset: number | undefined): boolean {
    return offset === this.#triedAt;
  }

  /** Notes a cut that began at `offset`; `nowMs` is of the steady clock. */
  took(bytes: number, offset: number | undefined, nowMs: number): void {
    this.#triedAt = offset;
    if (bytes > 0) this.#dueMs = nowMs + (bytes / this.bytesPerSecond) * 1_000;
  }
}
