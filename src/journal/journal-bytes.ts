// Random access to the bytes of one journal file, a block at a time. Invariant: nothing outside
// `[0, size)` is read, whatever offset a torn, corrupt or hostile file contains.

import { readSync } from 'node:fs';

/** A journal file contradicts its format. The text names offsets, never content. */
export class JournalCorrupt extends Error {
  override readonly name = 'JournalCorrupt';
}

/** Entries are stored next to their own fields; shared fields are cached as text instead. */
const blocksMax = 16;
/** Offsets have 64 bits, but no file has 2^53 bytes. */
const highWordMax = 0x1f_ffff;

export class JournalBytes {
  /** The size when it was opened; bytes appended later are not read. */
  readonly size: number;
  readonly #fd: number;
  readonly #blockBytes: number;
  readonly #blocks = new Map<number, Buffer>();
  /** The buffers of the blocks, in order. */
  readonly #memories: Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);

  /** `blockBytes`: small blocks for reading few entries, large ones for many. */
  constructor(fd: number, options: { readonly size: number; readonly blockBytes: number }) {
    this.#fd = fd;
    this.size = options.size;
    this.#blockBytes = options.blockBytes;
  }

  /** The buffer of the last `seek`; valid until the next one. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /**
   * Makes `[offset, offset + length)` readable in `bytes` and returns the index of its first byte.
   * @throws JournalCorrupt when that leaves the file; the system's error.
   */
  seek(offset: number, length: number): number {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new JournalCorrupt(`an object at ${offset} leaves the file`);
    }
    const first = Math.floor(offset / this.#blockBytes);
    const inBlock = offset - first * this.#blockBytes;
    if (inBlock + length <= this.#blockBytes) {
      this.#bytes = this.#block(first);
      const isWhole = inBlock + length <= this.#bytes.length;
      if (!isWhole) throw new JournalCorrupt('the file became shorter');
      return inBlock;
    }
    const spanning = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const bytes = readSync(this.#fd, spanning, done, length - done, offset + done);
      if (bytes === 0) throw new JournalCorrupt('the file became shorter');
      done += bytes;
    }
    this.#bytes = spanning;
    return 0;
  }

  /** An unsigned 64-bit number at an index of `bytes`. */
  uint64(index: number): number {
    const high = this.#bytes.readUInt32LE(index + 4);
    if (high > highWordMax) throw new JournalCorrupt('a number is out of range');
    return high * 0x1_0000_0000 + this.#bytes.readUInt32LE(index);
  }

  #block(index: number): Buffer {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const start = index * this.#blockBytes;
    const block = this.#memory().subarray(0, Math.min(this.#blockBytes, this.size - start));
    let done = 0;
    while (done < block.length) {
      const bytes = readSync(this.#fd, block, done, block.length - done, start + done);
      if (bytes === 0) break;
      done += bytes;
    }
    const whole = block.subarray(0, done);
    this.#blocks.set(index, whole);
    return whole;
  }

  /** Reuses the buffer of the oldest block when there are enough. */
  #memory(): Buffer {
    if (this.#memories.length < blocksMax) {
      const memory = Buffer.allocUnsafeSlow(this.#blockBytes);
      this.#memories.push(memory);
      return memory;
    }
    const [oldest] = this.#blocks.keys();
    this.#blocks.delete(oldest ?? 0);
    const memory = this.#memories.shift()!;
    this.#memories.push(memory);
    return memory;
  }
}
