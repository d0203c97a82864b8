// One log file of a container: its descriptor, its identity and how far it has been read. Called by
// chain.ts.
//
// Invariant: committed <= offset <= size, as far as the file itself allows. The descriptor is kept
// while bytes are unread, so that neither a rename nor a deletion can take them away, and it is
// never closed while a task may read it.

import assert from 'node:assert/strict';
import { closeSync, fstatSync, readSync, statSync, type Stats } from 'node:fs';

import { limits } from '../config.ts';
import { isSystemError } from '../errors.ts';
import { identifyFile, firstLine, type FileIdentity, type FileOwner } from './file-identity.ts';
import type { FileName } from './file-name.ts';
import { openLogFile } from './open-log-file.ts';
import type { LossReason, TailSetup } from './tail-setup.ts';

export class LogFile {
  name: FileName;
  path: string;
  device = 0;
  inode = 0;
  /** Bytes, at the last look; of the uncompressed file. */
  size = 0;
  /** Next byte to drain. */
  offset = 0;
  /** Everything before it was answered for. */
  committed = 0;
  /**
   * Milliseconds since the epoch when nothing was expected to be appended any more; undefined while
   * something is.
   */
  supersededAtMs: number | undefined;
  /** Milliseconds since the epoch of the look that last saw it change. */
  grownAtMs = 0;
  /** Nothing will ever be appended. */
  ended = false;
  /** Milliseconds since the epoch of the look that found no name that leads to it any more. */
  unlinkedAtMs: number | undefined;
  /** Its bytes can be had from a `.gz` only, through a spool file. */
  needsSpool = false;
  /** Its `.gz` is being unpacked. */
  spooling = false;
  /** Not unpacked before this time, milliseconds since the epoch: the last try failed. */
  spoolDueMs = 0;
  /** Another log's bytes stand where this one's were. */
  replaced = false;
  readonly owner: FileOwner;
  readonly #setup: TailSetup;
  #identity: FileIdentity | undefined;
  #head: Buffer | undefined;
  #fd: number | undefined;
  #bornMs = 0;
  #mtimeMs = 0;

  constructor(place: { name: FileName; path: string; owner: FileOwner }, setup: TailSetup) {
    this.name = place.name;
    this.path = place.path;
    this.owner = place.owner;
    this.#setup = setup;
  }

  get identity(): FileIdentity | undefined {
    return this.#identity;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  get unlinked(): boolean {
    return this.unlinkedAtMs !== undefined;
  }

