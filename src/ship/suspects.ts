// The containers whose entries were refused recently: their entries go in requests of their own,
// after those of others.

export class Suspects {
  readonly #forMs: number;
  readonly #nowMs: () => number;
  /** Weak: a container that is gone is forgotten. */
  readonly #untilMs = new WeakMap<object, number>();

  /** `nowMs` is monotonic; a container is suspect for `forMs` after its last refused entry. */
  constructor(forMs: number, nowMs: () => number) {
    this.#forMs = forMs;
    this.#nowMs = nowMs;
  }

  add(container: object): void {
    this.#untilMs.set(container, this.#nowMs() + this.#forMs);
  }

  has(container: object): boolean {
    const untilMs = this.#untilMs.get(container);
    return untilMs !== undefined && this.#nowMs() < untilMs;
  }
}
