// How long one log file is, and up to where its bytes were seen to be its own.
//
// Invariant: a length that was only seen may be another log's; `own` was compared.

export class FileSize {
  #seen = 0;
  #own = 0;

  /** Bytes, at the last look; of the uncompressed file. */
  get bytes(): number {
    return this.#seen;
  }

  /** The bytes up to here are its own. */
  set(bytes: number): void {
    this.#seen = bytes;
    this.#own = bytes;
  }

  /** It has this length; whose bytes these are is not known yet. */
  see(bytes: number): void {
    this.#seen = bytes;
  }

  /** The bytes up to `end` were read as its own. */
  reach(end: number): void {
    this.#own = Math.max(this.#own, end);
    this.#seen = Math.max(this.#seen, end);
  }

  /** What was seen after its own bytes, and after `offset`, was another log's. */
  retract(offset: number): void {
    this.#seen = Math.max(offset, this.#own);
  }

  /** A `.gz` says its length modulo 2^32: what was read past that is longer than it says. */
  lift(offset: number): void {
    let bytes = this.#seen;
    while (bytes < offset) bytes += 2 ** 32;
    this.set(bytes);
  }
}
