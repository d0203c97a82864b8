// The files of one container's log, kept equal to what lies in its directory.
//
// Invariants: the list is in write order; a file leaves it only when it was read to its end and
// acknowledged, or what is left of it was counted as lost; every difference from the listing is
// repaired at the next look. A look never throws a system error: it is reported, and the next look
// tries again.

import { limits } from '../config.ts';
import { AgentError, hasCode, isSystemError } from '../errors.ts';
import { compareFileNames } from './file-name.ts';
import { GzTries, learnCompressed } from './gz-tries.ts';
import { FileIndex, isOnlyCompressed, nameOfVanished, wasSucceeded } from './listing.ts';
import type { ListedFile } from './listing.ts';
import { LogFile } from './log-file.ts';
import type { LogLocation } from './log-location.ts';
import type { FoundOrphan } from './orphan-copy.ts';
import { OwnDirectory } from './own-directory.ts';
import { Positions } from './resume.ts';
import { continues, isMoved, isSameIdentity, mayBePackOf, truncation } from './same-log.ts';
import type { LossReason, TailSetup } from './tail-setup.ts';

export class ChainFiles {
  #list: LogFile[] = [];
  #overLimit = 0;
  readonly #location: LogLocation;
  readonly #setup: TailSetup;
  readonly #gzTries = new GzTries();
  readonly #directory: OwnDirectory;
  readonly #positions: Positions;
  #isListed = false;
  /** Some file is not in the list yet: it is a copy that its maker has not finished. */
  #isCopyAwaited = false;

  constructor(location: LogLocation, setup: TailSetup) {
    this.#location = location;
    this.#setup = setup;
    this.#directory = new OwnDirectory(location.directory, location.liveName);
    this.#positions = new Positions(location, setup, () => this.#list);
  }

  /** Oldest first. */
  get list(): readonly LogFile[] {
    return this.#list;
  }

  /** Files in the directory that are not in the list, the oldest: there are too many. */
  get overLimit(): number {
    return this.#overLimit;
  }

  /** Nothing will be created there any more, unless all of it is made again. */
  get directoryGone(): boolean {
    return this.#directory.isGone;
  }

  /** Repairs the list to the directory and looks at each file. True when there is news. */
  look(nowMs: number): boolean {
    let news = this.#lookAtDirectory(nowMs);
    for (let index = 0; index < this.#list.length; index += 1) {
      if (this.#lookAtFile(index, this.#list[index]!, nowMs)) news = true;
    }
    this.#holdPacks(nowMs);
    return news;
  }

  /**
   * What a deleted file was packed to is unpacked when the file was read to its end: its lines may
   * be on their way at this moment.
   */
  #holdPacks(nowMs: number): void {
    const originals = this.#list.filter((file) => file.unlinked && !file.finished);
    if (originals.length === 0) return;
    for (const file of this.#list) {
      const isHeld = file.spool.isNeeded && originals.some((each) => mayBePackOf(file, each));
      if (isHeld) file.spool.postpone(nowMs + limits.settleMs);
    }
  }

  /** The next look lists the directory, whatever its time says. */
  relist(): void {
    this.#directory.relist();
  }

  close(): void {
    this.#directory.close();
    for (const file of this.#list) file.close();
  }

  /** Takes in the copy of a deleted file that an earlier run has kept. */
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
      if (!this.#directory.mustList) this.#positions.endListing();
      if (!this.#isListed && listing.overLimit === 0) this.#forgetVanished();
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

  /** Repairs the chain to a listing of the directory. True when a file came or went. */
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
      if (known === undefined || isOnlyCompressed(known, each)) {
        strange.push({ each, known });
        continue;
      }
      if (this.#recognize(known, each, nowMs)) news = true;
      index.add(known); // Perhaps under a new name.
      seen.add(known);
    }
    for (const [count, { each, known }] of this.#positions.storedFirst(strange).entries()) {
      if (count >= limits.filesLookedAtOnceMax && performance.now() >= this.#setup.listUntilMs()) {
        // At the next look: there are many.
        this.relist();
        if (known !== undefined) seen.add(known);
        continue;
      }
      const file = this.#admit(each, known, seen);
      // What is unread of it may be in a `.gz` that could not be read yet.
      if (file === undefined && known !== undefined && this.#directory.mustList) seen.add(known);
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
   * Whether what is unread of a file that a listing lacks is gone for good. One that is to be
   * repeated may lack it because it was renamed or packed meanwhile, or could not be opened; and
   * what is not known yet may be what it was renamed to.
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
   * Looks at what was empty so far. It may have been written, rotated and compressed since, and
   * must be known by its first line before its `.gz` is taken for another log.
   */
  #identifyOpen(nowMs: number): boolean {
    let news = false;
    for (const [index, file] of this.#list.entries()) {
      if (file.identity !== undefined || file.fd === undefined) continue;
      if (this.#lookAtFile(index, file, nowMs)) news = true;
    }
    return news;
  }

  /** A file that is known is where it was, or has moved. */
  #recognize(known: LogFile, { path, name, stats }: ListedFile, nowMs: number): boolean {
    const isBack = known.unlinked;
    // It was read while it was plain.
    const isPacked = name.compressed && !known.name.compressed;
    known.noteFound(isPacked ? known.name : name, isPacked ? known.path : path);
    if (isPacked) return isBack;
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
        if (!file.open()) return this.#listAgain(); // Renamed between the two calls.
        file.identify();
        if (this.#positions.isCopyInProgress(file, stats.mtimeMs)) {
          file.close();
          this.#isCopyAwaited = true;
          return this.#listAgain();
        }
      } else {
        const learned = learnCompressed(file, stats, { tries: this.#gzTries, setup: this.#setup });
        if (learned === 'given up') this.#giveUpPacked(file, stats, known);
        if (learned !== 'learned') return this.#gzTries.pending ? this.#listAgain() : undefined;
      }
    } catch (error) {
      if (!this.#tolerate(error, file, stats)) {
        file.close(); // It may have been opened before its first line could not be read.
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
    this.#fitDescriptors(file);
    this.#list.push(file);
    return file;
  }

  /** Counts what was unread of it where that is known, or else its own length. */
  #giveUpPacked(file: LogFile, stats: ListedFile['stats'], known: LogFile | undefined): void {
    if (known !== undefined) return this.lose(known, 'not_unpacked');
    if (this.#positions.loseStored(file)) return;
    file.noteListed(stats, stats.size);
    file.giveUp('not_unpacked');
  }

  #listAgain(): undefined {
    this.relist();
  }

  /** A file that cannot be opened: whether the chain takes it all the same, to open it later. */
  #tolerate(error: unknown, file: LogFile, stats: ListedFile['stats']): boolean {
    this.report(error, file.path);
    this.relist(); // Rights and limits change.
    if (file.name.compressed || !hasCode(error, 'EMFILE', 'ENFILE')) return false;
    file.noteListed(stats, stats.size);
    return true;
  }

  /**
   * A file of this chain that is the same log, and that this listing has not shown: it was renamed
   * or compressed while it was closed.
   */
  #twinOf(file: LogFile, seen: ReadonlySet<LogFile>): LogFile | undefined {
    return this.#list.find((other) => {
      if (seen.has(other)) return false;
      if (file.name.compressed) return isSameIdentity(other, file);
      return other.fd === undefined && !other.spool.isBusy && isMoved(other, file);
    });
  }

  /** Past the limit a descriptor is kept only while it is needed. */
  #fitDescriptors(file: LogFile): void {
    const { openFiles } = this.#setup;
    if (openFiles.count > openFiles.max) file.close();
  }

