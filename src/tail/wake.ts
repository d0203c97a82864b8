// Finds the containers with news, like a network driver under load: an idle container costs one
// inotify watch; the first event makes it busy and drops the watch; a busy one is looked at by the
// clock, and after some looks without news it is idle again, with a last look after the watch is
// set, so that no write is missed. One that writes little is looked at in some ticks only.

import { limits } from '../config.ts';
import type { Chain } from './chain.ts';
import { IdleWatch } from './idle-watch.ts';
import type { TailedContainer } from './tailed-container.ts';

export class WakeList {
  readonly #busy = new Set<TailedContainer>();
  readonly #idle = new Set<TailedContainer>();
  readonly #tickMs: number;
  readonly #quietMs: number;
  #sweep: Iterator<TailedContainer> | undefined;
  #wakeUps = 0;
  #watchErrors = 0;

  /** `tickMs`: how often `tick` is called; every `quietEvery`th looks at all busy ones. */
  constructor(tickMs: number, quietEvery = 1) {
    this.#tickMs = tickMs;
    // Half a tick less, because timers are not exact.
    this.#quietMs = tickMs * (quietEvery - 0.5);
  }

  get busyCount(): number {
    return this.#busy.size;
  }

  get idleCount(): number {
    return this.#idle.size;
  }

  /** By inotify events, since the start. */
  get wakeUps(): number {
    return this.#wakeUps;
  }

  /** Watches that the kernel refused, since the start. */
  get watchErrors(): number {
    return this.#watchErrors;
  }

  busy(): Iterable<TailedContainer> {
    return this.#busy;
  }

  /** Makes a container busy, new or idle. */
  wake(container: TailedContainer): void {
    container.wake();
    this.#idle.delete(container);
    this.#busy.add(container);
  }

  remove(container: TailedContainer): void {
    container.wake();
    this.#idle.delete(container);
    this.#busy.delete(container);
  }

  /** Looks at the busy containers and the due idle ones; makes quiet ones idle. */
  tick(nowMs: number, partialFlushMs: number): void {
    for (const container of this.#dueIdle(nowMs)) {
      if (container.chain.look(nowMs)) this.wake(container);
    }
    for (const container of this.#busy) {
      if (container.mayWait(nowMs)) continue;
      const isNews = container.chain.look(nowMs);
      const quietLooks = container.noteLook(isNews, nowMs + this.#quietMs);
      if (quietLooks >= limits.idleLooks && mayRest(container.chain, nowMs, partialFlushMs)) {
        this.#arm(container, nowMs);
      }
    }
  }

  /** Idle containers that are due and have no watch, and the next part of the sweep over all. */
  #dueIdle(nowMs: number): Set<TailedContainer> {
    const due = new Set<TailedContainer>();
    if (this.#idle.size === 0) {
      // Otherwise the iterator would keep removed containers alive.
      this.#sweep = undefined;
      return due;
    }
    const share = Math.ceil((this.#idle.size * this.#tickMs) / limits.idleSweepMs);
    this.#sweep ??= this.#idle.values();
    for (let count = 0; count < share; count += 1) {
      const { value, done } = this.#sweep.next();
      if (done === true) {
        this.#sweep = undefined;
        break;
      }
      due.add(value);
    }
    if (this.#watchErrors === 0) return due;
    for (const container of this.#idle) {
      const { idleWatch } = container;
      if (idleWatch?.isDue(nowMs) !== true) continue;
      idleWatch.postpone(nowMs);
      due.add(container);
    }
    return due;
  }

  #arm(container: TailedContainer, nowMs: number): void {
    const { chain } = container;
    this.#busy.delete(container);
    this.#idle.add(container);
    const onEvent = () => {
      if (!this.#idle.has(container)) return;
      this.#wakeUps += 1;
      this.wake(container);
    };
    const idleWatch = new IdleWatch(chain.live?.path, onEvent, { nowMs, tickMs: this.#tickMs });
    if (idleWatch.isBlind) this.#watchErrors += 1;
    container.rest(idleWatch);
    chain.closeIfCrowded();
    if (chain.look(nowMs)) this.wake(container);
  }

  close(): void {
    for (const container of this.#idle) container.wake();
    this.#idle.clear();
    this.#busy.clear();
  }
}

/**
 * Everything was read and acknowledged, or the rest is the beginning of a line that is not
 * continued and not due for a flush, which needs a body.
 */
function mayRest(chain: Chain, nowMs: number, partialFlushMs: number): boolean {
  if (chain.draining || chain.mayStillGrow) return false;
  if (chain.behindBytes === 0) return true;
  if (!chain.waiting || chain.isFlushDue(nowMs, partialFlushMs)) return false;
  return nowMs - (chain.stuckSinceMs ?? nowMs) > 2 * partialFlushMs;
}
