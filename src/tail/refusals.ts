// What was refused to be read, reported once each: a pod that exchanges its directory for a link a
// thousand times a second must not fill the log.

import { limits } from '../config.ts';

export class Refusals {
  #count = 0;
  readonly #reported = new Set<string>();

  /** Since the start, each path and reason once. */
  get count(): number {
    return this.#count;
  }

  /**
   * Counts a refusal; returns whether it is to be reported. Past the limit, the oldest are
   * forgotten.
   */
  note(text: string): boolean {
    if (this.#reported.has(text)) return false;
    this.#count += 1;
    this.#reported.add(text);
    const [oldest] = this.#reported;
    const isFull = this.#reported.size > limits.refusalsKept;
    if (isFull && oldest !== undefined) this.#reported.delete(oldest);
    return true;
  }
}