  /** Finds out who a file is, if its bytes tell it by now, and where to go on in it. */
  identify(file: LogFile): void {
    try {
      if (file.identify()) this.#positions.resume(file);
    } catch (error) {
      this.report(error, file.path);
    }
  }

  /** The first look after a start. */
  #forgetVanished(): void {
    const isSure = this.#list.every(({ identity }) => identity !== undefined);
    // Some file could not be looked at: the next listing decides.
    if (!isSure || this.#directory.mustList) return;
    this.#isListed = true;
    this.#positions.forgetVanished();
  }

  /** The same inode holds another log now (copytruncate): the old one ends where it was read to. */
  #replaceTruncated(index: number): void {
    const old = this.#list[index];
    if (old === undefined) return;
    const { size, offset, path } = old;
    const fresh = new LogFile(old, this.#setup);
    fresh.takeDescriptorFrom(old);
    const text = truncation({ path, size, offset }, fresh.size);
    this.#setup.report('FILE_TRUNCATED', text);
    const isIdentified = fresh.identify();
    // What it still holds may be its own, and is read again; what was cut off cannot be read.
    const keptBytes = fresh.size < size && continues(fresh, old) ? fresh.size : 0;
    this.lose(old, 'truncated', keptBytes);
    this.relist(); // It may have been copied before.
    this.#list.splice(index + 1, 0, fresh);
    if (isIdentified) this.#positions.resume(fresh);
  }

  /** Closes what is finished; forgets what is no longer on the disk. */
  dropFinished(nowMs: number): void {
    const dropped = this.#list.filter((file) => {
      if (!file.finished || file.spool.isBusy) return false;
      if (!this.#setup.once && this.#goesOn(file, nowMs)) return false;
      file.close();
      return file.unlinked || file.inode === 0;
    });
    if (dropped.length > 0) this.#list = this.#list.filter((file) => !dropped.includes(file));
    for (const file of dropped) this.#positions.forget(file, this.#isCopyAwaited);
    this.#positions.forgetDelayed();
  }

  /** One look more before the descriptor goes: nothing else would notice what came since. */
  #goesOn(file: LogFile, nowMs: number): boolean {
    try {
      return file.reviveIfGrown(nowMs);
    } catch (error) {
      this.report(error, file.path);
      return true; // The next look asks again.
    }
  }

  /** Gives up what is unread past `keptBytes`, unless another file holds the same bytes. */
  lose(file: LogFile, reason: LossReason, keptBytes = 0): void {
    const isElsewhere = this.#list.some((other) => other !== file && isSameIdentity(other, file));
    if (isElsewhere) file.dropUnread();
    else file.giveUp(reason, { keptBytes });
  }

  /** Reports what the operating system or the rules for links say; throws anything else. */
  report(error: unknown, path: string): void {
    if (!isSystemError(error) && !(error instanceof AgentError)) throw error;
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return; // Renamed since: the next listing decides.
    const code = error instanceof AgentError ? error.code : 'FILE_UNREADABLE';
    this.#setup.report(code, `${path}: ${error.message}`);
  }
}

/** Makes one of a known file and the same log as it was found again. */
function joinTwins(known: LogFile, found: LogFile): void {
  if (known.fd === undefined && !known.spool.isBusy) {
    known.moveTo(found);
    known.life.noteLinked();
  } else {
    // It goes on being read where it is, under the name that was found: a live file may have been
    // rotated and compressed between two looks.
    known.noteFound({ ...found.name, compressed: known.name.compressed });
    found.close();
  }
}
