// Past values of sums, to compute what was added in the last minutes.
//
// Invariant: a fixed number of rows; each keeps sums, and the time during which they held.

/** Up to `rowsMax` rows at least `everyMs` apart; most containers fill one or two. */
type Ring = {
  readonly rows: number[];
  readonly rowsMax: number;
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

  /** All `sumCount` sums are 0 at `startMs`. Memory: at most 45 rows. */
  constructor(sumCount: number, startMs: number) {
    this.#width = 2 + sumCount;
    this.#startMs = startMs;
    this.#zeroUntilMs = startMs;
    // A minute of all samples, and a quarter of an hour of every sixth.
    this.#fine = { rows: [], rowsMax: 13, everyMs: 0, count: 0, isHeld: false };
    this.#coarse = { rows: [], rowsMax: 32, everyMs: 29_000, count: 0, isHeld: false };
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
      else this.#push(ring, nowMs, rows.slice(last + 2, last + this.#width));
    }
  }

  /** Call it, or `hold`, every few seconds. */
  add(nowMs: number, sums: readonly number[]): void {
    this.#push(this.#fine, nowMs, sums);
    this.#push(this.#coarse, nowMs, sums);
  }

  #push(ring: Ring, nowMs: number, sums: readonly number[]): void {
    const { rows, everyMs, count } = ring;
    ring.isHeld = count === 0 || nowMs - (rows[this.#startOf(ring, count - 1)] ?? 0) >= everyMs;
    if (!ring.isHeld) return;
    const start = this.#startOf(ring, count);
    rows[start] = nowMs;
    rows[start + 1] = nowMs;
    for (let at = 0; at < sums.length; at += 1) rows[start + 2 + at] = sums[at] ?? 0;
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
      const oldest = Math.max(0, ring.count - ring.rowsMax);
      for (let index = ring.count - 1; index >= oldest; index -= 1) {
        if ((ring.rows[this.#startOf(ring, index)] ?? 0) <= wantedMs) return [ring, index];
      }
    }
    const { count, rowsMax } = this.#coarse;
    return count > rowsMax ? [this.#coarse, count - rowsMax] : [undefined];
  }

  #startOf(ring: Ring, index: number): number {
    return (index % ring.rowsMax) * this.#width;
  }
}
