// The inode of one log file, and its times of birth and change, at the last look.

import type { Stats } from 'node:fs';

/** Whether two births of one inode number may be of one file; 0: unknown. */
export function isBornAt(a: number, b: number): boolean {
  return a === 0 || b === 0 || a === b;
}

/** What a listing says of a file. */
export type ListedStats = Pick<Stats, 'dev' | 'ino'> & Partial<Pick<Stats, 'birthtimeMs'>>;

export class InodeFacts {
  #device = 0;
  #inode = 0;
  #bornMs = 0;
  #changedMs = 0;
  #firstSeenMs = 0;

  get device(): number {
    return this.#device;
  }

  /** 0: none; the bytes are in another file or in a copy. */
  get inode(): number {
    return this.#inode;
  }

  /** Milliseconds since the epoch; 0: unknown. */
  get bornMs(): number {
    return this.#bornMs;
  }

  /** Milliseconds since the epoch. */
  get changedMs(): number {
    return this.#changedMs;
  }

  /** Milliseconds since the epoch, of the first look by the file's clock; 0: not opened yet. */
  get firstSeenMs(): number {
    return this.#firstSeenMs;
  }

  /** False when it is another file, which may have the same number and another birth. */
  isOf({ dev, ino, birthtimeMs }: Stats): boolean {
    return ino === this.#inode && dev === this.#device && isBornAt(birthtimeMs, this.#bornMs);
  }

  /** Whether something was stored of this very file. */
  isOfStored({ inode, bornMs }: { readonly inode: number; readonly bornMs: number }): boolean {
    return inode === this.#inode && isBornAt(bornMs, this.#bornMs);
  }

  note(stats: Stats): void {
    this.noteListed(stats);
    this.#changedMs = stats.mtimeMs;
    this.#firstSeenMs ||= stats.ctimeMs;
  }

  noteListed({ dev, ino, birthtimeMs = this.#bornMs }: ListedStats): void {
    this.#device = dev;
    this.#inode = ino;
    this.#bornMs = birthtimeMs;
  }

  noteChange(changedMs: number): void {
    this.#changedMs = changedMs;
  }

  take(other: InodeFacts): void {
    this.#device = other.#device;
    this.#inode = other.#inode;
    this.#bornMs = other.#bornMs;
    this.#changedMs = other.#changedMs;
    this.#firstSeenMs ||= other.#firstSeenMs;
  }

  /** Another log has taken the inode. */
  leave(): void {
    this.#inode = 0;
  }
}
