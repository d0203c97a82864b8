// Reads rotations that the kubelet has compressed. A `.gz` cannot be read at an offset, so it is
// unpacked into an unlinked file in the state directory and read like any other. Called by chain.ts
// (peek) and agent.ts (unpack), only after a downtime.

import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { pid } from 'node:process';
import { pipeline } from 'node:stream/promises';
import { createGunzip, constants, gunzipSync } from 'node:zlib';

import { limits } from '../config.ts';
import { openLogFile } from './open-log-file.ts';

const trailerBytes = 4;
const newline = 0x0a;

/**
 * The first uncompressed bytes of a `.gz`, and its uncompressed length modulo 2^32 (RFC 1952,
 * ISIZE).
 */
export function peekCompressed(
  path: string,
  roots: readonly string[],
): { head: Uint8Array; bytes: number } {
  const { fd, stats } = openLogFile(path, roots);
  try {
    let head = unpackHead(fd, limits.gzPeekBytesMin);
    // A first line that barely packs, or that stands behind a long header of the `.gz`.
    const isShort = head.length < limits.fingerprintBytes && !head.includes(newline);
    if (isShort && stats.size > limits.gzPeekBytesMin) head = unpackHead(fd, limits.gzPeekBytes);
    const trailer = Buffer.alloc(trailerBytes);
    readSync(fd, trailer, 0, trailerBytes, Math.max(0, stats.size - trailerBytes));
    return { head: head.subarray(0, limits.fingerprintBytes), bytes: trailer.readUInt32LE(0) };
  } finally {
    closeSync(fd);
  }
}

function unpackHead(fd: number, packedBytesMax: number): Buffer {
  const packed = Buffer.alloc(packedBytesMax);
  const bytes = readSync(fd, packed, 0, packed.length, 0);
  return gunzipSync(packed.subarray(0, bytes), { finishFlush: constants.Z_SYNC_FLUSH });
}

/**
 * Unpacks the `.gz` at `path` into a file without a name under `spoolDir` and returns its
 * descriptor.
 * @throws the system's or zlib's error; nothing is left behind.
 */
export async function unpackCompressed(
  path: string,
  spoolDir: string,
  roots: readonly string[],
): Promise<number> {
  const { fd: packed } = openLogFile(path, roots);
  const spool = join(spoolDir, `spool-${pid}-${packed}`);
  const fd = openSync(spool, 'wx+', 0o600);
  unlinkSync(spool);
  try {
    await pipeline(
      createReadStream('', { fd: packed, autoClose: true }),
      createGunzip(),
      createWriteStream('', { fd, autoClose: false }),
    );
    fstatSync(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
