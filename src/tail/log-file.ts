// One log file of a container: its descriptor, its identity and how far it has been read.
//
// Invariants: committed <= offset <= size, as far as the file itself allows. A position counts only
// while the bytes before it are the ones that were read. The descriptor is kept while bytes are
// unread, so that no rename or deletion takes them away, and never closed while a task may read it.

import assert from 'node:assert/strict';
import { fstatSync, statSync } from 'node:fs';

import type { Checkpoint } from '../commit/checkpoint.ts';
import { closeDescriptor } from '../descriptor.ts';
import type { LineFormat, Segment } from '../encode/drain-task.ts';
import { isSystemError } from '../errors.ts';
import { checkpointOf } from './file-checkpoint.ts';
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
  #name: FileName;
  #path: string;
  #predecessor: { readonly identity: FileIdentity | undefined } | undefined;
  readonly #setup: TailSetup;
  readonly #position = new Position();
  readonly #size = new FileSize();
  readonly #inode = new InodeFacts();
  #replaced = false;
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

  get device(): number {
    return this.#inode.device;
  }

  get inode(): number {
    return this.#inode.inode;
  }

  /** The log whose place this one took in the same file; its position is not this one's. */
  get predecessor(): { readonly identity: FileIdentity | undefined } | undefined {
    return this.#predecessor;
  }

  get identity(): FileIdentity | undefined {
    return this.#beginning.identity;
  }

  /** What its first bytes say; known whenever the identity is. */
  get head(): FileHead | undefined {
    return this.#beginning.head;
  }

  get fd(): number | undefined {
    return this.#descriptor.fd;
  }

  /** Milliseconds since the epoch; 0: unknown. */
  get bornMs(): number {
    return this.#inode.bornMs;
  }

  /** Bytes, at the last look; of the uncompressed file. */
  get size(): number {
    return this.#size.bytes;
  }

  /** Next byte to drain. */
  get offset(): number {
    return this.#position.offset;
  }

  /** Everything before it is acknowledged. */
  get committed(): number {
    return this.#position.committed;
  }

  /** Where reading goes on, and what it is checked with. */
  get position(): Position {
    return this.#position;
  }

  /** Another log's bytes are where this one's were. */
  get replaced(): boolean {
    return this.#replaced;
  }

  get unlinked(): boolean {
    return this.life.unlinkedAtMs !== undefined;
  }

  /** Nothing will ever be appended. */
  get ended(): boolean {
    return this.life.ended;
  }

  get unread(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Read to its end and acknowledged, and nothing more will come. */
  get finished(): boolean {
    return this.ended && this.offset >= this.size && this.committed >= this.offset;
  }

  /**
   * Opens the file if it is closed. False when it is another file by now.
   * @throws AgentError LINK_REFUSED; the system error otherwise, ENOENT when it is gone.
   */
  open(): boolean {
    if (this.fd !== undefined) return true;
    assert(!this.name.compressed, 'a .gz is unpacked, not opened');
    this.#setup.openFiles.makeRoom();
    const { fd, stats } = openLogFile(this.path, this.#setup.roots);
    if (this.inode !== 0 && !this.#inode.isOf(stats)) {
      closeDescriptor(fd);
      return false;
    }
    this.#descriptor.adopt(fd);
    this.#inode.note(stats);
    if (this.head === undefined) this.#size.set(stats.size);
    else this.#replaced ||= this.#bytesChanged();
    return true;
  }

  /** What the listing says of a file that is not opened, or not before it is unpacked. */
  noteListed(stats: ListedStats, bytes = 0): void {
    this.#inode.noteListed(stats);
    this.#size.set(bytes);
  }

  /** Takes over what the `.gz` unpacks to, and compares it with what was read before. */
  adoptSpool(spool: SpoolFile): void {
    // First: if it cannot be read, it is still the caller's.
    const isOther = this.identity !== undefined && this.#bytesChanged(spool.fd);
    this.#adopt(spool);
    if (isOther) this.#position.restart();
  }

  /** Reads on from a copy of all that is not acknowledged; no task may be reading the original. */
  moveToCopy(copy: SpoolFile): void {
    this.close();
    this.#adopt(copy);
    if (!this.unlinked) return;
    this.noteListed({ dev: 0, ino: 0 }, copy.size); // The number is another file's soon.
    this.life.end();
  }

  #adopt({ fd, size }: SpoolFile): void {
    this.#descriptor.adopt(fd);
    this.#size.set(size);
    this.spool.setNeeded(false);
  }

  /** Takes what is unread past `keptBytes` as lost; it had `sizeMin` bytes at least. */
  giveUp(reason: LossReason, { keptBytes = 0, sizeMin = 0 } = {}): void {
    this.#size.set(Math.max(this.size, sizeMin));
    const bytes = this.size - Math.max(this.offset, keptBytes);
    if (bytes > 0) this.#setup.lost({ file: this, reason, bytes });
    this.dropUnread();
  }

  /** Nothing more is read of it: its bytes are lost, or another file holds them. */
  dropUnread(): void {
    this.#size.set(this.offset);
    this.life.end();
    this.spool.setNeeded(false);
  }

  /** It was found under a name, perhaps a new one. */
  noteFound(name: FileName, path = this.#path): void {
    this.life.noteLinked();
    this.#name = name;
    this.#path = path;
  }

  /** No name leads to it any more; `name` keeps its place in the order of writing. */
  noteUnlinked(name: FileName, nowMs: number): void {
    this.life.noteUnlinked(nowMs);
    this.#name = name;
  }

  close(): void {
    this.#descriptor.close();
  }

  /**
   * Goes on in `found`: the same bytes under another name, or compressed. `found` is
   * given up without its descriptor.
   */
  moveTo(found: LogFile): void {
    assert(this.fd === undefined, 'what is open needs no other place');
    this.#name = found.name;
    this.#path = found.path;
    this.#inode.take(found.#inode);
    this.#replaced = found.#replaced;
    this.#size.set(found.size);
    if (found.name.compressed) this.#size.lift(this.offset);
    this.spool.setNeeded(found.name.compressed && this.size > this.offset);
    this.#descriptor.takeFrom(found.#descriptor);
    if (this.identity === undefined) this.#beginning = found.#beginning;
  }

  /**
   * Begins on the descriptor of `old`, whose bytes were replaced by another log's. The descriptor
   * stays open: a task may be reading it.
   */
  takeDescriptorFrom(old: LogFile): void {
    assert(old.fd !== undefined, 'it was opened to see that it was replaced');
    const stats = fstatSync(old.fd); // First: if it fails, the old file still has its descriptor.
    this.#descriptor.takeFrom(old.#descriptor);
    this.#inode.note(stats);
    this.#size.set(stats.size);
    this.life.shareLinks(old.life);
    this.#predecessor = { identity: old.identity };
    old.#size.retract(old.offset);
    old.#replaced = true;
    old.#inode.leave();
    if (old.name.rotation === '') old.#name = { ...old.name, rotation: '~' };
  }

  /**
   * Looks at the size again. `truncated`: it is shorter, or other bytes are before the position.
   * What was appended after all had been read is compared by the task that reads it.
   */
  refresh(nowMs: number): 'same' | 'grown' | 'truncated' {
    if (this.ended || this.name.compressed) return 'same';
    const fd = this.fd;
    const stats = fd === undefined ? statSync(this.path, { throwIfNoEntry: false }) : fstatSync(fd);
    if (stats === undefined || !this.#inode.isOf(stats)) return 'same';
    const sameTime = stats.mtimeMs === this.#inode.changedMs;
    if (stats.size === this.size && sameTime && !this.#replaced) return 'same';
    if (this.fd === undefined && stats.size > this.size) {
      // It is opened when its turn comes, and compared then.
      this.life.noteGrowth(nowMs);
      this.#size.see(stats.size);
      return 'grown';
    }
    if (!this.open()) return 'same';
    this.life.noteGrowth(nowMs);
    if (this.#replaced || stats.size < this.size) return 'truncated';
    const isCompared = stats.size === this.size || this.unread > 0 || this.offset === 0;
    // Rewritten at the same length: the time tells, then the bytes.
    if (isCompared && this.#bytesChanged()) return 'truncated';
    this.#inode.noteChange(stats.mtimeMs);
    if (stats.size === this.size && this.unread === 0) return 'same'; // A hole may be filled.
    if (isCompared) this.#size.set(stats.size);
    else this.#size.see(stats.size);
    return 'grown';
  }

  /** Takes back that it has ended when it was appended to since: its writer had been stopped. */
  reviveIfGrown(nowMs: number, listedSize?: number): boolean {
    if (!this.ended || this.name.compressed) return false;
    const size = listedSize ?? (this.fd === undefined ? this.size : fstatSync(this.fd).size);
    if (size <= this.size) return false;
    this.life.revive(nowMs);
    this.#size.see(size);
    return true;
  }

  /** A task found other bytes before its place than were read there. */
  noteReplaced(nowMs: number): void {
    this.#replaced = true;
    this.life.revive(nowMs); // What it holds now is looked at.
  }

  /** False when what was read is another log's; what is behind its place may be compared by now. */
  verify(isCompared = false): boolean {
    try {
      const isOther = isCompared ? this.#beginning.isOtherAtFirst(this.fd) : this.#bytesChanged();
      this.#replaced ||= isOther || (!isCompared && !reaches(this.fd, this.size));
    } catch (error) {
      if (!isSystemError(error)) throw error; // What a task could read of a failing disk counts.
    }
    return !this.#replaced;
  }

  /** Whether the bytes before `offset` tell as much as all that was seen of it. */
  isToldAt(offset: number): boolean {
    return offset > 0 && offset >= this.#beginning.comparedBytes;
  }

  /** Whether other bytes are where it was read; its beginning tells while little was. */
  #bytesChanged(fd = this.fd): boolean {
    if (fd === undefined) return false;
    const { offset, hash } = this.#position;
    if (hash === undefined || !this.isToldAt(offset)) return this.#beginning.isOther(fd);
    // The end of a long line may be that of many.
    return positionHashAt(fd, offset) !== hash || this.#beginning.isOtherAtFirst(fd);
  }

  /** Finds out the identity once the first record allows it; true when this call found it. */
  identify(): boolean {
    if (this.identity !== undefined || this.fd === undefined || this.size === 0) return false;
    const complete = this.ended || this.name.compressed;
    const { size, format } = this;
    return this.#beginning.read({ fd: this.fd, size, format, complete }, this.#facts);
  }

  /** Gives a packed `.gz` the identity that its first bytes tell; without a time there is none. */
  identifyBy(bytes: Uint8Array, changedMs: number): void {
    this.#inode.noteChange(changedMs);
    this.#beginning.readPacked(bytes, this.#facts);
  }

  /** Takes over what an earlier run has kept of it after it was deleted. */
  restore(identity: FileIdentity, size: number, unlinkedAtMs: number): void {
    this.#beginning.restore(identity);
    this.#size.set(size);
    this.life.noteUnlinked(unlinkedAtMs);
    this.life.end();
    this.spool.setNeeded(true);
  }

  /** Takes another place than its bytes, or its birth, would give it. */
  become(instance: string): void {
    assert(this.#position.isFresh, 'nothing was read under other ids');
    this.#beginning.become(instance, this.#facts);
  }

  get #facts() {
    return { owner: this.owner, birth: this.#inode };
  }

  /** Goes on where an earlier run was acknowledged. */
  resume(known: KnownOffset): void {
    const { offset, readTimes } = known;
    const hash = known.positionHash ?? hashIfReadable(this.fd, offset);
    this.#position.restart({ offset, hash, readTimes });
    if (this.name.compressed) this.#size.lift(offset);
    else this.#size.reach(offset);
    this.#assertOrder();
  }

  /** Counts all that is there as acknowledged. */
  skipToEnd(): void {
    const hash = hashIfReadable(this.fd, this.size);
    this.#position.restart({ offset: this.size, hash, readTimes: [] });
  }

  /** A task has consumed it up to `end`; `hash` is that of the bytes before it. */
  drained(end: number, hash: number | undefined): void {
    if (end <= this.offset) return;
    this.#position.drained(end, hash ?? hashIfReadable(this.fd, end));
    this.#size.reach(end);
    this.#assertOrder();
  }

  #assertOrder(): void {
    assert(this.committed <= this.offset && this.offset <= this.size, 'a position is in the file');
  }

  /** Puts what a task has drained from `segment` on its way; flushed: before its end came. */
  begin(segment: Pick<Segment, 'start' | 'fallbackTime'>, isFlushed = false): DrainedRange {
    const isKept = isFlushed || this.format === 'raw' || this.identity?.instance !== '';
    const read = isKept ? { atMs: Date.parse(segment.fallbackTime), isFlushed } : undefined;
    return this.#position.begin(segment.start, read);
  }

  /** Returns by how many bytes `committed` moved. */
  acknowledge(drained: DrainedRange): number {
    return this.#position.acknowledge(drained);
  }

  /** What is stored of it; its identity is known. */
  checkpoint(): Checkpoint {
    return checkpointOf(this);
  }
}
