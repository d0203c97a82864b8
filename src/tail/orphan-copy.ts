// Copies of deleted log files in the state directory, which survive this process.
//
//   orphans/<id>.log    the unacknowledged bytes at their own offsets; a hole before them
//   orphans/<id>.json   whose they are, and how far they were acknowledged; the CRC of both
//
// Invariant: the .json is renamed into place last, so there is a whole copy or none. A copy torn by
// a power loss is found by its CRC, set aside and reported.

import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  type PathLike,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { limits } from '../config.ts';
import { closeDescriptor, syncDescriptor, writeAt } from '../descriptor.ts';
import type { ContainerLog } from '../discover/container-name.ts';
import type { StoredTemplate } from '../encode/entries/entry-template.ts';
import { hasCode } from '../errors.ts';
import type { FileIdentity } from './file-identity.ts';
import type { FileName } from './file-name.ts';
import type { PodTexts } from './reading-rules.ts';
import { copyRange, readPieces, type SpoolFile } from './spool-file.ts';
import type { Checkpoint } from '../commit/checkpoint.ts';

/** What a later run needs to ship a copy as this one would have. */
export type OrphanSource = {
  readonly log: ContainerLog;
  readonly workload: StoredTemplate;
  /** The pod's annotations that the agent obeys. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
  /** For rules; older copies have none. */
  readonly podTexts?: PodTexts;
};

export type OrphanRecord = {
  readonly source: OrphanSource;
  readonly name: FileName;
  readonly path: string;
  readonly identity: FileIdentity;
  readonly checkpoint: Checkpoint;
  /** Wall clock, milliseconds since the epoch. */
  readonly deletedAtMs: number;
  /** The bytes `[from, size)` of the log are stored, and its beginning. */
  readonly from: number;
  readonly size: number;
  readonly storedBytes: number;
  readonly crc: number;
};

type OrphanDraft = Omit<OrphanRecord, 'crc' | 'storedBytes' | 'size'> & {
  readonly to: number;
  /** The agent stops: the copy is abandoned. */
  readonly isLate: () => boolean;
};

export type FoundOrphan = { readonly id: string; readonly record: OrphanRecord };

/** `damaged`: paths of what was set aside. */
export type OrphanListing = { readonly found: FoundOrphan[]; readonly damaged: string[] };

/** A copy of this run, open. It survives a kill at once, and a power loss when it is synced. */
export type OrphanCopy = SpoolFile & { readonly id: string; sync(): Promise<void> };

const folder = 'orphans';
const dataSuffix = '.log';
const recordSuffix = '.json';

export class OrphanFolder {
  readonly #path: string;
  #made = 0;
  /** Of the folder when this run last wrote to it. */
  #inode: number | undefined;

  constructor(stateDir: string) {
    this.#path = join(stateDir, folder);
  }

  /** The folder that this run wrote to is gone, or another one has its name. */
  get isReplaced(): boolean {
    return this.#inode !== undefined && inodeOf(this.#path) !== this.#inode;
  }

