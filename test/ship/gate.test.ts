// The pace of requests after a run of 429s, through the gate alone.

import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { Gate } from '../../src/ship/gate.ts';
import { startOwnClock } from '../support/own-time.ts';

const unhurriedMs = 5_000;

test('after a success the next request goes at the new pace, not at the old one once more', async () => {
  const gate = new Gate({
    concurrency: 1,
    limits: {
      ...limits,
      shipBackoffBaseMs: 10,
      shipBackoffMaxMs: unhurriedMs,
      shipSlowBackoffMaxMs: unhurriedMs,
      shipRateStep: 100,
    },
    nowMs: () => performance.now(),
    random: () => 0,
    onFailing: () => undefined,
    onRecovered: () => undefined,
  });
  // As by many 429s in a row: one request each five seconds.
  for (let count = 0; count < 12; count += 1) gate.throttle();
  const elapsedMs = startOwnClock();
  gate.leave(await gate.enter(1), 'answered');
  // A hundred more a second now.
  gate.leave(await gate.enter(2), 'answered');
  expect(elapsedMs()).toBeLessThan(unhurriedMs / 4);
});
