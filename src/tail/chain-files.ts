// The files of one container's log, kept in step with its directory.
//
// Invariants: the list is in write order; a file leaves it only when it was read and acknowledged
// to its end, or its rest was counted as lost; every difference from the directory is repaired by
// the next look. System errors are reported, not thrown, and the next look tries again.

import { limits } from '../config.ts';
import { AgentError, hasCode, isSystemError } from '../errors.ts';
import { compareFileNames } from './file-name.ts';
import { GzTries, learnCompressed } from './gz-tries.ts';
import {
  FileIndex,
  isOnlyCompressed,
  nameOfVanished,
  storedFirst,
  wasSucceeded,
  type ListedFile,
} from './listing.ts';
import { LogFile } from './log-file.ts';
import type { LogLocation } from './container-names.ts';
import type { FoundOrphan } from './orphan-copy.ts';
import { OwnDirectory } from './own-directory.ts';
import { PackLosses } from './pack-losses.ts';
import { Positions } from './resume.ts';
import {
  continues,
  holdsRestOf,
  isRenamed,
  joinTwins,
  mayBePackOf,
  truncation,
} from './same-log.ts';
import type { LossReason, TailSetup } from './tail-setup.ts';

export class ChainFiles {
  #list: LogFile[] = [];
  #overLimit = 0;
  readonly #location: LogLocation;
  readonly #setup: TailSetup;
  readonly #gzTries = new GzTries();
  readonly #directory: OwnDirectory;
  readonly #positions: Positions;
  readonly packs: PackLosses;
  #isListed = false;
  /** Some file is not in the list yet: it is an unfinished copy. */
  #isCopyAwaited = false;

  constructor(location: LogLocation, setup: TailSetup) {
    this.#location = location;
    this.#setup = setup;
    this.#directory = new OwnDirectory(location.directory, location.liveName);
    this.packs = new PackLosses(location, setup, (pack, keptBytes) =>
      this.#positions.loseStored(pack, keptBytes),
    );
    this.#positions = new Positions(location, setup, this.packs, () => this.#list);
  }

  /** Oldest first. */
  get list(): readonly LogFile[] {
    return this.#list;
  }

  /** The number of oldest files that are not in the list because there are too many. */
  get overLimit(): number {
    return this.#overLimit;
  }

  /** Files that are not in the list because they cannot be opened. */
  get unreadableCount(): number {
    return this.#directory.unreadableCount;
  }

  get directoryGone(): boolean {
    return this.#directory.isGone;
  }

  /** Compares the list with the directory and looks at each file. True when there is news. */
  look(nowMs: number): boolean {
    if (this.packs.haveChanged(nowMs)) this.relist();
    let news = this.#lookAtDirectory(nowMs);
    for (let index = 0; index < this.#list.length; index += 1) {
      if (this.#lookAtFile(index, this.#list[index]!, nowMs)) news = true;
    }
    this.#holdPacks(nowMs);
    return news;
  }

  /** The `.gz` of a deleted file waits until the file is read: its lines may be in flight now. */
  #holdPacks(nowMs: number): void {
    const originals = this.#list.filter((file) => file.unlinked && !file.finished);
    if (originals.length === 0) return;
    for (const file of this.#list) {
      const isHeld = file.spool.isNeeded && originals.some((each) => mayBePackOf(file, each));
      if (isHeld) file.spool.postpone(nowMs + limits.settleMs);
    }
  }

  /** The next look lists the directory, whatever its time says. */
  relist(): undefined {
    this.#directory.relist();
  }

