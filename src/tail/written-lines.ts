// How many lines a container has written since the agent watches it: what was read is counted, what
// is not read yet is guessed.
//
// Invariant: once all of it is read, the sum is the count and nothing of a guess is left. What can
// never be read stays as it was guessed.

/** Bytes and the lines that they hold, or are believed to hold. */
type Amount = { readonly bytes: number; readonly lines: number };

/** What the container wrote since the last sample, and how long its lines were before. */
type Growth = { readonly bytes: number; readonly shape: Amount };

export class WrittenLines {
  /** Of what was written since the agent watches; a backlog is not in it. */
  #readBytes = 0;
  #readLines = 0;
  /** That of the last sample. */
  #settledBytes = 0;
  /** Written and not read at the last sample. Below 0 when a read was seen before its growth. */
  #unread: Amount = { bytes: 0, lines: 0 };

  /** A task read this; its first bytes belong to the backlog as far as that goes. */
  read({ bytes, lines }: Amount, backlogBytes: number): void {
    if (bytes <= backlogBytes || bytes === 0) return;
    const own = bytes - backlogBytes;
    this.#readBytes += own;
    // A task that crosses the border tells only the sum.
    this.#readLines += backlogBytes === 0 ? lines : Math.round((lines * own) / bytes);
  }

  /** Up to the last sample and this growth. */
  sum(growth: Growth): number {
    return this.#readLines + this.#unreadAfter(growth).lines;
  }

  sample(growth: Growth): void {
    this.#unread = this.#unreadAfter(growth);
    this.#settledBytes = this.#readBytes;
  }

  #unreadAfter({ bytes: grown, shape }: Growth): Amount {
    const own = Math.min(grown, Math.max(0, this.#unread.bytes + grown));
    const bytes = this.#unread.bytes + grown;
    const lines = this.#unread.lines + (own * shape.lines) / shape.bytes;
    const left = bytes - (this.#readBytes - this.#settledBytes);
    return { bytes: left, lines: left <= 0 ? 0 : (lines * left) / bytes };
  }
}
