// How fast one container may be read: set by its rate limit, and for the agent's own log, since
// what the agent says about its own lines must not feed it endlessly.

import { limits } from '../config.ts';

export class Pace {
  readonly bytesPerSecond: number;
  #dueMs: number;
  #triedAt: number | undefined;

  /** Goes on where the pace `before` it has got to. */
  constructor(bytesPerSecond: number, before: Pace | undefined) {
    this.bytesPerSecond = bytesPerSecond;
    this.#dueMs = before === undefined ? 0 : before.#dueMs;
  }

  /** `nowMs` is of the steady clock. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  get bytesMax(): number {
    return Math.max(this.bytesPerSecond, limits.pacedBytesMin);
  }

  /** Whether the last cut began at this offset too, and so led nowhere. */
  hasTried(offset: number | undefined): boolean {
    return offset === this.#triedAt;
  }

  /** Notes a cut of so many bytes from `offset` on. */
  took(bytes: number, offset: number | undefined, nowMs: number): void {
    this.#triedAt = offset;
    if (bytes > 0) this.#dueMs = nowMs + (bytes / this.bytesPerSecond) * 1_000;
  }
}
