// Decides when the containers directory is listed: when it has changed, and the less often the more
// names it holds. Checking one that has not changed costs one stat(2).

import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';

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

  /** Names of any kind, of the last listing, or of the present one when it has more. */
  get nameCount(): number {
    return this.#nameCount;
  }

  /** Whether there is something to list. */
  look(): 'changed' | 'unchanged' | 'unreadable' {
    try {
      const stats = statSync(this.#path);
      const identity = identityOf(stats);
      const isSame = identity === this.#identity && stats.mtimeMs === this.#listed.mtimeMs;
      // Within one grain of the file system's clock a later change may leave the same time.
      if (isSame && this.#listed.atMs - stats.mtimeMs > limits.mtimeGrainMs) return 'unchanged';
      if (identity === this.#identity && performance.now() < this.#dueMs) return 'unchanged';
      this.#identity = identity;
      this.#listed = { mtimeMs: stats.mtimeMs, atMs: Date.now() };
      return 'changed';
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Every name, once; to be read to its end. Ends early when the directory became unreadable. */
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
 * ext4 gives the inode number of a removed directory to the next one made, but not its time of
 * birth. (Where statx(2) is missing, that time is ctime: then each new link costs a new watch.)
 */
function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}
