// One log file of a container: its descriptor, its identity and how far it has been read.
//
// Invariants: committed <= offset <= size. A position counts only while the bytes before it are the
// ones that were read. The descriptor is kept while bytes are unread, so that no rename or deletion
// takes them away, and never closed while a task may read it.

import assert from 'node:assert/strict';
import { fstatSync, statSync } from 'node:fs';

import type { Checkpoint } from '../commit/checkpoint.ts';
import { closeDescriptor } from '../descriptor.ts';
import type { LineFormat, Segment } from '../encode/drain-task.ts';
import { isSystemError } from '../errors.ts';
import type { FileHead, FileIdentity, FileOwner } from './file-identity.ts';
import { FileLife } from './file-life.ts';
import { FileSize } from './file-size.ts';
import type { FileName } from './file-name.ts';
import { hashIfReadable, positionHashAt, reaches } from './file-peek.ts';
import { IdentityWatch } from './identity-watch.ts';
import { InodeFacts, type ListedStats } from './inode-facts.ts';
import { openLogFile } from './open-log-file.ts';
import { OwnedDescriptor } from './owned-descriptor.ts';
import { Position, type DrainedRange } from './position.ts';
import type { SpoolFile } from './spool-file.ts';
import { SpoolState } from './spool-state.ts';
import type { KnownOffset, LossReason, TailSetup } from './tail-setup.ts';

export class LogFile {
  readonly owner: FileOwner;
  readonly format: LineFormat;
  readonly life = new FileLife();
  readonly spool = new SpoolState();
  readonly inodeFacts = new InodeFacts();
  #name: FileName;
  #path: string;
  #predecessor: { readonly identity: FileIdentity | undefined } | undefined;
  readonly #setup: TailSetup;
  readonly #position = new Position();
  readonly #size = new FileSize();
  #replaced = false; // By another log's bytes.
  #beginning = new IdentityWatch();
  readonly #descriptor: OwnedDescriptor;

  constructor(from: Pick<LogFile, 'name' | 'path' | 'owner' | 'format'>, setup: TailSetup) {
    this.#name = from.name;
    this.#path = from.path;
    this.owner = from.owner;
    this.format = from.format;
    this.#setup = setup;
    this.#descriptor = new OwnedDescriptor(setup.openFiles);
  }

  get name(): FileName {
    return this.#name;
  }

  get path(): string {
    return this.#path;
  }

  get inode(): number {
    return this.inodeFacts.inode;
  }

  /** Milliseconds since the epoch; 0: unknown. */
  get bornMs(): number {
    return this.inodeFacts.bornMs;
  }

  /** The log that this one replaced in the same file. */
  get predecessor(): { readonly identity: FileIdentity | undefined } | undefined {
    return this.#predecessor;
  }

  get identity(): FileIdentity | undefined {
    return this.#beginning.identity;
  }

  get head(): FileHead | undefined {
    return this.#beginning.head;
  }

  get fd(): number | undefined {
    return this.#descriptor.fd;
  }

  /** At the last look; of the uncompressed file. */
  get size(): number {
    return this.#size.bytes;
  }

  get offset(): number {
    return this.#position.offset;
  }

  get committed(): number {
    return this.#position.committed;
  }

  get position(): Position {
    return this.#position;
  }

  get replaced(): boolean {
    return this.#replaced;
  }

  get unlinked(): boolean {
    return this.life.unlinkedAtMs !== undefined;
  }

  get ended(): boolean {
    return this.life.ended;
  }

