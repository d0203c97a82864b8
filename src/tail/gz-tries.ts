// Learns who a `.gz` is, and gives up on those that are broken. Called by chain.ts when a listing
// shows one that it does not know.
//
// The kubelet writes a `.gz` under another name first, so one that cannot be read is broken, unless
// its writer was another: it is tried until its length has stayed the same for some looks.

import type { Stats } from 'node:fs';

import { limits } from '../config.ts';
import { hasCode } from '../errors.ts';
import { peekCompressed } from './gz-spool.ts';
import type { LogFile } from './log-file.ts';
import type { TailSetup } from './tail-setup.ts';

type Tries = { readonly bytes: number; count: number };

export class GzTries {
  readonly #tries = new Map<string, Tries>();

  /**
   * Gives `file` its identity and its length; false when it is broken.
   * @throws AgentError LINK_REFUSED; the system's error.
   */
  peek(file: LogFile, stats: Stats, setup: TailSetup): boolean {
    const tries = this.#tries.get(file.path);
    const isSame = tries?.bytes === stats.size;
    if (isSame && tries.count >= limits.gzTriesMax) return false;
    try {
      const { head, bytes } = peekCompressed(file.path, setup.roots);
      file.identifyBy(head, stats.mtimeMs);
      file.noteListed(stats, bytes);
      file.needsSpool = true;
      this.#tries.delete(file.path);
      return true;
    } catch (error) {
      if (!isBroken(error)) throw error;
      const count = isSame ? tries.count + 1 : 1;
      this.#tries.set(file.path, { bytes: stats.size, count });
      if (count < limits.gzTriesMax) return false;
      setup.report('FILE_UNREADABLE', `${file.path} is given up: ${(error as Error).message}`);
      // How long it was nobody can tell; its own length stands in for it.
      file.noteListed(stats, stats.size);
      file.giveUp('not_unpacked');
      return false;
    }
  }

  /** Whether some file is to be tried again at the next look. */
  get pending(): boolean {
    return [...this.#tries.values()].some(({ count }) => count < limits.gzTriesMax);
  }
}

/** Whether the fault lies in the `.gz` itself; a disk that is full may have room in a minute. */
export function isBroken(error: unknown): boolean {
  return hasCode(error, 'Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT', 'ERR_BUFFER_TOO_LARGE');
}