  /** Whether the copy is whole. */
  has(id: string): boolean {
    return [recordSuffix, dataSuffix].every((suffix) => existsSync(this.#file(id, suffix)));
  }

  /** Copies the file behind the descriptor `source`. @throws the system's error. */
  async write(source: number, draft: OrphanDraft): Promise<OrphanCopy> {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    this.#made += 1;
    const id = `${Date.now().toString(36)}-${this.#made}`;
    const { to, isLate, ...known } = draft;
    const fd = openSync(this.#file(id, dataSuffix), 'wx+', 0o600);
    try {
      let crc = 0;
      const copy = await copyRange(source, fd, { from: draft.from, to }, (piece) => {
        if (isLate()) throw lateError();
        crc = crc32(piece, crc);
      });
      const { size, storedBytes } = copy;
      await this.#writeRecord(id, { ...known, size, storedBytes, crc });
      this.#inode = inodeOf(this.#path);
      return { ...copy, id, sync: () => this.#sync(id, fd) };
    } catch (error) {
      closeDescriptor(fd);
      this.remove(id);
      throw error;
    }
  }

  async #writeRecord(id: string, record: OrphanRecord): Promise<void> {
    const json = JSON.stringify(record);
    const path = this.#file(id, recordSuffix);
    const fd = openSync(`${path}.tmp`, 'wx', 0o600);
    try {
      await writeAt(fd, Buffer.from(`${json}\n${crc32(json)}\n`), 0);
    } finally {
      closeDescriptor(fd);
    }
    renameSync(`${path}.tmp`, path);
  }

  /** Syncs the copy, its record and their names. */
  async #sync(id: string, fd: number): Promise<void> {
    await syncDescriptor(fd);
    for (const path of [this.#file(id, recordSuffix), this.#path]) {
      const each = openSync(path, 'r');
      try {
        await syncDescriptor(each);
      } finally {
        closeDescriptor(each);
      }
    }
  }

  /** Removes unfinished copies and sets damaged ones aside. @throws the system's error. */
  list(): OrphanListing {
    const listing: OrphanListing = { found: [], damaged: [] };
    const names = readNames(this.#path);
    for (const name of names) {
      // A later start finds the others.
      if (listing.found.length === limits.orphansFoundMax) break;
      if (!name.endsWith(recordSuffix)) continue;
      const id = name.slice(0, -recordSuffix.length);
      const record = names.has(id + dataSuffix) ? this.#readRecord(id) : undefined;
      if (record !== undefined) listing.found.push({ id, record });
      else listing.damaged.push(this.setAside(id));
    }
    for (const name of names) {
      const isUnfinished =
        name.endsWith('.tmp') ||
        (name.endsWith(dataSuffix) && !names.has(name.slice(0, -dataSuffix.length) + recordSuffix));
      if (isUnfinished) tryTo(() => rmSync(join(this.#path, name), { force: true }));
    }
    return listing;
  }

  #readRecord(id: string): OrphanRecord | undefined {
    try {
      const [json = '', crc] = readFileSync(this.#file(id, recordSuffix), 'utf8').split('\n');
      return crc === String(crc32(json)) ? (JSON.parse(json) as OrphanRecord) : undefined;
    } catch {
      return undefined;
    }
  }

  /** undefined: the bytes are damaged, or were removed. @throws the system's error. */
  async open({ id, record }: FoundOrphan): Promise<SpoolFile | undefined> {
    const fd = openIfThere(this.#file(id, dataSuffix));
    if (fd === undefined) return undefined;
    try {
      const { from, size, storedBytes } = record;
      let crc = 0;
      let bytes = 0;
      await readPieces(fd, { from, to: size }, (piece) => {
        crc = crc32(piece, crc);
        bytes += piece.length;
      });
      if (crc === record.crc && bytes === storedBytes) return { fd, size, storedBytes };
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
    closeDescriptor(fd);
    return undefined;
  }

  /** The record first: without it the bytes belong to no container. */
  remove(id: string): void {
    for (const suffix of [recordSuffix, `${recordSuffix}.tmp`, dataSuffix]) {
      tryTo(() => rmSync(this.#file(id, suffix), { force: true }));
    }
  }

  /** Keeps a damaged copy for a person to look at; returns its new name. */
  setAside(id: string): string {
    const aside = `${id}.corrupt-${Date.now()}`;
    for (const suffix of [recordSuffix, dataSuffix]) {
      tryTo(() =>
        renameSync(this.#file(id, suffix), join(this.#path, `${aside}-${suffix.slice(1)}`)),
      );
    }
    return join(this.#path, aside);
  }

  #file(id: string, suffix: string): string {
    return join(this.#path, id + suffix);
  }
}

/** A folder that cannot be reached counts as gone. */
function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function lateError(): Error {
  const error = new Error('the agent ends before it is copied');
  return Object.assign(error, { code: 'ETIMEDOUT', syscall: 'copy' });
}

function readNames(path: PathLike): Set<string> {
  try {
    return new Set(readdirSync(path));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return new Set(); // There was never a copy.
    throw error;
  }
}

function tryTo(work: () => void): void {
  try {
    work();
  } catch {
    // The next start finds it again: a whole copy is then sent twice, as the same entries.
  }
}
