// Notices the next write of an idle container: by an inotify watch on its live file, or, where
// there is none, by looks that become rarer.

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

  /** There is no watch: the kernel has none left, or the file is missing. */
  get isBlind(): boolean {
    return this.#watcher === undefined;
  }

  isDue(nowMs: number): boolean {
    return this.isBlind && this.#dueMs <= nowMs;
  }

  /** Doubles the time to the next look. */
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
    return undefined; // ENOSPC, EMFILE, ENOENT.
  }
}
