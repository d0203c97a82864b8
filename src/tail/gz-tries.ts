// Learns which log a `.gz` holds, and counts the failed looks at one that cannot be read.
//
// The kubelet renames a `.gz` when it is complete, but other writers may not: one that cannot be
// read is tried until its size has stayed the same for some looks.

import type { Stats } from 'node:fs';

import { limits } from '../config.ts';
import { isBroken, peekCompressed } from './gz-head.ts';
import type { LogFile } from './log-file.ts';
import type { TailSetup } from './tail-setup.ts';

type Tries = { readonly bytes: number; count: number };

export class GzTries {
  readonly #tries = new Map<string, Tries>();

  /** Whether the file was given up and has the same size since. */
  isGivenUp(path: string, bytes: number): boolean {
    const tries = this.#tries.get(path);
    return tries?.bytes === bytes && tries.count >= limits.gzTriesMax;
  }

  /** Counts a failed look; true when the file is given up. */
  fail(path: string, bytes: number): boolean {
    const tries = this.#tries.get(path);
    const count = tries?.bytes === bytes ? tries.count + 1 : 1;
    this.#tries.set(path, { bytes, count });
    return count >= limits.gzTriesMax;
  }

  forget(path: string): void {
    this.#tries.delete(path);
  }

  /** Whether some file is to be tried again. */
  get pending(): boolean {
    return [...this.#tries.values()].some(({ count }) => count < limits.gzTriesMax);
  }
}

/**
 * Gives a `.gz` its identity and size. `later`: not readable yet, or given up before.
 * @throws AgentError LINK_REFUSED; the system's error.
 */
export function learnCompressed(
  file: LogFile,
  stats: Stats,
  { tries, setup }: { readonly tries: GzTries; readonly setup: TailSetup },
): 'learned' | 'later' | 'given up' {
  if (tries.isGivenUp(file.path, stats.size)) return 'later';
  try {
    const { head, bytes } = peekCompressed(file.path, setup.roots);
    file.identifyBy(head, stats.mtimeMs);
    file.noteListed(stats, bytes);
    file.spool.setNeeded(true);
    tries.forget(file.path);
    return 'learned';
  } catch (error) {
    if (!isBroken(error)) throw error;
    if (!tries.fail(file.path, stats.size)) return 'later';
    setup.report('FILE_UNREADABLE', `${file.path} is given up: ${(error as Error).message}`);
    return 'given up';
  }
}
