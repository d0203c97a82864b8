// A container's log: all its files, oldest first, as one chain.
//
// Invariants: bytes leave the chain in write order; a record that may end in a later file waits for
// it; no descriptor is closed while a task may read it.

import { limits } from '../config.ts';
import type { SourceResult } from '../encode/drain-task.ts';
import { hasCode } from '../errors.ts';
import { Backlog } from './backlog.ts';
import { cutSegments, type ChainCut } from './chain-cut.ts';
import { ChainFiles } from './chain-files.ts';
import { Lag } from './lag.ts';
import type { LogFile } from './log-file.ts';
import type { LogLocation } from './container-names.ts';
import type { FoundOrphan } from './orphan-copy.ts';
import type { PackLosses } from './pack-losses.ts';
import type { DrainedRange } from './position.ts';
import { ownsPosition } from './same-log.ts';
import type { LossReason, TailSetup } from './tail-setup.ts';

type Drained = Pick<SourceResult, 'consumed' | 'more' | 'positionHashes' | 'replaced'> &
  Partial<Pick<SourceResult, 'readError'>>;

export class Chain {
  readonly location: LogLocation;
  readonly #files: ChainFiles;
  readonly #setup: TailSetup;
  readonly #lag = new Lag();
  readonly #backlog = new Backlog();
  readonly #links = new Set<string>();
  #draining = false;
  #waiting = false;
  #isClosed = false;
  #stuckAt = '';
  #stuckSinceMs: number | undefined;
  /** When the record at `#stuckAt` was last flushed. */
  #flushedAtMs: number | undefined;

  constructor(location: LogLocation, setup: TailSetup) {
    this.location = location;
    this.#files = new ChainFiles(location, setup);
    this.#setup = setup;
  }

  /** The links to it; without one, the container is gone. */
  get links(): ReadonlySet<string> {
    return this.#links;
  }

  addLink(linkPath: string): void {
    this.#links.add(linkPath);
  }

  removeLink(linkPath: string): void {
    this.#links.delete(linkPath);
  }

  /** A task is reading it. */
  get draining(): boolean {
    return this.#draining;
  }

  /** The last task could not consume more, and nothing was written since. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Its descriptors are closed, and none may be opened. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Since when its first unread record has been incomplete, milliseconds since the epoch. */
  get stuckSinceMs(): number | undefined {
    return this.#stuckSinceMs;
  }

  /** Oldest first. */
  get files(): readonly LogFile[] {
    return this.#files.list;
  }

  get packs(): PackLosses {
    return this.#files.packs;
  }

  /** The newest file. */
  get live(): LogFile | undefined {
    return this.files.at(-1);
  }

  /** The offset of the oldest unread byte in its file. */
  get readOffset(): number | undefined {
    return this.files.find(({ unread }) => unread > 0)?.offset;
  }

  /** Bytes that are not read yet. */
  get unread(): number {
    let bytes = 0;
    for (const file of this.files) bytes += file.unread;
    return bytes;
  }

  /** Bytes that are not acknowledged yet. */
  get behindBytes(): number {
    let bytes = 0;
    for (const file of this.files) bytes += Math.max(0, file.size - file.committed);
    return bytes;
  }

  /** Unacknowledged bytes from before the agent watched. */
  get backlogBytes(): number {
    return this.#backlog.bytes;
  }

  /** Bytes written while the agent watched, and not lost, up to the last look. */
  get keptBytes(): number {
    return this.#backlog.committedBytes + this.behindBytes - this.#backlog.bytes;
  }

  /** When the oldest unacknowledged byte was found, milliseconds since the epoch. */
  get behindSinceMs(): number | undefined {
    return this.#lag.sinceMs;
  }

  /** Some file was superseded and is not finished. */
  get mayStillGrow(): boolean {
    return this.files.some((file) => file.life.supersededAtMs !== undefined && !file.finished);
  }

  /** Its directory is gone: nothing will be written. */
  get isGone(): boolean {
    return this.#files.directoryGone;
  }

  /** Some file is being unpacked or copied. */
  get isCopying(): boolean {
    return this.files.some(({ spool }) => spool.isBusy);
  }

  /** Adds the copy of a deleted file that an earlier run has kept. */
  restore(found: FoundOrphan, unlinkedAtMs: number): LogFile {
    return this.#files.restore(found, unlinkedAtMs);
  }

