// The short form of chaos.ts; TAILSHIP_CHAOS_SECONDS makes it longer, 0 leaves it out, and
// TAILSHIP_SEED repeats it.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { expectClean } from '../support/verify.ts';
import { runChaos, violationsOf } from './chaos-run.ts';

const seconds = Number(process.env['TAILSHIP_CHAOS_SECONDS'] ?? 10);

test.skipIf(seconds === 0)(
  'kills, rotations, faults and deleted pods at once cost no line',
  { timeout: seconds * 4_000 + 120_000 },
  async () => {
    const result = await runChaos({
      seconds,
      seed: seedOfRun(),
      linesPerSecond: 4_000,
      containers: 10,
      killSeconds: [2, 5],
      hangs: seconds > 60,
    });
    process.stdout.write(`${JSON.stringify({ ...result, samples: undefined })}\n`);
    expectClean(result);
    expect(violationsOf(result)).toEqual([]);
    expect(result.kills).toBeGreaterThan(0);
    expect(result.rotations).toBeGreaterThan(10);
  },
);

test('chaos fails when a loss is told that was none', () => {
  const clean = {
    written: 18_075_919,
    entries: 18_075_919,
    lost: 0,
    lostByKubelet: 0,
    doubled: 0,
    outOfOrder: 0,
    altered: 0,
    unknown: 0,
    missingTextBytes: 0,
    lostBytesTold: 0,
    distinctEntries: 18_075_919,
    rotations: 18_000,
    kills: 129,
    podsDeleted: 255,
    faults: 228,
    faultSeconds: 594,
    rssMax: 190_558_208,
    catchUpSeconds: 40,
    lossesTold: [],
  };
  expect(violationsOf(clean)).toEqual([]);
  // The notice of the loss, in the container's log, is the entry too many.
  const told = {
    ...clean,
    entries: 18_075_920,
    distinctEntries: 18_075_920,
    lostBytesTold: 140_629,
  };
  expect(violationsOf(told)).toEqual([
    '18075920 entries of 18075919 lines',
    'told: 140629 bytes are lost',
  ]);
  expect(violationsOf({ ...clean, lossesTold: ['LINES_LOST'] })).toEqual(['LINES_LOST']);
});
