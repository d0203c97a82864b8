// The pace of requests after a run of 429s, through the gate alone.

import { expect, onTestFinished, test, vi } from 'vitest';
import { limits } from '../../src/config.ts';
import { Gate } from '../../src/ship/gate.ts';
import type { ShipLimits } from '../../src/ship-limits.ts';
import { startOwnClock } from '../support/own-time.ts';

const unhurriedMs = 5_000;

function makeGate(own: Partial<ShipLimits>): Gate {
  return new Gate({
    concurrency: 1,
    limits: { ...limits, ...own },
    nowMs: () => performance.now(),
    random: () => 0,
    onFailing: () => undefined,
    onRecovered: () => undefined,
  });
}

test('after a success the next request goes at the new pace, not at the old one once more', async () => {
  const gate = makeGate({
    shipBackoffBaseMs: 10,
    shipBackoffMaxMs: unhurriedMs,
    shipSlowBackoffMaxMs: unhurriedMs,
    shipRateStep: 100,
  });
  // As by many 429s in a row: one request each five seconds.
  for (let count = 0; count < 12; count += 1) gate.throttle();
  const elapsedMs = startOwnClock();
  gate.leave(await gate.enter(1), 'answered');
  // A hundred more a second now.
  gate.leave(await gate.enter(2), 'answered');
  expect(elapsedMs()).toBeLessThan(unhurriedMs / 4);
});

test('each success after a 429 adds to the rate of the requests that follow', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const gate = makeGate({ shipBackoffBaseMs: 100, shipBackoffMaxMs: 1_000, shipRateStep: 10 });
  gate.throttle();
  const times: number[] = [];
  for (let order = 1; order <= 5; order += 1) {
    void gate.enter(order).then((ticket) => {
      times.push(performance.now());
      gate.leave(ticket, 'answered');
    });
  }
  await vi.advanceTimersByTimeAsync(1_000);
  const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
  // 20, 30, 40 and 50 a second; a timer is set a millisecond late, and rounds.
  const leastMs = [50, 33, 25, 20];
  expect(gaps).toHaveLength(leastMs.length);
  for (const [index, least] of leastMs.entries()) {
    expect(gaps[index]).toBeGreaterThanOrEqual(least);
    expect(gaps[index]).toBeLessThan(least + 3);
  }
});
