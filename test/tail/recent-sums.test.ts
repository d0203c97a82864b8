// Growth in the last minutes is what was really added in the time that it names, however long the
// sums stay the same in between.

import { expect, test } from 'vitest';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { RecentSums } from '../../src/tail/recent-sums.ts';
import { seedOfRun } from '../support/seed.ts';

const stepMs = 5_000;
const spansMs = [10_000, 60_000, 300_000, 900_000];
/** Rows of a quarter of an hour are this far apart. */
const coarseMs = 30_000;

test('tells the growth of the time that it names, through pauses of any length', () => {
  const random = createRandom(seedOfRun());
  for (let run = 0; run < 40; run += 1) {
    const recent = new RecentSums(1, 0);
    const sumAt = new Map([[0, 0]]);
    let sum = 0;
    let nowMs = 0;
    while (sumAt.size < 600) {
      const isPause = random.next() < 0.5;
      for (let left = random.pick([1, 2, 7, 40, 250]); left > 0; left -= 1) {
        nowMs += stepMs;
        if (!isPause) sum += 1 + random.below(9);
        sumAt.set(nowMs, sum);
        if (isPause) recent.hold(nowMs);
        else recent.add(nowMs, [sum]);
        for (const spanMs of spansMs) {
          const { seconds, sums } = recent.since(spanMs, nowMs, [sum]);
          const at = `run ${run}, ${nowMs} ms, ${spanMs}`;
          expect(sum - sums[0]!, at).toBe(sumAt.get(nowMs - seconds * 1_000));
          expect(seconds * 1_000, at).toBeLessThan(spanMs + coarseMs + stepMs);
          expect(seconds * 1_000, at).toBeGreaterThanOrEqual(Math.min(spanMs, nowMs));
        }
      }
    }
  }
});
