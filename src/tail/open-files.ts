// How many descriptors of log files are open, and which can be spared when there are too many.

import { readFileSync } from 'node:fs';

import { limits } from '../config.ts';

/** Closes descriptors that can be reopened; with `unreadToo`, those of unread files among them. */
type Holder = { release(options: { readonly unreadToo: boolean }): void };

/** Room that could not be made is looked for again after this many milliseconds. */
const noRoomMs = 50;

export class OpenFiles {
  readonly max: number;
  readonly #holders: () => Iterable<Holder>;
  #count = 0;
  #noRoomUntilMs = 0;

  /** Past `max`, the holders close what can be reopened. */
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

  /** Where it is full, has an eighth of all that may be open closed, if they can be spared. */
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
    // All are being read: asking again for each of thousands of files would cost more than waiting.
    this.#noRoomUntilMs = performance.now() + noRoomMs;
  }
}

/**
 * Descriptors that log files may take: the process limit less what sockets, store and threads need.
 */
export function openFilesMax(): number {
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Math.max(16, Number(match?.[1] ?? 1024) - limits.openFilesReserve);
}