  /** Gone from the disk and acknowledged. */
  get isFinished(): boolean {
    return this.#files.directoryGone && this.#links.size === 0 && this.files.length === 0;
  }

  /** Some unread file was deleted or rotated. */
  get atRisk(): boolean {
    return this.files.some(
      (file) => file.unread > 0 && (file.unlinked || file.name.rotation !== ''),
    );
  }

  /** Looks at the directory and at the files. True when there is news: bytes, files, an end. */
  look(nowMs: number): boolean {
    let news = this.#files.look(nowMs);
    if (this.#settleEnds(nowMs)) news = true;
    this.#files.dropFinished(nowMs);
    if (news) this.#waiting = false;
    this.#backlog.measure(this.files, this.#setup.startedAtMs);
    this.#measureLag(nowMs);
    return news;
  }

  #measureLag(nowMs: number): void {
    let inFlight = 0;
    for (const file of this.files) inFlight += file.offset - file.committed;
    const committed = this.#backlog.committedBytes;
    this.#lag.look({ behind: this.behindBytes, inFlight, committed }, nowMs);
  }

  /** Ends files that are superseded, and quiet since. */
  #settleEnds(nowMs: number): boolean {
    let news = false;
    const { files } = this;
    for (let index = 0; index < files.length; index += 1) {
      const file = files[index]!;
      // A deleted live file is written to until there is another, or its container is gone.
      const isGone = file.unlinked && this.#files.directoryGone;
      const isSuperseded = index < files.length - 1 || isGone || this.#links.size === 0;
      const isWhole = this.#setup.once || file.name.compressed || file.inode === 0;
      file.life.noteSuperseded(isSuperseded, nowMs);
      if (!file.life.settle(isWhole, nowMs)) continue;
      news = true;
      this.#files.identify(file);
    }
    return news;
  }

  /** Gives up a deleted file and frees its blocks. False while it is being read. */
  abandon(file: LogFile, reason: LossReason): boolean {
    if (this.#draining || file.spool.isBusy) return false;
    this.#files.lose(file, reason);
    file.close();
    return true;
  }

  /** Up to `bytesMax` bytes of one restart, from the oldest unread one. */
  cut(bytesMax: number, nowMs: number): ChainCut {
    const isOver = this.#setup.once || this.#links.size === 0;
    return cutSegments(this.files, {
      bytesMax,
      nowMs,
      isOver,
      open: (file) => this.#makeReadable(file),
    });
  }

  #makeReadable(file: LogFile): boolean {
    try {
      if (file.spool.isNeeded || (file.fd === undefined && !this.#reopen(file))) return false;
      if (file.replaced) return false; // The next look separates the two logs.
      this.#files.identify(file);
      return file.identity !== undefined;
    } catch (error) {
      this.#files.report(error, file.path);
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) this.#files.relist();
      return false;
    }
  }

  #reopen(file: LogFile): boolean {
    const { openFiles } = this.#setup;
    openFiles.makeRoom();
    if (openFiles.isFull) return false; // All open files are being read.
    if (file.open()) return true;
    this.#files.relist();
    return false;
  }

  /** Bytes that can be read now, without unpacking. */
  readable(nowMs: number): number {
    let bytes = 0;
    for (const file of this.files) {
      if (file.unread === 0) continue;
      if (!file.spool.isNeeded) bytes += file.unread;
      else if (bytes > 0 || file.spool.dueMs <= nowMs) break;
    }
    return bytes;
  }

  /** The file to unpack next: before a plan needs it, or at once when a record continues in it. */
  toSpool(nowMs: number): LogFile | undefined {
    let bytes = 0;
    for (const file of this.files) {
      if (file.unread === 0 || file.spool.dueMs > nowMs) continue;
      if (file.spool.isNeeded) return file.spool.isBusy ? undefined : file;
      bytes += file.unread;
      if (bytes >= limits.spoolAheadBytes && !this.#waiting) return undefined;
    }
    return undefined;
  }

  /** A task reads it from now on: its descriptors stay open until `advance` or `discardDrain`. */
  startDrain(): void {
    this.#draining = true;
  }

  /** Notes how far a task came. */
  advance(cut: ChainCut, drained: Drained, nowMs: number): void {
    this.#draining = false;
    for (let index = 0; index < cut.files.length; index += 1) {
      const file = cut.files[index]!;
      file.drained(drained.consumed[index] ?? file.offset, drained.positionHashes?.[index]);
    }
    if (drained.replaced !== undefined) cut.files[drained.replaced]?.noteReplaced(nowMs);
    const stop = cut.files.findIndex(
      (file, index) => file.offset < (cut.segments[index]?.end ?? 0),
    );
    if (stop === -1 || drained.more) {
      this.#stuckSinceMs = undefined;
      return;
    }
    const stuckAt = placeOf(cut.files[stop]);
    // After a read error the wait begins again.
    const isNew = stuckAt !== this.#stuckAt || drained.readError !== undefined;
    if (isNew) this.#stuckSinceMs = nowMs;
    this.#stuckAt = stuckAt;
    this.#stuckSinceMs ??= nowMs;
    // The rest is an incomplete record, unless the file holds more than the cut.
    const cutShort = cut.files.some((file, index) => (cut.segments[index]?.end ?? 0) < file.size);
    this.#waiting = !cutShort && !this.#goesOnAfter(cut.files.at(-1));
  }

  /** Whether the next unread file can be read together with `last`. */
  #goesOnAfter(last: LogFile | undefined): boolean {
    if (last?.ended !== true) return false;
    const after = this.files.slice(this.files.indexOf(last) + 1);
    const next = after.find((file) => file.unread > 0);
    return next?.spool.isNeeded === false && next.owner.restartCount === last.owner.restartCount;
  }

  /** The plan's task read bytes of another log: none of it counts, flushes included. */
  discardDrain(): void {
    this.#draining = false;
    this.#flushedAtMs = undefined;
  }

  /** Notes the answer for a range of a file; returns by how many bytes it advanced. */
  acknowledge(file: LogFile, drained: DrainedRange): number {
    const bytes = file.acknowledge(drained);
    this.#backlog.acknowledge(bytes);
    return bytes;
  }

  /** Whether the position of this file is the one to store. */
  ownsPosition(file: LogFile): boolean {
    return ownsPosition(this.files, file);
  }

  /** A file was unpacked: an incomplete record may continue in it. */
  endWait(): void {
    this.#waiting = false;
  }

  /** Whether its first unread record has been incomplete for too long, and was not flushed. */
  isFlushDue(nowMs: number, partialFlushMs: number): boolean {
    const sinceMs = this.#stuckSinceMs;
    if (sinceMs === undefined) return false;
    const first = this.files.find(({ unread }) => unread > 0);
    const isRepeated = first?.position.flushedEnd !== undefined;
    if (!isRepeated && nowMs - sinceMs < partialFlushMs) return false;
    return this.#flushedAtMs === undefined || this.#flushedAtMs < sinceMs;
  }

  /** Whether a cut begins with the incomplete record. */
  beginsStuck({ files }: ChainCut): boolean {
    return placeOf(files[0]) === this.#stuckAt;
  }

  noteFlush(nowMs: number): void {
    this.#flushedAtMs = nowMs;
  }

  /** Closes descriptors that an idle chain does not need, when the limit is reached. */
  closeIfCrowded(): void {
    if (this.#setup.openFiles.isFull) this.release({ unreadToo: false });
  }

  /** Closes descriptors that can be reopened; `unreadToo`: also those of unread live files. */
  release({ unreadToo }: { unreadToo: boolean }): void {
    if (this.#draining) return;
    for (const file of this.files) {
      const isSafe = file.unread === 0 || (unreadToo && file.name.rotation === '');
      if (isReopenable(file) && isSafe) file.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#files.close();
  }

  /** Files that are not read because they cannot be opened. */
  get unreadableCount(): number {
    return this.#files.unreadableCount;
  }

  /** Files that are not read because there are too many. */
  get filesOverLimit(): number {
    return this.#files.overLimit;
  }
}

function placeOf(file: LogFile | undefined): string {
  return `${file?.identity?.idPrefix}/${file?.offset}`;
}

/** Whether it can be closed and opened again by name. */
function isReopenable({ fd, name, unlinked }: LogFile): boolean {
  return fd !== undefined && !unlinked && !name.compressed;
}
