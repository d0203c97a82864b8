// Which chains have news. Like a network driver under load: an idle chain costs one inotify watch
// and nothing else; the first event makes it busy and drops the watch; a busy chain is looked at by
// the clock; after some looks without news it is armed again, with a last look after arming so that
// no write falls between. Called by agent.ts: once per tick.

import { watch, type FSWatcher } from 'node:fs';

import { limits } from '../config.ts';
import type { Chain } from './chain.ts';

type Idle = {
  watcher: FSWatcher | undefined;
  /** Without a watch: when to look next, milliseconds since the epoch, and how long after that. */
  dueMs: number;
  intervalMs: number;
};

export class WakeList {
  readonly #quietLooks = new Map<Chain, number>();
  readonly #idle = new Map<Chain, Idle>();
  readonly #onWake: () => void;
  readonly #tickMs: number;
  #sweep: Iterator<[Chain, Idle]> | undefined;
  /** Since the start: inotify events that woke a chain, and watches that could not be had. */
  readonly counters = { wakeUps: 0, watchErrors: 0 };

  /**
   * `onWake` is called when an idle chain becomes busy; `tickMs` is how often `tick` will be
   * called.
   */
  constructor(tickMs: number, onWake: () => void) {
    this.#tickMs = tickMs;
    this.#onWake = onWake;
  }

  get busyCount(): number {
    return this.#quietLooks.size;
  }

  get idleCount(): number {
    return this.#idle.size;
  }

  busy(): Iterable<Chain> {
    return this.#quietLooks.keys();
  }

  /** Makes a chain busy, new or idle. */
  wake(chain: Chain): void {
    this.#idle.get(chain)?.watcher?.close();
    this.#idle.delete(chain);
    this.#quietLooks.set(chain, 0);
  }

  remove(chain: Chain): void {
    this.#idle.get(chain)?.watcher?.close();
    this.#idle.delete(chain);
    this.#quietLooks.delete(chain);
  }

  /** Looks at what is busy and at the idle ones whose turn it is; lays quiet ones to rest. */
  tick(nowMs: number, partialFlushMs: number): void {
    for (const chain of this.#dueIdle(nowMs)) if (chain.look(nowMs)) this.wake(chain);
    for (const [chain, quietLooks] of this.#quietLooks) {
      const news = chain.look(nowMs);
      const count = news ? 0 : quietLooks + 1;
      this.#quietLooks.set(chain, count);
      if (count >= limits.idleLooks && mayRest(chain, nowMs, partialFlushMs)) {
        this.#arm(chain, nowMs);
      }
    }
  }

  /**
   * Idle chains without a watch whose time has come, and the next share of the sweep over all of
   * them.
   */
  #dueIdle(nowMs: number): Set<Chain> {
    const due = new Set<Chain>();
    if (this.#idle.size === 0) return due;
    const share = Math.ceil((this.#idle.size * this.#tickMs) / limits.idleSweepMs);
    this.#sweep ??= this.#idle.entries();
    for (let count = 0; count < share; count += 1) {
      const { value, done } = this.#sweep.next();
      if (done === true) {
        this.#sweep = undefined;
        break;
      }
      due.add(value[0]);
    }
    if (this.counters.watchErrors === 0) return due;
    for (const [chain, idle] of this.#idle) {
      if (idle.watcher !== undefined || idle.dueMs > nowMs) continue;
      idle.intervalMs = Math.min(idle.intervalMs * 2, limits.idlePollMaxMs);
      idle.dueMs = nowMs + idle.intervalMs;
      due.add(chain);
    }
    return due;
  }

  #arm(chain: Chain, nowMs: number): void {
    this.#quietLooks.delete(chain);
    const idle: Idle = {
      watcher: undefined,
      dueMs: nowMs + this.#tickMs,
      intervalMs: this.#tickMs,
    };
    this.#idle.set(chain, idle);
    idle.watcher = this.#watch(chain);
    chain.rest();
    if (chain.look(nowMs)) this.wake(chain);
  }

  /**
   * A watch on the live file; undefined where the kernel has none left, or the file is not there:
   * then the clock looks.
   */
  #watch(chain: Chain): FSWatcher | undefined {
    const path = chain.live?.path;
    if (path === undefined) {
      this.counters.watchErrors += 1;
      return undefined;
    }
    const onEvent = () => {
      if (!this.#idle.has(chain)) return;
      this.counters.wakeUps += 1;
      this.wake(chain);
      this.#onWake();
    };
    try {
      return watch(path, { persistent: false }, onEvent).on('error', onEvent);
    } catch {
      this.counters.watchErrors += 1; // ENOSPC, EMFILE, ENOENT: whatever it is, the clock looks instead.
      return undefined;
    }
  }

  close(): void {
    for (const { watcher } of this.#idle.values()) watcher?.close();
    this.#idle.clear();
    this.#quietLooks.clear();
  }
}

/**
 * Everything was read and answered for, or what is left is the beginning of a line that nobody goes
 * on with.
 */
function mayRest(chain: Chain, nowMs: number, partialFlushMs: number): boolean {
  if (chain.draining || chain.unsettled) return false;
  if (chain.behindBytes === 0) return true;
  return chain.waiting && nowMs - (chain.stuckSinceMs ?? nowMs) > 2 * partialFlushMs;
}