  get unread(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Read and acknowledged to its end, and nothing more will come. */
  get finished(): boolean {
    return this.ended && this.offset >= this.size && this.committed >= this.offset;
  }

  /** False: it is another file now. @throws AgentError LINK_REFUSED; the system error. */
  open(): boolean {
    if (this.fd !== undefined) return true;
    assert(!this.name.compressed, 'a .gz is unpacked, not opened');
    this.#setup.openFiles.makeRoom();
    const { fd, stats } = openLogFile(this.path, this.#setup.roots);
    if (this.inode !== 0 && !this.inodeFacts.isOf(stats)) {
      closeDescriptor(fd);
      return false;
    }
    this.#descriptor.adopt(fd);
    this.inodeFacts.note(stats);
    if (this.head === undefined) this.#size.set(stats.size);
    else this.#replaced ||= this.#bytesChanged();
    return true;
  }

  /** Takes the stats of a file that is not opened, or must be unpacked first. */
  noteListed(stats: ListedStats, bytes = 0): void {
    this.inodeFacts.noteListed(stats);
    this.#size.set(bytes);
  }

  /** Reads on from the unpacked `.gz`, after comparing it with what was read before. */
  adoptSpool(spool: SpoolFile): void {
    // First: if this throws, the spool still belongs to the caller.
    const isOther = this.identity !== undefined && this.#bytesChanged(spool.fd);
    this.#adopt(spool);
    if (isOther) this.#position.restart();
  }

  /** Reads on from a copy of the unacknowledged bytes; no task may be reading the original. */
  moveToCopy(copy: SpoolFile): void {
    this.close();
    this.#adopt(copy);
    if (!this.unlinked) return;
    this.noteListed({ dev: 0, ino: 0 }, copy.size); // The inode number may be reused.
    this.life.end();
  }

  #adopt({ fd, size }: SpoolFile): void {
    this.#descriptor.adopt(fd);
    this.#size.set(size);
    this.spool.setNeeded(false);
  }

  /** Counts the unread bytes past `keptBytes` as lost; `sizeMin`: a size that is known better. */
  giveUp(reason: LossReason, { keptBytes = 0, sizeMin = 0 } = {}): void {
    this.#size.set(Math.max(this.size, sizeMin));
    const bytes = this.size - Math.max(this.offset, keptBytes);
    if (bytes > 0) this.#setup.lost({ file: this, reason, bytes });
    this.dropUnread();
  }

  /** Its unread bytes are lost, or in another file. */
  dropUnread(): void {
    this.#size.set(this.offset);
    this.life.end();
    this.spool.setNeeded(false);
  }

  noteFound(name: FileName, path = this.#path): void {
    this.life.noteLinked();
    this.#name = name;
    this.#path = path;
  }

  /** It has no name any more; `name` keeps its place in write order. */
  noteUnlinked(name: FileName, nowMs: number): void {
    this.life.noteUnlinked(nowMs);
    this.#name = name;
  }

  close(): void {
    this.#descriptor.close();
  }

  /** Takes over `found`, which has the same bytes under another name, or compressed. */
  moveTo(found: LogFile): void {
    assert(this.fd === undefined, 'an open file does not move');
    this.#name = found.name;
    this.#path = found.path;
    this.inodeFacts.take(found.inodeFacts);
    this.#replaced = found.#replaced;
    if (!this.spool.isNeeded) this.spool.notePlain(this.size);
    this.#size.set(found.size);
    if (found.name.compressed) this.#size.lift(this.offset);
    this.spool.setNeeded(found.name.compressed && this.size > this.offset);
    this.#descriptor.takeFrom(found.#descriptor);
    if (this.identity === undefined) this.#beginning = found.#beginning;
  }

  /** This log replaced `old` in the same file, whose descriptor a task may be reading. */
  takeDescriptorFrom(old: LogFile): void {
    assert(old.fd !== undefined, 'the file was opened to see that it was replaced');
    const stats = fstatSync(old.fd); // First: if this fails, the old file keeps its descriptor.
    this.#descriptor.takeFrom(old.#descriptor);
    this.inodeFacts.note(stats);
    this.#size.set(stats.size);
    this.life.shareLinks(old.life);
    this.#predecessor = { identity: old.identity };
    old.#size.retract(old.offset);
    old.#replaced = true;
    old.inodeFacts.leave();
    if (old.name.rotation === '') old.#name = { ...old.name, rotation: '~' };
  }

  /**
   * Looks at the size. `truncated`: it is shorter, or the bytes before the position have changed.
   * If all was read, the task that reads the new bytes compares those before them.
   */
  refresh(nowMs: number): 'same' | 'grown' | 'truncated' {
    if (this.ended || this.name.compressed) return 'same';
    const fd = this.fd;
    const stats = fd === undefined ? statSync(this.path, { throwIfNoEntry: false }) : fstatSync(fd);
    if (stats === undefined || !this.inodeFacts.isOf(stats)) return 'same';
    const sameTime = stats.mtimeMs === this.inodeFacts.changedMs;
    if (stats.size === this.size && sameTime && !this.#replaced) return 'same';
    if (this.fd === undefined && stats.size > this.size) {
      // It is opened, and compared, when it is read.
      this.life.noteGrowth(nowMs);
      this.#size.see(stats.size);
      return 'grown';
    }
    if (!this.open()) return 'same';
    this.life.noteGrowth(nowMs);
    if (this.#replaced || stats.size < this.size) return 'truncated';
    const isCompared = stats.size === this.size || this.unread > 0 || this.offset === 0;
    // It may have been rewritten at the same size: then its time has changed.
    if (isCompared && this.#bytesChanged()) return 'truncated';
    this.inodeFacts.noteChange(stats.mtimeMs);
    if (stats.size === this.size && this.unread === 0) return 'same'; // A hole was filled.
    if (isCompared) this.#size.set(stats.size);
    else this.#size.see(stats.size);
    return 'grown';
  }

  /** Takes back its end if it has grown since: its writer had been stopped. */
  reviveIfGrown(nowMs: number, listedSize?: number): boolean {
    if (!this.ended || this.name.compressed) return false;
    const size = listedSize ?? (this.fd === undefined ? this.size : fstatSync(this.fd).size);
    if (size <= this.size) return false;
    this.life.revive(nowMs);
    this.#size.see(size);
    return true;
  }

  /** A task found that the bytes before its position have changed. */
  noteReplaced(nowMs: number): void {
    this.#replaced = true;
    this.life.revive(nowMs); // So that the next look looks at it.
  }

  /** False when another log was read. `isCompared`: a task has compared the bytes before it. */
  verify(isCompared = false): boolean {
    try {
      const isOther = isCompared ? this.#beginning.isOtherAtFirst(this.fd) : this.#bytesChanged();
      this.#replaced ||= isOther || (!isCompared && !reaches(this.fd, this.size));
    } catch (error) {
      if (!isSystemError(error)) throw error; // The disk fails: what a task has read counts.
    }
    return !this.#replaced;
  }

  /** Whether a position at `offset` proves as much as the beginning of the file. */
  isToldAt(offset: number): boolean {
    return offset > 0 && offset >= this.#beginning.comparedBytes;
  }

  /** Whether the bytes that were read have changed; while they are few, the beginning decides. */
  #bytesChanged(fd = this.fd): boolean {
    if (fd === undefined) return false;
    const { offset, hash } = this.#position;
    if (hash === undefined || !this.isToldAt(offset)) return this.#beginning.isOther(fd);
    // Many long lines may have the same end.
    return positionHashAt(fd, offset) !== hash || this.#beginning.isOtherAtFirst(fd);
  }

  /** Identifies it once its first record allows that; true when this call did. */
  identify(): boolean {
    if (this.identity !== undefined || this.fd === undefined || this.size === 0) return false;
    const complete = this.ended || this.name.compressed;
    const { size, format } = this;
    return this.#beginning.read({ fd: this.fd, size, format, complete }, this.#facts);
  }

  /** Identifies a `.gz` by its first bytes, if they contain a time. */
  identifyBy(bytes: Uint8Array, changedMs: number): void {
    this.inodeFacts.noteChange(changedMs);
    this.#beginning.readPacked(bytes, this.#facts);
  }

  /** It is the copy of a deleted file that an earlier run has kept. */
  restore(identity: FileIdentity, size: number, unlinkedAtMs: number): void {
    this.#beginning.restore(identity);
    this.#size.set(size);
    this.spool.notePlain(size);
    this.life.noteUnlinked(unlinkedAtMs);
    this.life.end();
    this.spool.setNeeded(true);
  }

  become(instance: string): void {
    assert(this.#position.isFresh, 'nothing was read under other ids');
    this.#beginning.become(instance, this.#facts);
  }

  get #facts() {
    return { owner: this.owner, birth: this.inodeFacts };
  }

  /** Continues where an earlier run was acknowledged. */
  resume(known: KnownOffset): void {
    const { offset, readTimes } = known;
    const hash = known.positionHash ?? hashIfReadable(this.fd, offset);
    this.#position.restart({ offset, hash, readTimes });
    if (this.name.compressed) this.#size.lift(offset);
    else this.#size.reach(offset);
    this.spool.notePlain(known.size ?? 0);
    this.#assertOrder();
  }

  /** Counts everything in it as acknowledged. */
  skipToEnd(): void {
    const hash = hashIfReadable(this.fd, this.size);
    this.#position.restart({ offset: this.size, hash, readTimes: [] });
  }

  /** A task has consumed it up to `end`; `hash` is of the bytes before it. */
  drained(end: number, hash: number | undefined): void {
    if (end <= this.offset) return;
    this.#position.drained(end, hash ?? hashIfReadable(this.fd, end));
    this.#size.reach(end);
    this.#assertOrder();
  }

  #assertOrder(): void {
    assert(this.committed <= this.offset && this.offset <= this.size, 'a position is in the file');
  }

  /** Puts what a task has drained of `segment` in flight. */
  begin(segment: Pick<Segment, 'start' | 'fallbackTime'>, isFlushed = false): DrainedRange {
    const isKept = isFlushed || this.format === 'raw' || this.identity?.instance !== '';
    const read = isKept ? { atMs: Date.parse(segment.fallbackTime), isFlushed } : undefined;
    return this.#position.begin(segment.start, read);
  }

  /** Returns by how many bytes `committed` moved. */
  acknowledge(drained: DrainedRange): number {
    return this.#position.acknowledge(drained);
  }

  /** Its identity must be known. Without spreads, which make three times the garbage. */
  checkpoint(): Checkpoint {
    const { identity, owner } = this;
    const { device, inode, bornMs } = this.inodeFacts;
    const size = this.fd === undefined ? this.spool.sureOf(this.size) : this.#size.own;
    assert(identity !== undefined, 'a file that was not identified was not read');
    const { offset, positionHash, readTimes } = this.#position.stored;
    return {
      podUid: owner.podUid,
      container: owner.container,
      restartCount: owner.restartCount,
      fingerprint: identity.fingerprint,
      instance: identity.instance,
      offset,
      positionHash,
      readTimes,
      size: Math.max(this.committed, size),
      device,
      inode,
      bornMs,
      fileName: this.#path.slice(this.#path.lastIndexOf('/') + 1),
    };
  }
}
