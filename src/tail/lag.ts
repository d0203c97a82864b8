// Since when the oldest byte of a container has been waiting.
//
// Invariant: the answer is the time of a look that found this byte or one before it; the error is
// at most the distance of two marks, which grows during a long outage.

import { limits } from '../config.ts';

/** All bytes up to `found`, counted from the first look, were found by the look at `atMs`. */
type Mark = { found: number; readonly atMs: number };

export class Lag {
  readonly #marks: Mark[] = [];
  #spacingMs = 0;

  /** When the oldest waiting byte was found; undefined when none waits. */
  get sinceMs(): number | undefined {
    return this.#marks[0]?.atMs;
  }

  /** `behind` bytes wait, the oldest `inFlight` for an answer; `committed`: since the start. */
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
    // The outage is over: marks need no spacing.
    if (this.#marks.length < limits.lagMarksMax / 4) this.#spacingMs = 0;
  }

  /** The lost bytes are the oldest unread ones, which follow the first `kept` bytes. */
  #lose(bytes: number, kept: number): void {
    for (const mark of this.#marks) {
      if (mark.found > kept) mark.found = Math.max(kept, mark.found - bytes);
    }
  }

  #mark(mark: Mark): void {
    if (this.#marks.length >= limits.lagMarksMax) this.#thin(mark.atMs);
    this.#marks.push(mark);
  }

  /** Merges marks in pairs: the later one's bytes, the earlier one's time. */
  #thin(nowMs: number): void {
    const marks = this.#marks;
    for (let index = 0; index < marks.length >> 1; index += 1) {
      const [earlier, later] = [marks[index * 2] as Mark, marks[index * 2 + 1] as Mark];
      marks[index] = { found: later.found, atMs: earlier.atMs };
    }
    marks.length >>= 1;
    // New marks get the same spacing, or old ones would be merged again and again.
    this.#spacingMs = (nowMs - (marks[0]?.atMs ?? nowMs)) / marks.length;
  }
}
