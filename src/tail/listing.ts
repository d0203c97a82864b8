// What stands in a container's log directory, and which of it is already known. Called by chain.ts
// whenever the directory's time has changed.

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';

import { compareFileNames, parseFileName, sameRotation, type FileName } from './file-name.ts';
import type { LogFile } from './log-file.ts';

/** A file of the container's log, as it stands in the directory. */
export type ListedFile = { readonly path: string; readonly name: FileName; readonly stats: Stats };

/**
 * The regular files of the family of `liveName`, plain ones first.
 * @throws the system's error when the directory cannot be read.
 */
export function listLogFiles(directory: string, liveName: string): ListedFile[] {
  const plain: ListedFile[] = [];
  const compressed: ListedFile[] = [];
  for (const fileName of readdirSync(directory)) {
    const name = parseFileName(fileName, liveName);
    if (name === undefined) continue;
    const path = join(directory, fileName);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    const family = name.compressed ? compressed : plain;
    family.push({ path, name, stats });
  }
  return [...plain, ...compressed];
}

/**
 * Whether `listed` is `file`. An inode number alone says who a file is only while its descriptor
 * keeps the number from being used again.
 */
function isSameFile(file: LogFile, { name, stats }: ListedFile): boolean {
  const sameInode = file.inode === stats.ino && file.device === stats.dev;
  if (file.name.compressed !== name.compressed) return sameRotation(file.name, name);
  return sameInode && (holdsInode(file) || compareFileNames(file.name, name) === 0);
}

/** Finds the known file that a listed one is, among hundreds without looking at each. */
export class FileIndex {
  /** By inode number and by rotation; what stands there may be out of date. */
  readonly #files = new Map<number | string, LogFile[]>();

  constructor(files: readonly LogFile[]) {
    for (const file of files) this.add(file);
  }

  add(file: LogFile): void {
    for (const key of [file.inode, file.name.rotation]) {
      const files = this.#files.get(key);
      if (files === undefined) this.#files.set(key, [file]);
      else if (!files.includes(file)) files.push(file);
    }
  }

  find(listed: ListedFile): LogFile | undefined {
    for (const key of [listed.stats.ino, listed.name.rotation]) {
      const found = this.#files.get(key)?.find((file) => isSameFile(file, listed));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function holdsInode(file: LogFile): boolean {
  return file.fd !== undefined && !file.name.compressed;
}

/** Whether both are one log: compressed, copied, or met again under another name. */
export function isSameIdentity(a: LogFile, b: LogFile): boolean {
  if (a.identity === undefined || b.identity === undefined) return false;
  return a.identity.idPrefix === b.identity.idPrefix;
}
