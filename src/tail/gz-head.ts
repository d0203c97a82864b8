// Learns the first line and the size of a `.gz` from its first bytes and its last four.
//
// Invariant: time and memory are bounded whatever the file holds. A header may hold a name or a
// comment of any length, the first members may be empty, and 64 KiB may unpack to 64 MiB.

import { readSync, type Stats } from 'node:fs';
import { constants, inflateRawSync } from 'node:zlib';

import { limits } from '../config.ts';
import { closeDescriptor } from '../descriptor.ts';
import { hasCode } from '../errors.ts';
import { openLogFile } from './open-log-file.ts';

const headerBytes = 10;
/** CRC and length that follow a member's data. */
export const trailerBytes = 8;
export const lengthBytes = 4;
/** Deflate makes 258 bytes of two bits at most. */
export const expansionMax = 1_032;
const newline = 0x0a;
/** Flags of a member's header (RFC 1952). */
const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

export type GzHead = {
  /** The first uncompressed bytes, up to `limits.fingerprintBytes`. */
  readonly head: Uint8Array;
  /** Uncompressed size of the last member, modulo 2^32 (ISIZE); at least that of `head`. */
  readonly bytes: number;
};

/** The file is no `.gz`, or none that holds a log. */
class GzFault extends Error {
  readonly code = 'GZ_BROKEN';
}

/** @throws GzFault; zlib's error; AgentError LINK_REFUSED; the system's error. */
export function peekCompressed(path: string, roots: readonly string[]): GzHead {
  const { fd, stats } = openLogFile(path, roots);
  try {
    const head = unpackHead(new PackedBytes(fd));
    return { head, bytes: claimedBytes(head, readLength(fd, stats)) };
  } finally {
    closeDescriptor(fd);
  }
}

/** Whether the `.gz` itself is broken: other errors may pass. */
export function isBroken(error: unknown): boolean {
  return hasCode(error, 'GZ_BROKEN', 'Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT');
}

/**
 * Where the packed data of the member at `position` begins; undefined: none does.
 * @throws GzFault; the system's error.
 */
export function dataStart(fd: number, position: number): number | undefined {
  const packed = new PackedBytes(fd);
  return isMember(packed.at(position, headerBytes)) ? skipHeader(packed, position) : undefined;
}

/** One that is damaged or has several members must be unpacked to know its length. */
function claimedBytes(head: Uint8Array, length: number | undefined): number {
  const isTold = length !== undefined && length >= head.length;
  if (head.length === 0 && length !== 0) throw new GzFault('it ends before its first line');
  return isTold ? length : head.length + 1;
}

/** Undefined: its last bytes are no length. */
function readLength(fd: number, { size }: Stats): number | undefined {
  const trailer = Buffer.alloc(lengthBytes);
  readSync(fd, trailer, 0, lengthBytes, Math.max(0, size - lengthBytes));
  const length = trailer.readUInt32LE(0);
  const isCut = size < headerBytes + trailerBytes || length > size * expansionMax;
  return isCut ? undefined : length;
}

function unpackHead(packed: PackedBytes): Buffer {
  let head: Buffer = Buffer.alloc(0);
  let position = 0;
  for (let members = 0; members < limits.gzPeekMembersMax; members += 1) {
    // Anything else after the first member is padding.
    if (members > 0 && !isMember(packed.at(position, headerBytes))) return head;
    const start = skipHeader(packed, position);
    const { bytes, consumed } = inflateStart(packed, start, head);
    head = bytes;
    if (isEnough(head) || packed.at(start + consumed, 1).length === 0) return head;
    position = start + consumed + trailerBytes;
  }
  throw new GzFault(`no line in its first ${limits.gzPeekMembersMax} members`);
}

function isEnough(head: Buffer): boolean {
  return head.length >= limits.fingerprintBytes || head.includes(newline);
}

