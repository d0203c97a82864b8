// How many lines a container has written while the agent watched it: read lines are counted, unread
// ones estimated.
//
// Invariant: once all bytes are read, the sum is the count. Bytes that are lost stay estimated.

/** Bytes and the lines in them, counted or estimated. */
type Amount = { readonly bytes: number; readonly lines: number };

/** What the container wrote since the last sample; `shape` tells the length of its lines. */
type Growth = { readonly bytes: number; readonly shape: Amount };

export class WrittenLines {
  /** Without the backlog. */
  #readBytes = 0;
  #readLines = 0;
  /** `#readBytes` at the last sample. */
  #settledBytes = 0;
  /** At the last sample. Negative when bytes were read before a look saw them. */
  #unread: Amount = { bytes: 0, lines: 0 };

  /** A task read this; the first `backlogBytes` are backlog. */
  read({ bytes, lines }: Amount, backlogBytes: number): void {
    if (bytes <= backlogBytes || bytes === 0) return;
    const own = bytes - backlogBytes;
    this.#readBytes += own;
    // The lines of a task that crosses the border are divided by bytes.
    this.#readLines += backlogBytes === 0 ? lines : Math.round((lines * own) / bytes);
  }

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
