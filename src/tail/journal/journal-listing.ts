// The journal files of the node, kept in step with their directories: rotation renames one and
// makes another, vacuum deletes the oldest, a journal on /run moves to /var.
//
// Invariant: a file is recognized by the id in its header, whatever its name; a deleted one stays
// until it is read through its descriptor.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { limits } from '../../config.ts';
import { hasCode, isSystemError } from '../../errors.ts';
import { JournalCorrupt } from '../../journal/journal-bytes.ts';
import { journalFileName, JournalUnknown } from '../../journal/journal-header.ts';
import { JournalSourceFile } from './journal-source-file.ts';

/** Named after the machine. */
const machineDirectory = /^[0-9a-f]{32}$/;

export type JournalReport = (path: string, reason: string) => void;

type Found = { readonly file: JournalSourceFile; readonly isKnown: boolean };

export class JournalListing {
  readonly #directories: readonly string[];
  readonly #unreadable: JournalReport;
  readonly #files = new Map<string, JournalSourceFile>();
  /** By device and inode. */
  readonly #idsByInode = new Map<string, string>();
  /** By path: how often it could not be opened. */
  readonly #failures = new Map<string, number>();
  #stamp = '';
  #listedMs = Number.NEGATIVE_INFINITY;

  constructor(directories: readonly string[], unreadable: JournalReport) {
    this.#directories = directories;
    this.#unreadable = unreadable;
  }

  get files(): Iterable<JournalSourceFile> {
    return this.#files.values();
  }

  get fileCount(): number {
    return this.#files.size;
  }

  /** Files that repeatedly could not be opened. */
  get unreadableCount(): number {
    return [...this.#failures.values()].filter((failures) => failures > 1).length;
  }

  /** True if files were added or removed. */
  look(nowMs: number): boolean {
    const folders = this.#folders();
    const stamp = folders.map(({ path, stamp: own }) => `${path} ${own}`).join();
    // Directory times are coarse, so a directory that just changed is listed again.
    const isQuiet = nowMs - this.#listedMs < limits.journalListMs;
    if (stamp === this.#stamp && isQuiet) {
      this.#lookAtFiles();
      return false;
    }
    this.#stamp = stamp;
    this.#listedMs = nowMs;
    const isChanged = this.#list(folders);
    this.#lookAtFiles();
    return isChanged;
  }

  drop(file: JournalSourceFile): void {
    file.close();
    const { fileId } = file.header;
    this.#files.delete(fileId);
    for (const [inode, id] of this.#idsByInode) if (id === fileId) this.#idsByInode.delete(inode);
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }

  #folders(): { path: string; index: number; stamp: string }[] {
    return this.#directories.flatMap((base, index) => {
      const machines = namesIn(base).filter((name) => machineDirectory.test(name));
      return [base, ...machines.map((name) => join(base, name))].flatMap((path) => {
        const stamp = stampOf(path);
        return stamp === undefined ? [] : [{ path, index, stamp }];
      });
    });
  }

  #list(folders: readonly { path: string; index: number }[]): boolean {
    const seen = new Set<string>();
    const paths = new Set<string>();
    let isChanged = false;
    for (const { path: folder, index } of folders) {
      for (const name of namesIn(folder)) {
        if (!journalFileName.test(name) || seen.size >= limits.journalFilesMax) continue;
        const path = join(folder, name);
        paths.add(path);
        const found = this.#known(path) ?? this.#add(path, index);
        if (found === undefined) continue;
        isChanged ||= !found.isKnown;
        seen.add(found.file.header.fileId);
      }
    }
    for (const path of this.#failures.keys()) if (!paths.has(path)) this.#failures.delete(path);
    for (const [id, file] of this.#files) {
      if (seen.has(id) || file.isGone) continue;
      this.#try(file.path, () => file.lose());
      isChanged = true;
    }
    return isChanged;
  }

  /** The known file at a path, which may have had another name. */
  #known(path: string): Found | undefined {
    const file = this.#files.get(this.#idsByInode.get(inodeOf(path) ?? '') ?? '');
    if (file === undefined) return undefined;
    if (file.path === path || file.fd !== undefined) {
      this.#try(path, () => file.rename(path));
      return { file, isKnown: true };
    }
    // The inode may have been reused.
    const before = file.path;
    file.rename(path);
    if (file.open()) return { file, isKnown: true };
    file.rename(before);
    this.#idsByInode.delete(inodeOf(path) ?? '');
    return undefined;
  }

  #add(path: string, index: number): Found | undefined {
    try {
      const file = new JournalSourceFile(path, index);
      this.#failures.delete(path);
      const { fileId } = file.header;
      const known = this.#files.get(fileId);
      const inode = inodeOf(path);
      if (inode !== undefined) this.#idsByInode.set(inode, fileId);
      if (known === undefined) {
        this.#files.set(fileId, file);
        return { file, isKnown: false };
      }
      // A copy of a file under another inode.
      file.close();
      known.rename(path);
      return { file: known, isKnown: true };
    } catch (error) {
      this.#fail(path, error);
      return undefined;
    }
  }

  /** A new file has no header at first: only persistent errors are reported. */
  #fail(path: string, error: unknown): void {
    const isOfFile = error instanceof JournalCorrupt || error instanceof JournalUnknown;
    if (!isOfFile && !isSystemError(error)) throw error;
    if (hasCode(error, 'ENOENT')) return;
    const failures = (this.#failures.get(path) ?? 0) + 1;
    this.#failures.set(path, failures);
    if (failures > 1) this.#unreadable(path, (error as Error).message);
  }

  #lookAtFiles(): void {
    for (const file of this.#files.values()) this.#try(file.path, () => file.look());
  }

  #try(path: string, look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#fail(path, error);
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return []; // Missing, or not created yet.
  }
}

function stampOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats && `${stats.ino} ${stats.mtimeNs}`;
}

function inodeOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}