  get unread(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Read to its end and answered for, and nothing more will come. */
  get finished(): boolean {
    return this.ended && this.offset >= this.size && this.committed >= this.offset;
  }

  /** Whether it can be closed and had again by its name. */
  get reopenable(): boolean {
    return this.#fd !== undefined && !this.unlinked && !this.name.compressed;
  }

  /**
   * Opens the file if it is closed. False when it is another file by now, or gone.
   * @throws AgentError LINK_REFUSED; the system error otherwise.
   */
  open(): boolean {
    if (this.#fd !== undefined) return true;
    assert(!this.name.compressed, 'a .gz is unpacked, not opened');
    const { openFiles } = this.#setup;
    if (openFiles.count >= openFiles.max) this.#setup.makeRoom();
    const { fd, stats } = openLogFile(this.path, this.#setup.roots);
    if (this.inode !== 0 && (stats.ino !== this.inode || stats.dev !== this.device)) {
      closeSync(fd);
      return false;
    }
    this.#fd = fd;
    openFiles.count += 1;
    this.#note(stats);
    // What was known of it stays until `refresh` has looked; while it was closed, its bytes may
    // have been replaced, or its inode number given to another file.
    if (this.#head === undefined) this.size = stats.size;
    else if (this.#headChanged()) this.replaced = true;
    return true;
  }

  #note(stats: Stats): void {
    this.device = stats.dev;
    this.inode = stats.ino;
    this.#bornMs = stats.birthtimeMs > 0 ? stats.birthtimeMs : stats.mtimeMs;
    this.#mtimeMs = stats.mtimeMs;
  }

  /** Takes over the descriptor of a spool file that holds what the `.gz` unpacks to. */
  adoptSpool(fd: number): void {
    this.#fd = fd;
    this.#setup.openFiles.count += 1;
    this.size = fstatSync(fd).size;
    this.needsSpool = false;
  }

  /** Takes what is unread as lost. What is on its way is still answered for. */
  giveUp(reason: LossReason): void {
    const bytes = this.unread;
    if (bytes > 0) this.#setup.lost({ file: this, reason, bytes });
    this.size = this.offset;
    this.ended = true;
    this.needsSpool = false;
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#setup.openFiles.count -= 1;
  }

  /**
   * Goes on where `found` stands: the same bytes under another name, or compressed. `found` is
   * given up without its descriptor.
   */
  moveTo(found: LogFile): void {
    assert(this.#fd === undefined, 'what is open needs no other place');
    this.name = found.name;
    this.path = found.path;
    this.device = found.device;
    this.inode = found.inode;
    this.size = found.size;
    // ISIZE holds the length modulo 2^32.
    while (found.name.compressed && this.size < this.offset) this.size += 2 ** 32;
    this.needsSpool = found.name.compressed && this.size > this.offset;
    this.#fd = found.#fd;
    this.#identity ??= found.#identity;
    this.#head = found.#head;
    this.#mtimeMs = found.#mtimeMs;
    found.#fd = undefined;
  }

  /**
   * Begins anew on the descriptor of `old`, whose bytes were replaced by another log's. The
   * descriptor stays open: a task may be reading it.
   */
  succeed(old: LogFile): void {
    assert(old.#fd !== undefined, 'it was opened to see that it was replaced');
    this.#fd = old.#fd;
    old.#fd = undefined;
    const stats = fstatSync(this.#fd);
    this.#note(stats);
    this.size = stats.size;
    this.unlinkedAtMs = old.unlinkedAtMs;
    old.replaced = true;
    old.inode = 0;
  }

  /**
   * Looks at the size again. `truncated` when the file is no longer the one whose bytes were read:
   * it has become shorter, or starts with another line.
   */
  refresh(nowMs: number): 'same' | 'grown' | 'truncated' {
    if (this.ended || this.name.compressed) return 'same';
    const stats =
      this.#fd === undefined ? statSync(this.path, { throwIfNoEntry: false }) : fstatSync(this.#fd);
    // The listing tells what became of it.
    if (stats === undefined || stats.ino !== this.inode) return 'same';
    const sameTime = stats.mtimeMs === this.#mtimeMs;
    if (stats.size === this.size && sameTime && !this.replaced) return 'same';
    if (this.#fd === undefined && stats.size > this.size) {
      // It is opened when its turn comes, and its first line looked at then.
      this.grownAtMs = nowMs;
      this.size = stats.size;
      return 'grown';
    }
    if (!this.open()) return 'same';
    this.grownAtMs = nowMs;
    // Written anew at the same length between two looks: the time tells, then the first line.
    if (this.replaced || stats.size < this.size || this.#headChanged()) return 'truncated';
    this.#mtimeMs = stats.mtimeMs;
    if (stats.size === this.size) return 'same';
    this.size = stats.size;
    return 'grown';
  }

  /**
   * Takes back that it has ended when it was appended to since: by a runtime that was stopped
   * between opening the new file and its last write to this one.
   */
  reviveIfGrown(size: number, nowMs: number): boolean {
    if (!this.ended || this.name.compressed || size <= this.size) return false;
    this.ended = false;
    this.size = size;
    this.grownAtMs = nowMs;
    return true;
  }

  /** Its present size where that costs no open, else the one known. */
  get sizeNow(): number {
    return this.#fd === undefined || this.name.compressed ? this.size : fstatSync(this.#fd).size;
  }

  /**
   * Whether what a task has just read was still this log. A copytruncate between two looks shows
   * only in the first line; without this the task's lines would be shipped under the wrong ids.
   */
  isIntact(): boolean {
    try {
      if (!this.replaced && this.#headChanged()) this.replaced = true;
    } catch (error) {
      // A disk that fails; what the task could read of it stands.
      if (!isSystemError(error)) throw error;
    }
    return !this.replaced;
  }

  #headChanged(): boolean {
    if (this.#head === undefined || this.#fd === undefined) return false;
    const head = Buffer.allocUnsafe(this.#head.length);
    const bytes = readSync(this.#fd, head, 0, head.length, 0);
    return bytes < head.length || !head.equals(this.#head);
  }

  /**
   * Finds out the identity as soon as the first line allows it. True when it became known by this
   * call.
   */
  identify(): boolean {
    if (this.#identity !== undefined || this.#fd === undefined || this.size === 0) return false;
    const bytesMax = Math.min(limits.fingerprintBytes, this.size);
    const head = Buffer.alloc(bytesMax);
    const bytes = readSync(this.#fd, head, 0, bytesMax, 0);
    const line = firstLine(head.subarray(0, bytes), this.ended);
    if (line === undefined) return false;
    if (!this.name.compressed) this.#head = Buffer.from(line);
    this.#identity = identifyFile(line, this.owner, this.#bornMs);
    return true;
  }

  /** Gives a `.gz` that was not unpacked yet the identity that its first bytes tell. */
  identifyBy(head: Uint8Array, bornMs: number): void {
    const line = firstLine(head, true);
    if (line !== undefined) this.#identity = identifyFile(line, this.owner, bornMs);
  }
}
