// Which inode holds one log file, and when it was born and changed; of the last look that asked.

import type { Stats } from 'node:fs';

/** What a listing says of a file. */
export type ListedStats = Pick<Stats, 'dev' | 'ino'> & Partial<Pick<Stats, 'birthtimeMs'>>;

export class InodeFacts {
  #device = 0;
  #inode = 0;
  #bornMs = 0;
  #changedMs = 0;

  get device(): number {
    return this.#device;
  }

  /** 0: none; its bytes are in another file, or in a copy. */
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

  note({ dev, ino, birthtimeMs, mtimeMs }: Stats): void {
    this.noteListed({ dev, ino, birthtimeMs });
    this.#changedMs = mtimeMs;
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
  }

  /** Another log has taken the inode. */
  leave(): void {
    this.#inode = 0;
  }
}
