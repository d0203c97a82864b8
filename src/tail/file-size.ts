// The size of one log file, and how many of its bytes are known to be its own.
//
// Invariant: a size that was only seen may be another log's; `own` was compared.

export class FileSize {
  #seen = 0;
  #own = 0;

  /** At the last look; of the uncompressed file. */
  get bytes(): number {
    return this.#seen;
  }

  /** Up to here the bytes were compared: a file that seems to grow may hold another log. */
  get own(): number {
    return this.#own;
  }

  /** The bytes up to here are its own. */
  set(bytes: number): void {
    this.#seen = bytes;
    this.#own = bytes;
  }

  /** It has this size, but the bytes were not compared. */
  see(bytes: number): void {
    this.#seen = bytes;
  }

  /** The bytes up to `end` were read as its own. */
  reach(end: number): void {
    this.#own = Math.max(this.#own, end);
    this.#seen = Math.max(this.#seen, end);
  }

  /** The bytes after its own, and after `offset`, are another log's. */
  retract(offset: number): void {
    this.#seen = Math.max(offset, this.#own);
  }

  /** A `.gz` stores its size modulo 2^32: makes it reach `offset`. */
  lift(offset: number): void {
    let bytes = this.#seen;
    while (bytes < offset) bytes += 2 ** 32;
    this.set(bytes);
  }
}
