// Decides when a request may start: how many at once, how long after a failure, how fast after a
// 429. All batches share one gate, so that a sick endpoint gets one probe at a time and not one of
// every batch.
//
//   healthy ── failure ──> failing: nobody starts until the back-off ends, then one probe
//      ^                      │  ^
//      └────── success ───────┘  └── failure: a longer back-off
//
// Invariant: there are never more tickets than `concurrency`, and one per back-off while failing;
// every ticket comes back through `leave`.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentError, ErrorCode } from '../errors.ts';
import { backoffMs } from '../backoff.ts';
import type { Failure } from './answer.ts';
import type { ShipLimits } from '../ship-limits.ts';

/** The right to one request. */
export type Ticket = { readonly epoch: number; readonly probe: boolean };

export type GateOptions = {
  /** Requests at once. */
  readonly concurrency: number;
  readonly limits: ShipLimits;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Called at the second failure in a row and when its code changes. */
  readonly onFailing: (failure: Failure) => void;
  readonly onRecovered: (code: ErrorCode, outageMs: number) => void;
};

type Waiter = {
  readonly order: number;
  readonly resolve: (ticket: Ticket) => void;
  readonly reject: (reason: AgentError) => void;
};

/** Tickets for others before a late waiter gets one. */
const lateShare = 8;
/** Once a request may go every so many milliseconds, the pace after a 429 is dropped. */
const spacingForgottenMs = 10;

export class Gate {
  readonly #options: GateOptions;
  readonly #waiters: Waiter[] = [];
  /** Those that let others go first. */
  readonly #lateWaiters: Waiter[] = [];
  #ticketsSinceLate = 0;
  #ticketCount = 0;
  #probing = false;
  /** Counts failures; the answer to a request from before the last failure says nothing new. */
  #epoch = 0;
  #failureCount = 0;
  #hasAnswered = false;
  #failingSinceMs = 0;
  #reportedCode: ErrorCode | undefined;
  #notBeforeMs = 0;
  #spacingMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped: AgentError | undefined;
  readonly #stopping = new AbortController();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** A request was answered since the last failure. */
  get isProven(): boolean {
    return this.#hasAnswered && this.#failureCount === 0;
  }

