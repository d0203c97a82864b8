// Where memory-store.ts keeps the JSON of entries: in blocks of 64 KiB, compressed when full.
//
// Invariant: a place that append() gave can be read for as long as the Blocks live.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

const blockBytes = 65_536;
/** Decompressed blocks kept for reading: enough for a busy node, whose files interleave in time. */
const cachedBlockCount = 512;
/** Level 1 takes 0.8 µs an entry. */
const compressOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Blocks of JSON, the last one open for writing. */
export class Blocks {
  readonly #packed: Buffer[] = [];
  readonly #cache = new Map<number, Buffer>();
  #open = Buffer.allocUnsafe(blockBytes);
  #openBytes = 0;
  #packedBytes = 0;

  /** Allocated, without the blocks kept for reading. */
  get bytes(): number {
    return this.#packedBytes + this.#open.length;
  }

  /** The number of the block with these bytes, and where they start in it. */
  append(json: Buffer): { readonly block: number; readonly start: number } {
    if (this.#openBytes + json.length > this.#open.length) {
      this.#seal();
      if (json.length > this.#open.length) this.#open = Buffer.allocUnsafe(json.length);
    }
    const start = this.#openBytes;
    this.#open.set(json, start);
    this.#openBytes += json.length;
    return { block: this.#packed.length, start };
  }

  #seal(): void {
    if (this.#openBytes === 0) return;
    const packed = zstdCompressSync(this.#open.subarray(0, this.#openBytes), compressOptions);
    // zlib returns a piece of a larger buffer, which the piece would keep alive.
    this.#packed.push(Buffer.from(new Uint8Array(packed).buffer));
    this.#packedBytes += packed.length;
    if (this.#open.length > blockBytes) this.#open = Buffer.allocUnsafe(blockBytes);
    this.#openBytes = 0;
  }

  read(block: number, start: number, end: number): Buffer {
    // A copy, because the open block is overwritten after it is sealed.
    if (block === this.#packed.length) return Buffer.from(this.#open.subarray(start, end));
    let bytes = this.#cache.get(block);
    if (bytes === undefined) {
      bytes = zstdDecompressSync(this.#packed[block] as Buffer);
      if (this.#cache.size >= cachedBlockCount) {
        const oldest = this.#cache.keys().next().value;
        if (oldest !== undefined) this.#cache.delete(oldest);
      }
    } else {
      this.#cache.delete(block);
    }
    // Insertion order is the order of use.
    this.#cache.set(block, bytes);
    return bytes.subarray(start, end);
  }
}
