// The fields of journal entries, as JSON text. Entries share fields, so each is written once per
// task and cached by its offset. Invariant: a field that cannot be read is an error.

import { zstdDecompressSync } from 'node:zlib';

import { JournalCorrupt, type JournalBytes } from './journal-bytes.ts';
import { unpackLz4Block } from './lz4-block.ts';

const dataType = 1;
const payloadAt = { regular: 64, compact: 72 } as const;
const compression = { xz: 1, lz4: 2, zstd: 4 } as const;
const equals = 0x3d;
const nameBytesMax = 64;
/** Longer fields are cut. An entry holds 256 KB. */
const fieldBytesMax = 1024 * 1024;
const cachedFieldsMax = 16_384;
/** Longer fields are rarely shared and would fill the cache. */
const cachedBytesMax = 512;
/** In a DATA object: the number of entries that it is in; the low 32 of 64 bits are enough. */
const entryCountAt = 56;

export type JournalField = {
  readonly name: string;
  /** A small number per name, for telling repeated names without comparing strings. */
  readonly nameIndex: number;
  /** The value as a JSON string, with its quotes. */
  readonly json: string;
  /** `"NAME":"value"`. */
  readonly member: string;
  /** Not shown: `__CURSOR` and its kind are addresses, not content. */
  readonly isHidden: boolean;
};

export class JournalFields {
  readonly #file: JournalBytes;
  readonly #payloadAt: number;
  readonly #fields = new Map<number, JournalField>();
  readonly #names = new Map<string, number>();
  #incomplete = 0;

  constructor(file: JournalBytes, isCompact: boolean) {
    this.#file = file;
    this.#payloadAt = isCompact ? payloadAt.compact : payloadAt.regular;
  }

  /** Fields that were cut at 1 MiB, or that only XZ could unpack. */
  get incomplete(): number {
    return this.#incomplete;
  }

  /** Every `nameIndex` is below it. */
  get nameCount(): number {
    return this.#names.size;
  }

  /** @throws JournalCorrupt; the system's error. */
  at(offset: number): JournalField {
    const known = this.#fields.get(offset);
    if (known !== undefined) return known;
    const file = this.#file;
    const head = file.seek(offset, this.#payloadAt);
    const flags = file.bytes[head + 1] ?? 0;
    const size = file.uint64(head + 8);
    if (file.bytes[head] !== dataType || size < this.#payloadAt) {
      throw new JournalCorrupt(`no field at ${offset}`);
    }
    const isShared = file.bytes.readUInt32LE(head + entryCountAt) !== 1;
    const field = this.#parse(offset + this.#payloadAt, size - this.#payloadAt, flags);
    // Caching the field of a single entry would only cost memory.
    if (size <= cachedBytesMax && isShared) {
      if (this.#fields.size >= cachedFieldsMax) this.#fields.clear();
      this.#fields.set(offset, field);
    }
    return field;
  }

  #parse(offset: number, length: number, flags: number): JournalField {
    const file = this.#file;
    if (flags === 0) {
      const kept = Math.min(length, fieldBytesMax);
      if (kept < length) this.#incomplete += 1;
      const start = file.seek(offset, kept);
      return this.#field(file.bytes, start, start + kept);
    }
    if (length > fieldBytesMax) return this.#marked('a compressed field over 1 MiB is left out');
    const start = file.seek(offset, length);
    const packed = file.bytes.subarray(start, start + length);
    if (flags === compression.zstd) {
      const whole = unpackZstd(packed);
      if (whole === undefined) return this.#marked('a field over 1 MiB is left out');
      return this.#field(whole, 0, whole.length);
    }
    if (flags === compression.lz4 && length > 8) {
      const unpacked = file.uint64(start);
      if (unpacked > fieldBytesMax) return this.#marked('a field over 1 MiB is left out');
      const whole = unpackLz4Block(packed.subarray(8), unpacked);
      return this.#field(whole, 0, whole.length);
    }
    if (flags === compression.xz) return this.#marked('a field compressed with XZ is left out');
    throw new JournalCorrupt(`an unknown compression at ${offset}`);
  }

  /** Stands for a missing field, whose name is compressed, too. */
  #marked(text: string): JournalField {
    this.#incomplete += 1;
    return this.#named('TAILSHIP_INCOMPLETE', JSON.stringify(text));
  }

  #field(bytes: Buffer, start: number, end: number): JournalField {
    const equalsAt = bytes.indexOf(equals, start);
    if (equalsAt <= start || equalsAt >= end || equalsAt - start > nameBytesMax) {
      throw new JournalCorrupt('a field has no name');
    }
    const json = JSON.stringify(bytes.toString('utf8', equalsAt + 1, end));
    return this.#named(bytes.toString('utf8', start, equalsAt), json);
  }

  #named(name: string, json: string): JournalField {
    let nameIndex = this.#names.get(name);
    if (nameIndex === undefined) {
      nameIndex = this.#names.size;
      this.#names.set(name, nameIndex);
    }
    const member = `${JSON.stringify(name)}:${json}`;
    return { name, nameIndex, json, member, isHidden: name.startsWith('__') };
  }
}

/** undefined: longer than a field may be. */
function unpackZstd(packed: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: fieldBytesMax });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw new JournalCorrupt('a zstd frame is torn', { cause: error });
  }
}
