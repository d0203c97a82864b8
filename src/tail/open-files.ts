// Counts the open descriptors of log files, and has some closed when there are too many.

import { readFileSync } from 'node:fs';

import { limits } from '../config.ts';

/** Closes descriptors that can be reopened; `unreadToo`: also those of unread files. */
type Holder = { release(options: { readonly unreadToo: boolean }): void };

/** When no room could be made, how long until the next attempt. */
const noRoomMs = 50;

export class OpenFiles {
  readonly max: number;
  readonly #holders: () => Iterable<Holder>;
  #count = 0;
  #noRoomUntilMs = 0;

  constructor(max: number, holders: () => Iterable<Holder> = () => []) {
    this.max = max;
    this.#holders = holders;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.max;
  }

  noteOpened(): void {
    this.#count += 1;
  }

  noteClosed(): void {
    this.#count -= 1;
  }

  /** When it is full, closes up to an eighth of all descriptors. */
  makeRoom(): void {
    if (!this.isFull || performance.now() < this.#noRoomUntilMs) return;
    const countMax = Math.floor((this.max * 7) / 8);
    for (const unreadToo of [false, true]) {
      for (const holder of this.#holders()) {
        if (this.#count <= countMax) return;
        holder.release({ unreadToo });
      }
      if (!this.isFull) return;
    }
    // All are being read: trying again for each of thousands of files costs more than waiting.
    this.#noRoomUntilMs = performance.now() + noRoomMs;
  }
}

/** The process limit less what sockets, store and threads need. */
export function openFilesMax(): number {
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Math.max(16, Number(match?.[1] ?? 1024) - limits.openFilesReserve);
}