/** Unpacks twice as many bytes each time, until there are enough: they may grow a thousandfold. */
function inflateStart(
  packed: PackedBytes,
  start: number,
  before: Buffer,
): { bytes: Buffer; consumed: number } {
  const room = limits.fingerprintBytes - before.length;
  for (let length = limits.gzPeekBytesMin; ; length *= 2) {
    const piece = packed.at(start, length);
    const { buffer, consumed } = inflateIntact(piece);
    const bytes = Buffer.concat([before, buffer.subarray(0, room)]);
    const isAll = consumed < piece.length || piece.length < length;
    if (isEnough(bytes) || isAll) return { bytes, consumed };
    if (length >= limits.gzPeekBytes) {
      throw new GzFault(`no line in its first ${limits.gzPeekBytes} packed bytes`);
    }
  }
}

type Inflated = { readonly buffer: Buffer; readonly consumed: number };

/** Unpacks it, or what comes before its damage, if that is enough. @throws zlib's error. */
function inflateIntact(piece: Buffer): Inflated {
  try {
    return inflatePiece(piece);
  } catch (error) {
    if (!isBroken(error)) throw error;
    let intact: Inflated = { buffer: Buffer.alloc(0), consumed: 0 };
    let [low, high] = [0, piece.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      try {
        intact = inflatePiece(piece.subarray(0, middle));
        low = middle;
      } catch {
        high = middle;
      }
    }
    if (!isEnough(intact.buffer)) throw error;
    return intact;
  }
}

function inflatePiece(piece: Buffer): Inflated {
  const { buffer, engine } = inflateRawSync(piece, {
    finishFlush: constants.Z_SYNC_FLUSH,
    info: true,
  }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
  return { buffer, consumed: engine.bytesWritten };
}

function isMember(header: Buffer): boolean {
  return header[0] === 0x1f && header[1] === 0x8b;
}

/** Where the packed data of the member at `position` begins. */
function skipHeader(packed: PackedBytes, position: number): number {
  const header = packed.at(position, headerBytes);
  const deflate = 8;
  if (!isMember(header) || header[2] !== deflate) throw new GzFault('it is no .gz');
  if (header.length < headerBytes) throw new GzFault('it ends within its header');
  const set = header[3] ?? 0;
  let at = position + headerBytes;
  if ((set & flags.extra) !== 0) {
    const length = packed.at(at, 2);
    at += 2 + (length[0] ?? 0) + (length[1] ?? 0) * 256;
  }
  if ((set & flags.name) !== 0) at = skipText(packed, at, position);
  if ((set & flags.comment) !== 0) at = skipText(packed, at, position);
  return (set & flags.headerCrc) === 0 ? at : at + 2;
}

/** The byte after the zero that ends a text. */
function skipText(packed: PackedBytes, from: number, headerAt: number): number {
  let at = from;
  while (at - headerAt < limits.gzHeaderBytesMax) {
    const piece = packed.at(at, limits.gzPeekBytes);
    const end = piece.indexOf(0);
    if (end !== -1) return at + end + 1;
    if (piece.length === 0) throw new GzFault('it ends within its header');
    at += piece.length;
  }
  throw new GzFault(`its header is longer than ${limits.gzHeaderBytesMax} bytes`);
}

/** Shared by all looks: they are synchronous, and none keeps what it read. */
const scratch = Buffer.alloc(limits.gzPeekBytes);

/** The packed file, read a piece at a time. */
class PackedBytes {
  readonly #fd: number;
  #start = 0;
  #length = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Up to `length` bytes from `position` on; valid until the next call. */
  at(position: number, length: number): Buffer {
    const isInside = position >= this.#start && position + length <= this.#start + this.#length;
    if (!isInside) this.#read(position, Math.max(length, limits.gzPeekBytesMin));
    const from = position - this.#start;
    return scratch.subarray(from, Math.min(from + length, this.#length));
  }

  #read(position: number, length: number): void {
    this.#start = position;
    this.#length = 0;
    while (this.#length < length) {
      const room = length - this.#length;
      const bytes = readSync(this.#fd, scratch, this.#length, room, position + this.#length);
      if (bytes === 0) break;
      this.#length += bytes;
    }
  }
}
