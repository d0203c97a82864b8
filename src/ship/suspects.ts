// The containers whose entries were refused lately: their entries go in requests of their own,
// after those of others.

export class Suspects {
  readonly #forMs: number;
  readonly #clock: () => number;
  /** Weak: a container that is gone is forgotten. */
  readonly #untilMs = new WeakMap<object, number>();

  /** `clock` is monotonic; a container is suspect for `forMs` after its last refused entry. */
  constructor(forMs: number, clock: () => number) {
    this.#forMs = forMs;
    this.#clock = clock;
  }

  add(container: object): void {
    this.#untilMs.set(container, this.#clock() + this.#forMs);
  }

  has(container: object): boolean {
    const untilMs = this.#untilMs.get(container);
    return untilMs !== undefined && this.#clock() < untilMs;
  }
}
