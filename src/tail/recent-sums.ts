// Past values of sums, to compute what was added in the last minutes.
//
// Invariant: a fixed number of rows; each keeps sums, and the time during which they held.

/** Rows at least `everyMs` apart. */
type Ring = {
  readonly rows: Float64Array;
  readonly everyMs: number;
  count: number;
  /** The sums are still those of the last row. */
  isHeld: boolean;
};

/** How much the sums grew in `seconds`, which may be less than asked for, or a row more. */
export type Growth = { readonly seconds: number; readonly sums: readonly number[] };

export class RecentSums {
  readonly #width: number;
  readonly #fine: Ring;
  readonly #coarse: Ring;
  readonly #startMs: number;
  /** Until then all sums were 0. */
  #zeroUntilMs: number;

  /** All `sumCount` sums are 0 at `startMs`. Memory: 45 rows. */
  constructor(sumCount: number, startMs: number) {
    this.#width = 2 + sumCount;
    this.#startMs = startMs;
    this.#zeroUntilMs = startMs;
    // A minute of all samples, and a quarter of an hour of every sixth.
    this.#fine = makeRing(13 * this.#width, 0);
    this.#coarse = makeRing(32 * this.#width, 29_000);
  }

  /** The sums are those of the last call. */
  hold(nowMs: number): void {
    if (this.#fine.count === 0) {
      this.#zeroUntilMs = nowMs;
      return;
    }
    const { rows } = this.#fine;
    const last = this.#startOf(this.#fine, this.#fine.count - 1);
    for (const ring of [this.#fine, this.#coarse]) {
      if (ring.isHeld) ring.rows[this.#startOf(ring, ring.count - 1) + 1] = nowMs;
      else this.#push(ring, nowMs, rows.subarray(last + 2, last + this.#width));
    }
  }

  /** Call it, or `hold`, every few seconds. */
  add(nowMs: number, sums: readonly number[]): void {
    this.#push(this.#fine, nowMs, sums);
    this.#push(this.#coarse, nowMs, sums);
  }

  #push(ring: Ring, nowMs: number, sums: ArrayLike<number>): void {
    const { rows, everyMs, count } = ring;
    ring.isHeld = count === 0 || nowMs - (rows[this.#startOf(ring, count - 1)] ?? 0) >= everyMs;
    if (!ring.isHeld) return;
    const start = this.#startOf(ring, count);
    rows[start] = nowMs;
    rows[start + 1] = nowMs;
    rows.set(sums, start + 2);
    ring.count += 1;
  }

  /** From about `spanMs` ago, or the start, to the current `sums`. */
  since(spanMs: number, nowMs: number, sums: readonly number[]): Growth {
    const wantedMs = Math.max(this.#startMs, nowMs - spanMs);
    const [ring, index] = wantedMs <= this.#zeroUntilMs ? [undefined] : this.#rowAt(wantedMs);
    if (ring === undefined) {
      return { seconds: (nowMs - Math.min(wantedMs, this.#zeroUntilMs)) / 1_000, sums };
    }
    const start = this.#startOf(ring, index);
    const { rows } = ring;
    return {
      seconds: (nowMs - Math.min(wantedMs, rows[start + 1] ?? nowMs)) / 1_000,
      sums: sums.map((sum, at) => sum - (rows[start + 2 + at] ?? 0)),
    };
  }

  /** The newest row at or before a time, else the oldest row; none if the start is nearer. */
  #rowAt(wantedMs: number): [Ring, number] | [undefined] {
    for (const ring of [this.#fine, this.#coarse]) {
      const oldest = Math.max(0, ring.count - ring.rows.length / this.#width);
      for (let index = ring.count - 1; index >= oldest; index -= 1) {
        if ((ring.rows[this.#startOf(ring, index)] ?? 0) <= wantedMs) return [ring, index];
      }
    }
    const { count, rows } = this.#coarse;
    const capacity = rows.length / this.#width;
    return count > capacity ? [this.#coarse, count - capacity] : [undefined];
  }

  #startOf(ring: Ring, index: number): number {
    return (index % (ring.rows.length / this.#width)) * this.#width;
  }
}

function makeRing(length: number, everyMs: number): Ring {
  return { rows: new Float64Array(length), everyMs, count: 0, isHeld: false };
}
