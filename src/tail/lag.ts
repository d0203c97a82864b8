// Since when the oldest byte of a container has been waiting.
//
// Invariant: the answer is the time of a look that found this byte or one before it, and never off
// by more than marks are apart, which a long outage thins out.

import { limits } from '../config.ts';

/** All bytes up to `found`, counted from the first look, were found by the look at `atMs`. */
type Mark = { found: number; readonly atMs: number };

export class Lag {
  readonly #marks: Mark[] = [];
  #spacingMs = 0;

  /** When the oldest byte that waits was found; undefined when none does. */
  get sinceMs(): number | undefined {
    return this.#marks[0]?.atMs;
  }

  /**
   * Notes a look: `behind` bytes wait, the oldest `inFlight` of them for an answer; `committed`
   * were acknowledged since the start.
   */
  look(
    bytes: { readonly behind: number; readonly inFlight: number; readonly committed: number },
    nowMs: number,
  ): void {
    const { behind, inFlight, committed } = bytes;
    if (behind === 0) {
      this.#marks.length = 0;
      this.#spacingMs = 0;
      return;
    }
    const found = committed + behind;
    const last = this.#marks.at(-1);
    if (last === undefined) this.#marks.push({ found, atMs: nowMs });
    else if (found < last.found) this.#lose(last.found - found, committed + inFlight);
    else if (nowMs - last.atMs < this.#spacingMs) last.found = found;
    else if (found > last.found) this.#mark({ found, atMs: nowMs });
    while ((this.#marks[0]?.found ?? found) <= committed) this.#marks.shift();
    // The worst is over: what is found from now on is kept apart again.
    if (this.#marks.length < limits.lagMarksMax / 4) this.#spacingMs = 0;
  }

  /** What is lost is the oldest of what was not read: it stood after the first `kept` bytes. */
  #lose(bytes: number, kept: number): void {
    for (const mark of this.#marks) {
      if (mark.found > kept) mark.found = Math.max(kept, mark.found - bytes);
    }
  }

  #mark(mark: Mark): void {
    if (this.#marks.length >= limits.lagMarksMax) this.#thin(mark.atMs);
    this.#marks.push(mark);
  }

  /** Makes one of each two: the later one's bytes, the earlier one's time. */
  #thin(nowMs: number): void {
    const marks = this.#marks;
    for (let index = 0; index < marks.length >> 1; index += 1) {
      const [earlier, later] = [marks[index * 2] as Mark, marks[index * 2 + 1] as Mark];
      marks[index] = { found: later.found, atMs: earlier.atMs };
    }
    marks.length >>= 1;
    // Those to come are as far apart, or else what is old would be thinned out ever more.
    this.#spacingMs = (nowMs - (marks[0]?.atMs ?? nowMs)) / marks.length;
  }
}
