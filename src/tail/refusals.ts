// Counts refusals and has each reported once: a pod that swaps its directory for a link a thousand
// times a second must not fill the log.

import { limits } from '../config.ts';

export class Refusals {
  #count = 0;
  readonly #reported = new Set<string>();

  /** Since the start, each text once. */
  get count(): number {
    return this.#count;
  }

  /** Returns whether to report it. Past the limit, the oldest are forgotten. */
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
