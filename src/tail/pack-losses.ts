// The packed files of one container that were given up, whole or in part, and what they lost.
//
// Invariant: the loss of a packed file is told once, also over restarts: the store keeps a mark for
// it, by inode and birth, until the file is gone. One that changes all the same is read on.

import { statSync } from 'node:fs';
import { basename } from 'node:path';

import { limits } from '../config.ts';
import { holdsAllRestarts, type LogLocation } from './container-names.ts';
import { instanceOfPack, packMark } from './file-identity.ts';
import { parseFileName, sameRotation } from './file-name.ts';
import type { Salvaged } from './gz-salvage.ts';
import { isBornAt } from './inode-facts.ts';
import type { ListedFile } from './listing.ts';
import type { LogFile } from './log-file.ts';
import type { SpoolFile } from './spool-file.ts';
import type { KnownOffset, TailSetup } from './tail-setup.ts';

export class PackLosses {
  readonly #location: LogLocation;
  readonly #setup: TailSetup;
  /** Packed bytes, when they were given up, by path. */
  readonly #givenUp = new Map<string, number>();
  readonly #loseStored: (pack: LogFile, keptBytes: number) => boolean;
  #lookedAtMs = 0;
  /** Some mark may be stored. */
  #hasMarks = true;

  /** `loseStored`: counts what is stored of its log as lost; false when nothing is. */
  constructor(
    location: LogLocation,
    setup: TailSetup,
    loseStored: (pack: LogFile, keptBytes: number) => boolean,
  ) {
    this.#location = location;
    this.#setup = setup;
    this.#loseStored = loseStored;
  }

  get #marks(): readonly KnownOffset[] {
    const { podUid, container, restartCount } = this.#location;
    const stored = this.#setup.lookup(podUid, container);
    return stored.filter(
      (each) =>
        isMark(each) && (holdsAllRestarts(this.#location) || each.restartCount === restartCount),
    );
  }

  /** Notes that a pack is given up; true when nothing of it was told as lost before. */
  note(file: LogFile, packedBytes: number): boolean {
    this.#givenUp.set(file.path, packedBytes);
    if (this.#marks.some((mark) => file.inodeFacts.isOfStored(mark))) return false;
    this.#hasMarks = true;
    this.#setup.remember({
      podUid: file.owner.podUid,
      container: file.owner.container,
      restartCount: file.owner.restartCount,
      fingerprint: packMark,
      instance: instanceOfPack(file.inodeFacts),
      offset: 0,
      positionHash: undefined,
      readTimes: [],
      size: 0,
      device: file.inodeFacts.device,
      inode: file.inode,
      bornMs: file.bornMs,
      fileName: basename(file.path),
    });
    return true;
  }

  /** Takes what was unpacked; false if it was damaged, and all that is left was read before. */
  adopt(file: LogFile, spool: SpoolFile | Salvaged): boolean {
    const { plainBytes } = file.spool;
    const isDamaged = 'packedRest' in spool;
    const isNews = !isDamaged || spool.size > file.offset;
    if (isNews) file.adoptSpool(spool);
    else file.dropUnread();
    if (isDamaged) this.#loseRest(file, plainBytes, spool);
    return isNews;
  }

  /** Gives up one that holds at least `sizeMin` bytes. */
  lose(file: LogFile, { packedBytes, sizeMin = 0 }: { packedBytes: number; sizeMin?: number }) {
    if (this.note(file, packedBytes)) file.giveUp('not_unpacked', { sizeMin });
    else file.dropUnread();
  }

  #loseRest(
    file: LogFile,
    plainBytes: number,
    { size, total, packedRest, packedBytes }: Salvaged,
  ): void {
    const isNew = this.note(file, packedBytes);
    if (!isNew || packedRest === undefined) return;
    const length = Math.max(total ?? 0, plainBytes);
    if (length < size && this.#loseStored(file, size)) return;
    const offset = Math.max(size, file.offset);
    // At least as much is missing as is left packed; of a file that was cut off, one byte.
    const bytes = length >= size ? length - offset : Math.max(1, packedRest);
    if (bytes > 0) this.tell(file, { offset, bytes });
  }

  tell(
    { path, owner, identity }: LogFile,
    { offset, bytes }: { readonly offset: number; readonly bytes: number },
  ): void {
    this.#setup.lost({ file: { path, owner, offset, identity }, reason: 'not_unpacked', bytes });
  }

  isGivenUp(path: string): boolean {
    return this.#givenUp.has(path);
  }

  /** Whether the pack of `known` was given up, and has changed since. */
  isBack({ fd, unread }: LogFile, { path, stats }: ListedFile): boolean {
    const before = this.#givenUp.get(path);
    const isChanged = before !== undefined && before !== stats.size;
    return isChanged && fd === undefined && unread === 0;
  }

  /** Looks at them from time to time: the time of their directory does not tell. */
  haveChanged(nowMs: number): boolean {
    if (this.#givenUp.size === 0 || nowMs - this.#lookedAtMs < limits.spoolRetryMs) return false;
    this.#lookedAtMs = nowMs;
    return [...this.#givenUp].some(([path, bytes]) => ![0, bytes].includes(packedSize(path)));
  }

  /** It is read again. */
  retry(path: string): void {
    this.#givenUp.delete(path);
  }

  /** Whether a stored position is a mark, or of a log whose pack was given up. */
  keeps(known: KnownOffset): boolean {
    if (isMark(known)) return true;
    const { liveName } = this.#location;
    const name = parseFileName(known.fileName, liveName);
    return [...this.#givenUp.keys()].some((path) => {
      const other = parseFileName(basename(path), liveName);
      return name !== undefined && other !== undefined && sameRotation(name, other);
    });
  }

  /** Forgets those that a whole listing lacks. */
  endListing(listed: readonly ListedFile[]): void {
    if (!this.#hasMarks) return;
    const packs = listed.filter(({ name }) => name.compressed);
    const paths = new Set(packs.map(({ path }) => path));
    for (const path of this.#givenUp.keys()) if (!paths.has(path)) this.#givenUp.delete(path);
    const births = new Map(packs.map(({ stats }) => [stats.ino, stats.birthtimeMs]));
    this.#hasMarks = false;
    for (const mark of this.#marks) {
      const bornMs = births.get(mark.inode);
      this.#hasMarks = true;
      if (bornMs !== undefined && isBornAt(mark.bornMs, bornMs)) continue;
      const { podUid, container } = this.#location;
      this.#setup.forget({ podUid, container, restartCount: mark.restartCount }, mark);
    }
  }
}

/** 0: it is gone, or the disk fails. */
export function packedSize(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

export function isMark({ fingerprint }: KnownOffset): boolean {
  return fingerprint === packMark;
}
