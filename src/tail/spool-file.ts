// Files of the agent's own that hold bytes of a log at their own offsets: what a `.gz` unpacks to,
// what is copied of a deleted file.
//
// Invariant: each file is created with nobody else's name, and whoever creates it owns its
// descriptor: on any error it is closed and its name is gone.

import { openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pid } from 'node:process';

import { limits } from '../config.ts';
import { closeDescriptor, readAt, writeAt } from '../descriptor.ts';

/** A file in the agent's own directory, open for reading and writing. */
export type SpoolFile = {
  readonly fd: number;
  /** As long as the log. */
  readonly size: number;
  /** Of them really stored. */
  readonly storedBytes: number;
};

/** There is no room for the rest of it. */
export class SpoolOverflow extends Error {
  /** So many bytes of the log are known to exist. */
  readonly bytes: number;

  constructor(bytes: number, bytesMax: number) {
    super(`it holds more than ${bytesMax} bytes`);
    this.bytes = bytes;
  }
}

let created = 0;

/**
 * A new file without a name under `directory`; the disk has its bytes back when it is closed.
 * @throws the system's error.
 */
export function createNameless(directory: string): number {
  created += 1;
  const path = join(directory, `spool-${pid}-${created}`);
  const fd = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Runs `fill` on the descriptor of a new file, and closes it if that fails. */
export async function filled<T>(fd: number, fill: (fd: number) => Promise<T>): Promise<T> {
  try {
    return await fill(fd);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

export type CopyRange = {
  /** Bytes before it are not needed, but for those that tell the file's identity. */
  readonly from: number;
  /** After `from`. */
  readonly to: number;
  /** Told each piece that is stored, in order. */
  readonly onPiece?: (piece: Uint8Array) => void;
};

/**
 * Copies the identifying head and the bytes `[from, to)` of one descriptor to another, at the same
 * offsets; between the two there may be a hole. The copy ends early where the source does.
 * @throws the system's error.
 */
export async function copyRange(
  source: number,
  target: number,
  { from, to, onPiece }: CopyRange,
): Promise<SpoolFile> {
  const buffer = Buffer.alloc(Math.min(limits.spoolPieceBytes, to));
  let storedBytes = 0;
  let size = 0;
  const copy = async (start: number, end: number): Promise<void> => {
    for (let position = start; position < end; position = size) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, end - position));
      const bytes = await readAt(source, wanted, position);
      if (bytes === 0) return;
      const piece = wanted.subarray(0, bytes);
      await writeAt(target, piece, position);
      onPiece?.(piece);
      storedBytes += bytes;
      size = position + bytes;
    }
  };
  await copy(0, Math.min(limits.fingerprintBytes, from));
  await copy(from, to);
  return { fd: target, size, storedBytes };
}