  /** Failures in a row; 0 while the endpoint is healthy. */
  get failureCount(): number {
    return this.#failureCount;
  }

  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /**
   * Waits for the turn of a request; the smallest `order` (oldest batch) goes first. `late` ones
   * go after all others, except for every `lateShare`-th ticket. Rejects with the reason of `stop`.
   */
  enter(order: number, turn: 'first' | 'late' = 'first'): Promise<Ticket> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const { promise, resolve, reject } = Promise.withResolvers<Ticket>();
    const waiters = turn === 'late' ? this.#lateWaiters : this.#waiters;
    const index = waiters.findIndex((waiter) => waiter.order > order);
    waiters.splice(index < 0 ? waiters.length : index, 0, { order, resolve, reject });
    this.#pump();
    return promise;
  }

  /**
   * Gives a ticket back with the outcome of its request: `answered` by the API, a failure of the
   * endpoint, or `unclear`, which neither prolongs an outage nor ends it.
   */
  leave(ticket: Ticket, outcome: Failure | 'answered' | 'unclear'): void {
    assert(this.#ticketCount > 0);
    this.#ticketCount -= 1;
    if (ticket.probe) this.#probing = false;
    if (ticket.epoch === this.#epoch) {
      if (outcome === 'answered') this.#succeed();
      else if (outcome !== 'unclear') this.#fail(outcome);
    }
    this.#pump();
  }

  /** Lowers the rate of all senders: a quota is used up. */
  throttle(): void {
    this.#spacingMs = Math.min(
      Math.max(this.#spacingMs * 2, this.#options.limits.shipBackoffBaseMs),
      this.#options.limits.shipBackoffMaxMs,
    );
  }

  /** Full jitter; `slow` is for failures that someone must mend. */
  backoffMs(attempts: number, pace: 'normal' | 'slow' = 'normal'): number {
    const { shipBackoffBaseMs, shipBackoffMaxMs, shipSlowBackoffMaxMs } = this.#options.limits;
    return backoffMs(attempts, {
      baseMs: shipBackoffBaseMs,
      maxMs: pace === 'slow' ? shipSlowBackoffMaxMs : shipBackoffMaxMs,
      random: this.#options.random,
    });
  }

  /** Waits; rejects with the reason of `stop`. */
  async sleep(durationMs: number): Promise<void> {
    try {
      await sleep(durationMs, undefined, { signal: this.#stopping.signal });
    } catch (error) {
      throw this.#stopped ?? error;
    }
  }

  /** Rejects all waits, now and later. Requests in flight go on. */
  stop(reason: AgentError): void {
    this.#stopped ??= reason;
    clearTimeout(this.#timer);
    for (const waiters of [this.#waiters, this.#lateWaiters]) {
      for (const waiter of waiters.splice(0)) waiter.reject(reason);
    }
    this.#stopping.abort();
  }

  #succeed(): void {
    this.#hasAnswered = true;
    if (this.#spacingMs > 0) {
      const spacingMs = 1_000 / (1_000 / this.#spacingMs + this.#options.limits.shipRateStep);
      this.#spacingMs = spacingMs < spacingForgottenMs ? 0 : spacingMs;
      // The new pace applies at once. The old one would add 30 s of silence after two minutes of
      // 429.
      const nextMs = this.#options.nowMs() + this.#spacingMs;
      this.#notBeforeMs = Math.min(this.#notBeforeMs, nextMs);
    }
    if (this.#failureCount === 0) return;
    const outageMs = this.#options.nowMs() - this.#failingSinceMs;
    this.#failureCount = 0;
    // Many nodes recover at the same moment, so the others follow within one base back-off.
    const jitterMs = this.#options.random() * this.#options.limits.shipBackoffBaseMs;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#options.nowMs() + jitterMs);
    if (this.#reportedCode !== undefined) this.#options.onRecovered(this.#reportedCode, outageMs);
    this.#reportedCode = undefined;
  }

  #fail(failure: Failure): void {
    const nowMs = this.#options.nowMs();
    this.#epoch += 1;
    if (this.#failureCount === 0) this.#failingSinceMs = nowMs;
    this.#failureCount += 1;
    if (failure.pace === 'throttled') this.throttle();
    const pace = failure.pace === 'slow' ? 'slow' : 'normal';
    const askedMs = Math.min(failure.retryAfterMs, this.#options.limits.shipRetryAfterMaxMs);
    this.#notBeforeMs = nowMs + askedMs + this.backoffMs(this.#failureCount, pace);
    // A single failure is counted but not logged.
    if (this.#failureCount >= 2 && this.#reportedCode !== failure.code) {
      this.#reportedCode = failure.code;
      this.#options.onFailing(failure);
    }
  }

  #pump(): void {
    while (this.#waiters.length + this.#lateWaiters.length > 0 && this.#stopped === undefined) {
      const failing = this.#failureCount > 0;
      if (this.#ticketCount >= this.#options.concurrency || (failing && this.#probing)) return;
      const nowMs = this.#options.nowMs();
      if (nowMs < this.#notBeforeMs) {
        clearTimeout(this.#timer);
        // A timer may fire a fraction of a millisecond early by this clock.
        this.#timer = setTimeout(() => this.#pump(), this.#notBeforeMs - nowMs + 1);
        return;
      }
      this.#ticketCount += 1;
      if (failing) this.#probing = true;
      this.#notBeforeMs = nowMs + this.#spacingMs;
      this.#nextWaiter()?.resolve({ epoch: this.#epoch, probe: failing });
    }
  }

  #nextWaiter(): Waiter | undefined {
    const isLateDue = this.#ticketsSinceLate >= lateShare && this.#lateWaiters.length > 0;
    const isLate = isLateDue || this.#waiters.length === 0;
    this.#ticketsSinceLate = isLate ? 0 : this.#ticketsSinceLate + 1;
    return (isLate ? this.#lateWaiters : this.#waiters).shift();
  }
}
