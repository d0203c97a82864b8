// The agent's own files that hold bytes of a log at their original offsets: an unpacked `.gz`, or
// the copy of a deleted file.
//
// Invariant: the creator owns the descriptor; on any error it is closed and the name is removed.

import { mkdirSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pid } from 'node:process';

import { limits } from '../config.ts';
import { closeDescriptor, readAt, writeAt } from '../descriptor.ts';

/** Open for reading and writing. */
export type SpoolFile = {
  readonly fd: number;
  /** Of the log. */
  readonly size: number;
  /** Without holes. */
  readonly storedBytes: number;
};

export class SpoolOverflow extends Error {
  /** The log has at least so many bytes. */
  readonly bytes: number;

  constructor(bytes: number, bytesMax: number) {
    super(`it holds more than ${bytesMax} bytes`);
    this.bytes = bytes;
  }
}

let created = 0;

/** A new file without a name: closing it frees its blocks. @throws the system's error. */
export function createNameless(directory: string): number {
  created += 1;
  const path = join(directory, `spool-${pid}-${created}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 }); // It may have been removed.
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

/** The bytes `[from, to)`, and the first bytes of the file, which identify it. */
type CopyRange = { readonly from: number; readonly to: number };

/**
 * Reads a range piece by piece; `use` may keep a piece until its promise settles. Ends early where
 * the file does.
 * @throws the system's error.
 */
export async function readPieces(
  fd: number,
  { from, to }: CopyRange,
  use: (piece: Uint8Array, position: number) => Promise<void> | void,
): Promise<void> {
  const buffer = Buffer.alloc(Math.min(limits.spoolPieceBytes, to));
  const ranges = [
    { start: 0, end: Math.min(limits.fingerprintBytes, from) },
    { start: from, end: to },
  ];
  for (const { start, end } of ranges) {
    for (let position = start; position < end;) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, end - position));
      const bytes = await readAt(fd, wanted, position);
      if (bytes === 0) return;
      await use(wanted.subarray(0, bytes), position);
      position += bytes;
    }
  }
}

/** Copies a range to the same offsets of `target`. @throws the system's error. */
export async function copyRange(
  source: number,
  target: number,
  range: CopyRange,
  onPiece?: (piece: Uint8Array) => void,
): Promise<SpoolFile> {
  let storedBytes = 0;
  let size = 0;
  await readPieces(source, range, async (piece, position) => {
    await writeAt(target, piece, position);
    onPiece?.(piece);
    storedBytes += piece.length;
    size = position + piece.length;
  });
  return { fd: target, size, storedBytes };
}
