// How an idle container's next write is noticed: by an inotify watch on its live file, or by looks
// that become rarer where there is no watch.

import { watch, type FSWatcher } from 'node:fs';

import { limits } from '../config.ts';

export class IdleWatch {
  readonly #watcher: FSWatcher | undefined;
  #intervalMs: number;
  #dueMs: number;

  constructor(
    path: string | undefined,
    onEvent: () => void,
    { nowMs, tickMs }: { readonly nowMs: number; readonly tickMs: number },
  ) {
    this.#watcher = openWatcher(path, onEvent);
    this.#intervalMs = tickMs;
    this.#dueMs = nowMs + tickMs;
  }

  /** The kernel has no watch left, or the file is not there: only the clock looks. */
  get isBlind(): boolean {
    return this.#watcher === undefined;
  }

  /** Whether a look is due that no watch makes unnecessary. */
  isDue(nowMs: number): boolean {
    return this.isBlind && this.#dueMs <= nowMs;
  }

  /** Puts the next look off, twice as long as the last one. */
  postpone(nowMs: number): void {
    this.#intervalMs = Math.min(this.#intervalMs * 2, limits.idlePollMaxMs);
    this.#dueMs = nowMs + this.#intervalMs;
  }

  close(): void {
    this.#watcher?.close();
  }
}

function openWatcher(path: string | undefined, onEvent: () => void): FSWatcher | undefined {
  if (path === undefined) return undefined;
  try {
    return watch(path, { persistent: false }, onEvent).on('error', onEvent);
  } catch {
    return undefined; // ENOSPC, EMFILE, ENOENT: whatever it is, the clock looks instead.
  }
}
