// The CPU time that the searches of one source may take in one task.
//
// The invariant: it grows with what is searched, so that only a pattern that looks far ahead for
// each of its short matches spends it.

import { threadCpuUsage } from 'node:process';

import { limits } from '../../config.ts';

function threadCpuMs(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1e3;
}

export type Allowance = ReturnType<typeof createAllowance>;

/** `steps` are characters times instructions of the pattern. */
export function createAllowance() {
  let leftMs: number = limits.redactStartMs;
  let startMs: number | undefined;
  let startCpuMs = 0;
  return {
    /** Starts another source. */
    reset() {
      leftMs = limits.redactStartMs;
      startMs = undefined;
    },
    /** Called before a search; the first of a record starts the clock. */
    grant(steps: number) {
      leftMs = Math.min(leftMs + (steps * limits.redactStepNanos) / 1e6, limits.redactMsMax);
      if (startMs !== undefined) return;
      startMs = performance.now();
      startCpuMs = threadCpuMs();
    },
    /** The clock is cheap, but only CPU time counts, so a busy machine changes nothing. */
    isSpent: () =>
      startMs !== undefined &&
      performance.now() - startMs > leftMs &&
      threadCpuMs() - startCpuMs > leftMs,
    endRecord() {
      if (startMs !== undefined) leftMs = Math.max(0, leftMs - (threadCpuMs() - startCpuMs));
      startMs = undefined;
    },
  };
}
