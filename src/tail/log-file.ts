// One log file of a container: its descriptor, its identity and how far it has been read. Called by
// chain.ts.
//
// Invariant: committed <= offset <= size, as far as the file itself allows. The descriptor is kept
// while bytes are unread, so that neither a rename nor a deletion can take them away.

import { closeSync, fstatSync, readSync, statSync, type Stats } from 'node:fs';

import { limits } from '../config.ts';
import { identifyFile, firstLine, type FileIdentity, type FileOwner } from './file-identity.ts';
import type { FileName } from './file-name.ts';
import { openLogFile } from './open-log-file.ts';
import type { TailSetup } from './tail-setup.ts';

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
  /** No name leads to it any more. */
  unlinked = false;
  /** Its bytes can be had from a `.gz` only, through a spool file. */
  needsSpool = false;
  readonly owner: FileOwner;
  readonly #setup: TailSetup;
  #identity: FileIdentity | undefined;
  #head: Buffer | undefined;
  #fd: number | undefined;
  #bornMs = 0;

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

  get unread(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Read to its end and answered for, and nothing more will come. */
  get finished(): boolean {
    return this.ended && this.offset >= this.size && this.committed >= this.offset;
  }

  /**
   * Opens the file if it is closed. False when it is another file by now, or gone.
   * @throws AgentError LINK_REFUSED; the system error otherwise.
   */
  open(): boolean {
    if (this.#fd !== undefined) return true;
    const { fd, stats } = openLogFile(this.path, this.#setup.roots);
    if (this.inode !== 0 && (stats.ino !== this.inode || stats.dev !== this.device)) {
      closeSync(fd);
      return false;
    }
    this.#adopt(fd, stats);
    return true;
  }

  /** Takes over the descriptor of a spool file that holds what the `.gz` unpacks to. */
  adoptSpool(fd: number): void {
    this.#fd = fd;
    this.#setup.openFiles.count += 1;
    this.size = fstatSync(fd).size;
    this.needsSpool = false;
  }

  /** Takes the rest as lost: it cannot be unpacked. */
  giveUp(): void {
    this.#setup.lostBytes.notUnpacked += this.unread;
    this.size = this.offset;
    this.needsSpool = false;
  }

  #adopt(fd: number, stats: Stats): void {
    this.#fd = fd;
    this.#setup.openFiles.count += 1;
    this.device = stats.dev;
    this.inode = stats.ino;
    this.size = stats.size;
    this.#bornMs = stats.birthtimeMs > 0 ? stats.birthtimeMs : stats.mtimeMs;
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#setup.openFiles.count -= 1;
  }

  /**
   * Looks at the size again. `truncated` when the file is no longer the one whose bytes were read:
   * it has become shorter, or starts with another line.
   */
  refresh(nowMs: number): 'same' | 'grown' | 'truncated' {
    if (this.ended || this.name.compressed) return 'same';
    const stats =
      this.#fd === undefined ? statSync(this.path, { throwIfNoEntry: false }) : fstatSync(this.#fd);
    if (stats === undefined || stats.ino !== this.inode) return 'same'; // The listing tells what became of it.
    if (stats.size === this.size) return 'same';
    if (!this.open()) return 'same';
    this.grownAtMs = nowMs;
    const { unread } = this;
    const shorter = stats.size < this.size;
    this.size = stats.size;
    if (!shorter && !this.#headChanged()) return 'grown';
    this.#setup.lostBytes.truncated += unread;
    return 'truncated';
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
    this.#head = Buffer.from(line);
    this.#identity = identifyFile(line, this.owner, this.#bornMs);
    return true;
  }

  /** Gives a `.gz` that was not unpacked yet the identity that its first bytes tell. */
  identifyBy(head: Uint8Array, bornMs: number): void {
    const line = firstLine(head, true);
    if (line !== undefined) this.#identity = identifyFile(line, this.owner, bornMs);
  }
}
