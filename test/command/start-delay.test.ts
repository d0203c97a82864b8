// Agents that are started at once do not begin at once.

import { describe, expect, test } from 'vitest';

import { delayStart } from '../../src/command/start-delay.ts';

const never = new AbortController().signal;

async function measure(startJitterMs: number, random: number, once = false): Promise<number> {
  const beganMs = performance.now();
  await delayStart({ startJitterMs, once }, never, () => random);
  return performance.now() - beganMs;
}

describe('delayStart()', () => {
  test('waits a random share of the jitter', async () => {
    // Timers may fire a millisecond early.
    expect(await measure(400, 0.5)).toBeGreaterThan(198);
    expect(await measure(60_000, 0)).toBeLessThan(30_000);
  });

  test('does not delay a run with --once, nor one without jitter', async () => {
    expect(await measure(600_000, 0.9, true)).toBeLessThan(30_000);
    expect(await measure(0, 0.9)).toBeLessThan(30_000);
  });

  test('ends at the signal', async () => {
    const stop = new AbortController();
    const waiting = delayStart({ startJitterMs: 600_000, once: false }, stop.signal, () => 0.9);
    stop.abort('SIGTERM');
    await waiting;
  });
});