  close(): void {
    this.#directory.close();
    for (const file of this.#list) file.close();
  }

  /** Adds the copy of a deleted file that an earlier run has kept. */
  restore({ record }: FoundOrphan, unlinkedAtMs: number): LogFile {
    const { name, path, identity, checkpoint, size } = record;
    const { podUid, container, restartCount } = checkpoint;
    const owner = { podUid, container, restartCount };
    const file = new LogFile({ name, path, owner, format: this.#location.format }, this.#setup);
    file.restore(identity, size, unlinkedAtMs);
    file.resume(this.#positions.laterThan(checkpoint, size) ?? checkpoint);
    this.#list.push(file);
    this.#list.sort((a, b) => compareFileNames(a.name, b.name));
    return file;
  }

  #lookAtFile(index: number, file: LogFile, nowMs: number): boolean {
    try {
      const isBehind = file.committed < file.size;
      const change = file.refresh(nowMs);
      if (change === 'truncated') this.#replaceTruncated(index);
      else if (isBehind) this.#positions.rememberSize(file);
      this.identify(file);
      return change !== 'same';
    } catch (error) {
      this.report(error, file.path);
      return false;
    }
  }

  #lookAtDirectory(nowMs: number): boolean {
    const wasGone = this.directoryGone;
    try {
      const listing = this.#directory.look(nowMs, this.#setup.listUntilMs());
      if (listing === undefined) return false;
      this.#noteOverLimit(listing.overLimit);
      const news = this.#adoptListing(listing.files, nowMs);
      const isWhole = listing.overLimit === 0;
      if (!this.#directory.mustList) this.#positions.endListing();
      if (!this.#directory.mustList && isWhole) this.packs.endListing(listing.files);
      if (!this.#isListed && isWhole) this.#forgetVanished();
      return news;
    } catch (error) {
      this.report(error, this.#directory.path);
      const news = this.directoryGone && !wasGone;
      if (news) this.#adoptListing([], nowMs);
      return news;
    }
  }

  #noteOverLimit(count: number): void {
    if (count > 0 && this.#overLimit === 0) {
      const text = `${count} log files more than ${limits.chainFilesMax}: the oldest are not read`;
      this.#setup.report('OVER_LIMIT', `${this.#location.directory}: ${text}`);
    }
    this.#overLimit = count;
  }

  /** Repairs the list. True when a file came or went. */
  #adoptListing(listed: readonly ListedFile[], nowMs: number): boolean {
    let news = this.#identifyOpen(nowMs);
    const seen = new Set<LogFile>();
    const admitted = new Set<LogFile>();
    const strange: { each: ListedFile; known: LogFile | undefined }[] = [];
    const index = new FileIndex(this.#list);
    this.#isCopyAwaited = false;
    for (const each of listed) {
      const known = index.find(each);
      if (known !== undefined && seen.has(known)) continue;
      if (known === undefined || isOnlyCompressed(known, each) || this.packs.isBack(known, each)) {
        strange.push({ each, known });
        continue;
      }
      if (this.#recognize(known, each, nowMs)) news = true;
      index.add(known); // It may have a new name.
      seen.add(known);
    }
    for (const [count, { each, known }] of storedFirst(strange, this.#positions.stored).entries()) {
      if (count >= limits.filesLookedAtOnceMax && performance.now() >= this.#setup.listUntilMs()) {
        // The rest waits for the next look.
        this.relist();
        if (known !== undefined) seen.add(known);
        continue;
      }
      const file = this.#admit(each, known, seen);
      // Its unread bytes may be in a `.gz` that could not be read yet.
      const isKept = this.#directory.mustList || this.packs.isGivenUp(each.path);
      if (file === undefined && known !== undefined && isKept) seen.add(known);
      if (file === undefined) continue;
      if (!seen.has(file)) admitted.add(file);
      seen.add(file);
      news = true;
    }
    for (const file of this.#list) {
      if (seen.has(file)) continue;
      if (!file.unlinked) news = true;
      const isLive = file.name.rotation === '';
      const isMissed = isLive && !file.unlinked && this.directoryGone && wasSucceeded(file);
      if (isMissed) this.#setup.missed(file.path);
      const before = isLive ? this.#list.filter((other) => !admitted.has(other)) : [];
      file.noteUnlinked(isLive ? nameOfVanished(file, before) : file.name, nowMs);
      if (this.#isGone(file)) this.lose(file, 'deleted');
    }
    this.#list.sort((a, b) => compareFileNames(a.name, b.name));
    return news || this.#isCopyAwaited;
  }

  /**
   * Whether the unread bytes of a file that the listing lacks are lost. If the listing is repeated,
   * the file may have been renamed or packed meanwhile; a file that is not identified yet may be
   * the same file under a new name.
   */
  #isGone(file: LogFile): boolean {
    const { isBusy, keptBytes } = file.spool;
    const isHere = file.fd !== undefined || isBusy || keptBytes !== undefined;
    if (isHere || file.unread === 0) return false;
    if (this.directoryGone) return true;
    const isUnknown = ({ identity, unread }: LogFile) => identity === undefined && unread > 0;
    if (this.#list.some((other) => !other.unlinked && isUnknown(other))) {
      this.relist();
      return false;
    }
    return file.life.noteMissed() || !this.#directory.mustList;
  }

  /**
   * Looks at files that were empty so far. One may have been written, rotated and compressed since,
   * and must be identified before its `.gz` is taken for another log.
   */
  #identifyOpen(nowMs: number): boolean {
    let news = false;
    for (const [index, file] of this.#list.entries()) {
      if (file.identity !== undefined || file.fd === undefined) continue;
      if (this.#lookAtFile(index, file, nowMs)) news = true;
    }
    return news;
  }

  /** Notes where a known file was found. */
  #recognize(known: LogFile, { path, name, stats }: ListedFile, nowMs: number): boolean {
    const isBack = known.unlinked;
    // It was read while it was plain: it keeps that name.
    const isPacked = name.compressed && !known.name.compressed;
    if (path !== known.path) this.#setup.trace(`${known.path}: is ${path} now`);
    const isMoved = path !== known.path && !isPacked;
    known.noteFound(isPacked ? known.name : name, isPacked ? known.path : path);
    if (isPacked) return isBack;
    if (isMoved) this.#positions.rememberName(known);
    return known.reviveIfGrown(nowMs, stats.size) || isBack;
  }

  #admit(
    { path, name, stats }: ListedFile,
    known: LogFile | undefined,
    seen: ReadonlySet<LogFile>,
  ): LogFile | undefined {
    const { podUid, container, format } = this.#location;
    const restartMin = format === 'cri' ? 0 : this.#location.restartCount;
    const owner = { podUid, container, restartCount: Math.max(name.restartCount, restartMin) };
    const file = new LogFile({ name, path, owner, format }, this.#setup);
    file.noteListed(stats);
    try {
      if (!name.compressed) {
        if (!file.open()) return this.relist(); // Renamed since the listing.
        file.identify();
        if (this.#positions.isCopyInProgress(file, stats.mtimeMs)) {
          file.close();
          this.#isCopyAwaited = true;
          return this.relist();
        }
      } else {
        const learned = learnCompressed(file, stats, { tries: this.#gzTries, setup: this.#setup });
        if (learned === 'given up') this.#giveUpPacked(file, stats, known);
        if (learned === 'learned') this.packs.retry(path);
        else return this.#gzTries.pending ? this.relist() : undefined;
      }
    } catch (error) {
      if (!this.#tolerate(error, file, stats)) {
        file.close(); // Opening it may have succeeded before reading failed.
        return undefined;
      }
    }
    const twin = known ?? this.#twinOf(file, seen);
    if (twin !== undefined) {
      const isNews = twin.identity === undefined;
      joinTwins(twin, file);
      if (isNews && twin.identity !== undefined) this.#positions.resume(twin);
      return twin;
    }
    if (file.identity !== undefined) this.#positions.resume(file);
    if (this.#setup.openFiles.count > this.#setup.openFiles.max) file.close();
    this.#list.push(file);
    return file;
  }

  /** Counts its unread bytes where they are known, or else its own length. */
  #giveUpPacked(file: LogFile, { size }: ListedFile['stats'], known: LogFile | undefined): void {
    const isNew = this.packs.note(file, size);
    if (known !== undefined) {
      this.lose(known, 'not_unpacked');
      this.#positions.rememberSize(known);
    } else if (!this.#positions.loseStored(file) && isNew) {
      this.packs.tell(file, { offset: 0, bytes: Math.max(1, size) });
    }
  }

  /** Whether a file that cannot be opened is added anyway, to open it later. */
  #tolerate(error: unknown, file: LogFile, stats: ListedFile['stats']): boolean {
    this.report(error, file.path);
    this.relist(); // Permissions and limits change.
    const isForWant = !file.name.compressed && hasCode(error, 'EMFILE', 'ENFILE');
    if (isForWant) file.noteListed(stats, stats.size);
    else if (!hasCode(error, 'ENOENT', 'LINK_REFUSED')) this.#directory.noteUnreadable(file.path);
    return isForWant;
  }

  /** The same log under another name: it was renamed or compressed while it was closed. */
  #twinOf(file: LogFile, seen: ReadonlySet<LogFile>): LogFile | undefined {
    return this.#list.find((other) => !seen.has(other) && isRenamed(other, file));
  }

  /** Identifies a file, if its bytes allow it, and finds its position. */
  identify(file: LogFile): void {
    try {
      if (file.identify()) this.#positions.resume(file);
    } catch (error) {
      this.report(error, file.path);
    }
  }

  /** After the first whole look. */
  #forgetVanished(): void {
    const isSure = this.#list.every(({ identity }) => identity !== undefined);
    if (!isSure || this.#directory.mustList) return;
    this.#isListed = true;
    this.#positions.forgetVanished();
  }

  /** The inode holds another log now (copytruncate): the old one ends where it was read to. */
  #replaceTruncated(index: number): void {
    const old = this.#list[index];
    if (old === undefined) return;
    const { size, offset, path } = old;
    const fresh = new LogFile(old, this.#setup);
    fresh.takeDescriptorFrom(old);
    this.#setup.report('FILE_TRUNCATED', truncation({ path, size, offset }, fresh.size));
    const isIdentified = fresh.identify();
    // What it still holds may be its own, and is read again; only what was cut off is lost.
    const keptBytes = fresh.size < size && continues(fresh, old) ? fresh.size : 0;
    this.lose(old, 'truncated', keptBytes);
    this.relist(); // It may have been copied before.
    this.#list.splice(index + 1, 0, fresh);
    if (isIdentified) this.#positions.resume(fresh);
  }

  /** Closes finished files, and forgets those that are no longer on the disk. */
  dropFinished(nowMs: number): void {
    const dropped = this.#list.filter((file) => {
      if (!file.finished || file.spool.isBusy) return false;
      if (!this.#setup.once && this.#hasGrown(file, nowMs)) return false;
      file.close();
      return file.unlinked || file.inode === 0;
    });
    if (dropped.length > 0) this.#list = this.#list.filter((file) => !dropped.includes(file));
    for (const file of dropped) {
      this.#positions.forget(file, this.#isCopyAwaited);
      this.#setup.trace(`${file.path}: gone, after ${file.committed} bytes`);
    }
    this.#positions.forgetDelayed();
  }

  /** A last look before the descriptor is closed: nothing else would notice later bytes. */
  #hasGrown(file: LogFile, nowMs: number): boolean {
    try {
      return file.reviveIfGrown(nowMs);
    } catch (error) {
      this.report(error, file.path);
      return true; // The next look tries again.
    }
  }

  /** Gives up the unread bytes past `keptBytes`, unless another file holds them. */
  lose(file: LogFile, reason: LossReason, keptBytes = 0): void {
    const isElsewhere = this.#list.some((other) => other !== file && holdsRestOf(file, other));
    if (isElsewhere) file.dropUnread();
    else file.giveUp(reason, { keptBytes });
  }

  /** Reports system errors and refused links; throws anything else. */
  report(error: unknown, path: string): void {
    if (!isSystemError(error) && !(error instanceof AgentError)) throw error;
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return; // Renamed: the next listing shows it.
    const code = error instanceof AgentError ? error.code : 'FILE_UNREADABLE';
    this.#setup.report(code, `${path}: ${error.message}`);
  }
}
