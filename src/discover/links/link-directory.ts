// Decides when the containers directory is listed: when it has changed, and less often the more
// names it holds. Checking an unchanged one costs one stat(2).

import { statSync, type Stats } from 'node:fs';

import { limits } from '../../config.ts';
import { readNames } from '../../directory-names.ts';
import { isSystemError } from '../../errors.ts';

export class LinkDirectory {
  readonly #path: string;
  #identity: string | undefined;
  #listed = { mtimeMs: Number.NaN, atMs: 0 };
  #nameCount = 0;
  #dueMs = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Changes when the directory was replaced; undefined while it is missing or unreadable. */
  get identity(): string | undefined {
    return this.#identity;
  }

  /** Names of any kind, in the last listing, or in the current one if that has more. */
  get nameCount(): number {
    return this.#nameCount;
  }

  look(): 'changed' | 'unchanged' | 'unreadable' {
    try {
      const stats = statSync(this.#path);
      const identity = identityOf(stats);
      const isSame = identity === this.#identity && stats.mtimeMs === this.#listed.mtimeMs;
      // A later change may have the same time, within the clock's granularity.
      if (isSame && this.#listed.atMs - stats.mtimeMs > limits.mtimeGrainMs) return 'unchanged';
      if (identity === this.#identity && performance.now() < this.#dueMs) return 'unchanged';
      this.#identity = identity;
      this.#listed = { mtimeMs: stats.mtimeMs, atMs: Date.now() };
      return 'changed';
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Read it to its end. Ends early when the directory becomes unreadable. */
  *names(): Generator<string, 'listed' | 'unreadable'> {
    let count = 0;
    try {
      for (const { name } of readNames(this.#path)) {
        count += 1;
        this.#nameCount = Math.max(this.#nameCount, count);
        yield name;
      }
    } catch (error) {
      return this.#fail(error);
    }
    this.#nameCount = count;
    const pauseMs = Math.max(0, count - limits.listNamesCheap) * limits.relistMsPerName;
    this.#dueMs = performance.now() + Math.min(pauseMs, limits.relistLinksMaxMs);
    return 'listed';
  }

  #fail(error: unknown): 'unreadable' {
    if (!isSystemError(error)) throw error;
    this.#identity = undefined;
    this.#listed = { mtimeMs: Number.NaN, atMs: 0 };
    return 'unreadable';
  }
}

/**
 * ext4 reuses the inode number of a removed directory, so the time of birth counts, too. (Without
 * statx(2) it is ctime, and each new link costs a new watch.)
 */
function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}
