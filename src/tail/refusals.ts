// What was refused to be read, told once each: a pod that exchanges its directory for a link a
// thousand times a second must not fill the log.

import { limits } from '../config.ts';

export class Refusals {
  /** Since the start, each path and reason once. */
  count = 0;
  readonly #told = new Set<string>();

  /**
   * Counts a refusal; returns whether it is to be told. Past the limit, the oldest are forgotten.
   */
  note(text: string): boolean {
    if (this.#told.has(text)) return false;
    this.count += 1;
    this.#told.add(text);
    const [oldest] = this.#told;
    if (this.#told.size > limits.refusalsKept && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }
}
