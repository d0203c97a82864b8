// Reads the names of a directory one after another: all of them at once would block the main thread
// for a second, and take 200 MB, where there are a million.

import { opendirSync } from 'node:fs';
import type { Dirent } from 'node:fs';

/** Closes the directory when the iteration ends. @throws the system's error. */
export function* readNames(path: string): Generator<Dirent, void> {
  const names = opendirSync(path, { bufferSize: 256 });
  try {
    for (let entry = names.readSync(); entry !== null; entry = names.readSync()) yield entry;
  } finally {
    names.closeSync();
  }
}
