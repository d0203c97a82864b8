// The age of what waits: of its oldest byte, through progress, losses and long outages.

import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { Lag } from '../../src/tail/lag.ts';

test('Lag counts from the look that found the oldest byte that waits', () => {
  const lag = new Lag();
  expect(lag.sinceMs).toBeUndefined();
  lag.look({ behind: 10, inFlight: 0, committed: 0 }, 1_000);
  lag.look({ behind: 30, inFlight: 0, committed: 0 }, 2_000);
  expect(lag.sinceMs).toBe(1_000);
  lag.look({ behind: 25, inFlight: 0, committed: 9 }, 3_000);
  expect(lag.sinceMs).toBe(1_000);
  lag.look({ behind: 24, inFlight: 0, committed: 10 }, 4_000);
  expect(lag.sinceMs).toBe(2_000);
  lag.look({ behind: 4, inFlight: 0, committed: 30 }, 5_000);
  expect(lag.sinceMs).toBe(3_000);
  lag.look({ behind: 0, inFlight: 0, committed: 34 }, 6_000);
  expect(lag.sinceMs).toBeUndefined();
});

test('Lag takes what was lost as acknowledged', () => {
  const lag = new Lag();
  lag.look({ behind: 100, inFlight: 0, committed: 0 }, 1_000);
  lag.look({ behind: 200, inFlight: 0, committed: 0 }, 2_000);
  lag.look({ behind: 100, inFlight: 0, committed: 0 }, 3_000);
  expect(lag.sinceMs).toBe(2_000);
  lag.look({ behind: 0, inFlight: 0, committed: 100 }, 4_000);
  lag.look({ behind: 7, inFlight: 0, committed: 100 }, 5_000);
  expect(lag.sinceMs).toBe(5_000);
});

test('Lag counts what waits for an answer when what came after it is lost', () => {
  const lag = new Lag();
  lag.look({ behind: 100, inFlight: 60, committed: 0 }, 1_000);
  lag.look({ behind: 200, inFlight: 60, committed: 0 }, 2_000);
  lag.look({ behind: 90, inFlight: 60, committed: 0 }, 3_000);
  expect(lag.sinceMs).toBe(1_000);
  lag.look({ behind: 30, inFlight: 0, committed: 60 }, 4_000);
  expect(lag.sinceMs).toBe(2_000);
});

test('Lag holds few marks in a long outage, and is off by no more than their distance', () => {
  const lag = new Lag();
  const looks = limits.lagMarksMax * 100;
  for (let look = 1; look <= looks; look += 1) {
    lag.look({ behind: look, inFlight: 0, committed: 0 }, look);
  }
  expect(lag.sinceMs).toBe(1);
  const committed = looks / 2;
  lag.look({ behind: looks - committed, inFlight: 0, committed }, looks);
  expect(lag.sinceMs).toBeLessThanOrEqual(committed + 1);
  expect(lag.sinceMs).toBeGreaterThan(committed - looks / (limits.lagMarksMax / 4));
});

test('Lag is exact again after a long outage, though something always waits', () => {
  const lag = new Lag();
  const looks = limits.lagMarksMax * 20;
  const tell = (look: number, committed: number) =>
    lag.look({ behind: look - committed, inFlight: 0, committed }, look);
  for (let look = 1; look <= looks; look += 1) tell(look, 0);
  for (let look = looks + 1; look <= looks * 2; look += 1) tell(look, look - 3);
  expect(lag.sinceMs).toBe(looks * 2 - 2);
});
