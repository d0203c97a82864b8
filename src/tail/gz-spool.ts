// Unpacks compressed rotations. A `.gz` cannot be read at an offset, so it is unpacked into a file
// without a name in the state directory and read like any other.
//
// Invariant: the packed descriptor is closed here, once; the unpacked one belongs to the caller, or
// is closed when this throws.

import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';

import { limits } from '../config.ts';
import { closeDescriptor, readAt, writeAt } from '../descriptor.ts';
import { openLogFile } from './open-log-file.ts';
import { createNameless, filled, SpoolOverflow, type SpoolFile } from './spool-file.ts';

export type UnpackOptions = {
  readonly spoolDir: string;
  /** Real paths that the file must lie under. */
  readonly roots: readonly string[];
  /** Of the unpacked file. */
  readonly bytesMax: number;
};

/** @throws SpoolOverflow; zlib's or the system's error; AgentError LINK_REFUSED. */
export async function unpackCompressed(
  path: string,
  { spoolDir, roots, bytesMax }: UnpackOptions,
): Promise<SpoolFile> {
  const { fd: packed } = openLogFile(path, roots);
  try {
    return await filled(createNameless(spoolDir), (fd) => unpack(packed, fd, bytesMax));
  } finally {
    closeDescriptor(packed);
  }
}

async function unpack(packed: number, fd: number, bytesMax: number): Promise<SpoolFile> {
  const reads = new LastCall();
  const writes = new LastCall();
  const packedBytes = Buffer.alloc(limits.spoolPieceBytes);
  let size = 0;

  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let position = 0; ;) {
      const bytes = await reads.follow(readAt(packed, packedBytes, position));
      if (bytes === 0) return;
      position += bytes;
      yield Buffer.from(packedBytes.subarray(0, bytes));
    }
  }

  async function store(unpacked: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of unpacked) {
      if (size + piece.length > bytesMax) throw new SpoolOverflow(size + piece.length, bytesMax);
      await writes.follow(writeAt(fd, piece, size));
      size += piece.length;
    }
  }

  try {
    await pipeline(pieces, createGunzip({ chunkSize: limits.spoolPieceBytes }), store);
    return { fd, size, storedBytes: size };
  } finally {
    // A failing pipeline does not wait for calls in progress, and the number of a descriptor that
    // is closed during a call may be reused before the call ends.
    await Promise.all([reads.settled(), writes.settled()]);
  }
}

/** Remembers a call on a descriptor, to wait for its end. */
export class LastCall {
  #call: Promise<unknown> = Promise.resolve();

  async follow<T>(call: Promise<T>): Promise<T> {
    this.#call = call;
    return await call;
  }

  async settled(): Promise<void> {
    await Promise.allSettled([this.#call]);
  }
}
