// Lists a container's log directory, and finds out which files are known.
//
// Invariants: only files of the container's own directory are listed, even if its path has come to
// lead elsewhere; memory is bounded by `limits.chainFilesMax`, time by the caller.

import { fstatSync, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { basename, join } from 'node:path';

import { limits } from '../config.ts';
import { closeDescriptor } from '../descriptor.ts';
import { readNames } from '../directory-names.ts';
import { isSystemError } from '../errors.ts';
import { compareFileNames, parseFileName, sameRotation, type FileName } from './file-name.ts';
import { isBornAt } from './inode-facts.ts';
import type { LogFile } from './log-file.ts';
import { openOwnDirectory } from './open-log-file.ts';
import type { KnownOffset } from './tail-setup.ts';

export type ListedFile = { readonly path: string; readonly name: FileName; readonly stats: Stats };

type NamedFile = { readonly fileName: string; readonly name: FileName };

export type Listing = {
  /** Of the directory, from before its names were read. */
  readonly stats: Stats;
  /** Names of any kind. */
  readonly nameCount: number;
  /** The number of oldest files that are not in `files` because there are too many. */
  readonly overLimit: number;
  /** The directory changed while it was read: a missing file may have been renamed or packed. */
  readonly isTorn: boolean;
  /** The regular files of the log in write order, plain ones first. */
  readonly files: readonly ListedFile[];
};

/**
 * Lists the log whose live file is `liveName`. Yields after each name and each file; end it with
 * `return` if it is not run to its end.
 * @throws AgentError LINK_REFUSED; the system's error when the directory cannot be read.
 */
export function* listLog(directory: string, liveName: string): Generator<void, Listing> {
  const { fd, stats } = openOwnDirectory(directory);
  try {
    const named: NamedFile[] = [];
    let nameCount = 0;
    let overLimit = 0;
    for (const entry of readNames(`/proc/self/fd/${fd}`)) {
      nameCount += 1;
      const name = entry.isFile() ? parseFileName(entry.name, liveName) : undefined;
      if (name !== undefined) named.push({ fileName: entry.name, name });
      if (named.length >= 2 * limits.chainFilesMax) overLimit += keepNewest(named);
      yield;
    }
    overLimit += keepNewest(named);
    const { files, isVanished } = yield* lookAt(named, { directory, fd });
    const isTorn = isVanished || fstatSync(fd).mtimeMs !== stats.mtimeMs;
    return { stats, nameCount, overLimit, isTorn, files };
  } finally {
    closeDescriptor(fd);
  }
}

/** Returns how many files are too many, and were removed. */
function keepNewest(named: NamedFile[]): number {
  const excess = Math.max(0, named.length - limits.chainFilesMax);
  if (excess > 0) named.sort((a, b) => compareFileNames(a.name, b.name)).splice(0, excess);
  return excess;
}

function* lookAt(
  named: NamedFile[],
  { directory, fd }: { directory: string; fd: number },
): Generator<void, { files: ListedFile[]; isVanished: boolean }> {
  const files: ListedFile[] = [];
  const compressed: ListedFile[] = [];
  let isVanished = false;
  named.sort((a, b) => compareFileNames(a.name, b.name));
  for (const { fileName, name } of named) {
    const stats = lstatSync(`/proc/self/fd/${fd}/${fileName}`, { throwIfNoEntry: false });
    // The directory's time may still be the same, within the clock's granularity.
    if (stats === undefined) isVanished = true;
    const family = name.compressed ? compressed : files;
    if (stats?.isFile() === true) family.push({ path: join(directory, fileName), name, stats });
    yield;
  }
  // A file is removed when its `.gz` is complete: until then the `.gz` does not count.
  const plain = new Set(files.map(({ name }) => rotationOf(name)));
  files.push(...compressed.filter(({ name }) => !plain.has(rotationOf(name))));
  return { files, isVanished };
}

function rotationOf({ restartCount, rotation }: FileName): string {
  return `${restartCount}/${rotation}`;
}

/** An inode number identifies a file only while an open descriptor keeps it from being reused. */
function isSameFile(file: LogFile, { name, stats }: ListedFile): boolean {
  const sameInode = file.inode === stats.ino && file.inodeFacts.device === stats.dev;
  if (file.name.compressed !== name.compressed) return sameRotation(file.name, name);
  // A packed file does not change: its birth identifies it under any name.
  const sameBirth = name.compressed && stats.birthtimeMs > 0 && file.bornMs === stats.birthtimeMs;
  if (!sameInode || holdsInode(file) || sameBirth) return sameInode;
  return compareFileNames(file.name, name) === 0 && isBornAt(file.bornMs, stats.birthtimeMs);
}

/** Finds the known file that a listed one is, without comparing it with each. */
export class FileIndex {
  /** By inode number and by rotation; may be out of date. */
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
 * A name for a live file that was rotated and deleted between two looks: after every rotation
 * `known` before, and so before those that the present listing has shown first.
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
 * Whether a live file was renamed before its directory was removed: then another one had its name.
 * The kernel remembers the last name of an open file.
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

/** Whether only the `.gz` is left of a closed file, which may have grown since the last look. */
export function isOnlyCompressed(known: LogFile, { name }: ListedFile): boolean {
  if (!name.compressed || known.name.compressed) return false;
  return known.fd === undefined && !known.spool.isBusy;
}

/** Files with a stored position first, then live files, then those that may be copies of them. */
export function storedFirst<T extends { readonly each: ListedFile }>(
  strange: T[],
  stored: readonly KnownOffset[],
): T[] {
  if (strange.length < 2) return strange;
  const births = new Map<number, number[]>();
  for (const { inode, bornMs } of stored) {
    births.set(inode, [...(births.get(inode) ?? []), bornMs]);
  }
  const rankOf = ({ each: { stats, name } }: T) => {
    const isStored = births.get(stats.ino)?.some((bornMs) => isBornAt(bornMs, stats.birthtimeMs));
    if (isStored === true) return 0;
    return name.rotation === '' ? 1 : 2;
  };
  return strange.toSorted((a, b) => rankOf(a) - rankOf(b));
}
