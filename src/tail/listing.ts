// What lies in a container's log directory, and which of it is already known.
//
// Invariants: only files of the container's own directory are listed, whatever its path leads to by
// now; memory is bounded by `limits.chainFilesMax`, time by the caller.

import { fstatSync, lstatSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, join } from 'node:path';

import { limits } from '../config.ts';
import { closeDescriptor } from '../descriptor.ts';
import { readNames } from '../directory-names.ts';
import { isSystemError } from '../errors.ts';
import { compareFileNames, parseFileName, sameRotation, type FileName } from './file-name.ts';
import { isBornAt } from './inode-facts.ts';
import type { LogFile } from './log-file.ts';
import { openOwnDirectory } from './open-log-file.ts';

/** A file of the container's log, as it lies in the directory. */
export type ListedFile = { readonly path: string; readonly name: FileName; readonly stats: Stats };

type NamedFile = { readonly fileName: string; readonly name: FileName };

export class Listing {
  #stats: Stats | undefined;
  #overLimit = 0;
  #nameCount = 0;
  #isTorn = false;
  readonly #files: ListedFile[] = [];

  /** Of the directory, from before its names were read. */
  get stats(): Stats | undefined {
    return this.#stats;
  }

  /** Files of the log past the limit, the oldest: they are not in `files`. */
  get overLimit(): number {
    return this.#overLimit;
  }

  /**
   * The directory changed while it was read: a file that is missing may have got another name, or
   * been packed, in that moment.
   */
  get isTorn(): boolean {
    return this.#isTorn;
  }

  /** Names that were read, of any kind. */
  get nameCount(): number {
    return this.#nameCount;
  }

  /** The regular files of the log in write order, plain ones first. */
  get files(): readonly ListedFile[] {
    return this.#files;
  }

  /**
   * Lists the log of which `liveName` is the live file. Yields after each name and each file; to be
   * ended by `return` when it is not run to its end.
   * @throws AgentError LINK_REFUSED; the system's error when the directory cannot be read.
   */
  *read(directory: string, liveName: string): Generator<void, void> {
    const { fd, stats: before } = openOwnDirectory(directory);
    try {
      this.#stats = before;
      const named: NamedFile[] = [];
      for (const entry of readNames(`/proc/self/fd/${fd}`)) {
        this.#nameCount += 1;
        const name = entry.isFile() ? parseFileName(entry.name, liveName) : undefined;
        if (name !== undefined) named.push({ fileName: entry.name, name });
        if (named.length >= 2 * limits.chainFilesMax) this.#keepNewest(named);
        yield;
      }
      this.#keepNewest(named);
      yield* this.#lookAt(named, { directory, fd });
      if (fstatSync(fd).mtimeMs !== before.mtimeMs) this.#isTorn = true;
    } finally {
      closeDescriptor(fd);
    }
  }

  #keepNewest(named: NamedFile[]): void {
    const excess = named.length - limits.chainFilesMax;
    if (excess <= 0) return;
    named.sort((a, b) => compareFileNames(a.name, b.name)).splice(0, excess);
    this.#overLimit += excess;
  }

  *#lookAt(
    named: NamedFile[],
    { directory, fd }: { directory: string; fd: number },
  ): Generator<void, void> {
    const compressed: ListedFile[] = [];
    named.sort((a, b) => compareFileNames(a.name, b.name));
    for (const { fileName, name } of named) {
      const stats = lstatSync(`/proc/self/fd/${fd}/${fileName}`, { throwIfNoEntry: false });
      // Its time may be the same within the clock's grain.
      if (stats === undefined) this.#isTorn = true;
      const family = name.compressed ? compressed : this.#files;
      if (stats?.isFile() === true) family.push({ path: join(directory, fileName), name, stats });
      yield;
    }
    // A file is removed after it was packed: until then its `.gz` may be half of it.
    const plain = new Set(this.#files.map(({ name }) => rotationOf(name)));
    this.#files.push(...compressed.filter(({ name }) => !plain.has(rotationOf(name))));
  }
}

function rotationOf({ restartCount, rotation }: FileName): string {
  return `${restartCount}/${rotation}`;
}

/**
 * Whether `listed` is `file`. An inode number alone says who a file is only while its descriptor
 * keeps the number from being used again.
 */
function isSameFile(file: LogFile, { name, stats }: ListedFile): boolean {
  const sameInode = file.inode === stats.ino && file.device === stats.dev;
  if (file.name.compressed !== name.compressed) return sameRotation(file.name, name);
  // What is packed does not change: by its birth it is known under any name.
  const sameBirth = name.compressed && stats.birthtimeMs > 0 && file.bornMs === stats.birthtimeMs;
  if (!sameInode || holdsInode(file) || sameBirth) return sameInode;
  return compareFileNames(file.name, name) === 0 && isBornAt(file.bornMs, stats.birthtimeMs);
}

/** Finds the known file that a listed one is, among hundreds without looking at each. */
export class FileIndex {
  /** By inode number and by rotation; what it finds may be out of date. */
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

/**
 * The name of a live file that was rotated and deleted between two looks: after every rotation that
 * is `known` from before, and so before those that the listing which lacks it has shown first.
 */
export function nameOfVanished(file: LogFile, known: readonly LogFile[]): FileName {
  const rotations = known
    .filter((other) => compareFileNames(other.name, file.name) < 0)
    .filter(({ owner }) => owner.restartCount === file.owner.restartCount)
    .map(({ name }) => name.rotation);
  const last = rotations.toSorted().at(-1);
  return { ...file.name, rotation: last === undefined ? '!' : `${last}~` };
}

/**
 * Whether a live file, as far as it was seen, was renamed before its directory went: there was
 * another under its name then. The kernel remembers the last name of what is open.
 */
export function wasSucceeded({ fd, path }: LogFile): boolean {
  if (fd === undefined) return false;
  try {
    const lastPath = readlinkSync(`/proc/self/fd/${fd}`).replace(/ \(deleted\)$/, '');
    return basename(lastPath) !== basename(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false; // There is no /proc.
  }
}

/** A file that was closed before it was read to its end, and of which only the `.gz` is left. */
export function isOnlyCompressed(known: LogFile, { name }: ListedFile): boolean {
  if (!name.compressed || known.name.compressed) return false;
  return known.fd === undefined && known.unread > 0;
}
