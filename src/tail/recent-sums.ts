// Past values of sums, to compute what was added in the last minutes.
//
// Invariant: a fixed number of rows; each keeps the sums of one moment.

/** Rows at least `everyMs` apart. */
type Ring = { readonly rows: Float64Array; readonly everyMs: number; count: number };

/** How much the sums grew in `seconds`, which may be less than asked for, or a row more. */
export type Growth = { readonly seconds: number; readonly sums: readonly number[] };

export class RecentSums {
  readonly #width: number;
  readonly #fine: Ring;
  readonly #coarse: Ring;
  readonly #startMs: number;

  /** All `sumCount` sums are 0 at `startMs`. Memory: 45 rows. */
  constructor(sumCount: number, startMs: number) {
    this.#width = sumCount + 1;
    this.#startMs = startMs;
    // A minute of all samples, and a quarter of an hour of every sixth.
    this.#fine = { rows: new Float64Array(13 * this.#width), everyMs: 0, count: 0 };
    this.#coarse = { rows: new Float64Array(32 * this.#width), everyMs: 29_000, count: 0 };
  }

  /** Call it every few seconds. */
  add(nowMs: number, sums: readonly number[]): void {
    for (const ring of [this.#fine, this.#coarse]) {
      if (ring.count > 0 && nowMs - this.#timeOf(ring, ring.count - 1) < ring.everyMs) continue;
      const start = this.#startOf(ring, ring.count);
      ring.rows[start] = nowMs;
      ring.rows.set(sums, start + 1);
      ring.count += 1;
    }
  }

  /** From about `spanMs` ago, or the start, to the current `sums`. */
  since(spanMs: number, nowMs: number, sums: readonly number[]): Growth {
    const wantedMs = nowMs - spanMs;
    if (wantedMs <= this.#startMs) return this.#sinceStart(nowMs, sums);
    const [ring, index] = this.#rowAt(wantedMs);
    if (ring === undefined) return this.#sinceStart(nowMs, sums);
    const start = this.#startOf(ring, index);
    return {
      seconds: (nowMs - (ring.rows[start] ?? nowMs)) / 1_000,
      sums: sums.map((sum, at) => sum - (ring.rows[start + 1 + at] ?? 0)),
    };
  }

  #sinceStart(nowMs: number, sums: readonly number[]): Growth {
    return { seconds: (nowMs - this.#startMs) / 1_000, sums };
  }

  /** The newest row at or before a time, else the oldest row; none if the start is nearer. */
  #rowAt(wantedMs: number): [Ring, number] | [undefined] {
    for (const ring of [this.#fine, this.#coarse]) {
      const oldest = Math.max(0, ring.count - ring.rows.length / this.#width);
      for (let index = ring.count - 1; index >= oldest; index -= 1) {
        if (this.#timeOf(ring, index) <= wantedMs) return [ring, index];
      }
    }
    const { count, rows } = this.#coarse;
    const capacity = rows.length / this.#width;
    return count > capacity ? [this.#coarse, count - capacity] : [undefined];
  }

  #startOf(ring: Ring, index: number): number {
    return (index % (ring.rows.length / this.#width)) * this.#width;
  }

  #timeOf(ring: Ring, index: number): number {
    return ring.rows[this.#startOf(ring, index)] ?? 0;
  }
}
