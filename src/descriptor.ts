// Reads, writes and closes by descriptor, off the main thread where that takes long.
//
// Invariant: who opens a descriptor owns it, hands it over as a whole or closes it once. Linux
// releases the number whatever close says, so a failed close is never tried again: the number may
// be another file's by then.

import { closeSync, fsync, read, write } from 'node:fs';

import { hasCode } from './errors.ts';

/** Closes a file that was only read, or is given up: an error of close changes nothing. */
export function closeDescriptor(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    if (hasCode(error, 'EBADF')) throw error; // The number was not ours to close, which is a bug.
  }
}

/** Fills `buffer` from `position` on; fewer bytes only at the end of the file. */
export async function readAt(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const at = filled;
    const bytes = await call<number>((done) =>
      read(fd, buffer, at, buffer.length - at, position + at, done),
    );
    if (bytes === 0) break;
    filled += bytes;
  }
  return filled;
}

/** Writes all of `bytes` at `position`. */
export async function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const at = written;
    written += await call<number>((done) =>
      write(fd, bytes, at, bytes.length - at, position + at, done),
    );
  }
}

/** Resolves when the disk has it. */
export async function syncDescriptor(fd: number): Promise<void> {
  await call((done) => fsync(fd, done));
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  start((error, value) => (error === null ? resolve(value as T) : reject(error)));
  return promise;
}
