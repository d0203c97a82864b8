// The short form of chaos.ts; TAILSHIP_CHAOS_SECONDS makes it longer, 0 leaves it out, and
// TAILSHIP_SEED repeats it.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { expectClean } from '../support/verify.ts';
import { runChaos } from './chaos-run.ts';

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
    expect(result.lostByKubelet).toBe(0);
    expect(result.lossesTold).toEqual([]);
    expect(result.distinctEntries).toBe(result.written);
    expect(result.kills).toBeGreaterThan(0);
    expect(result.rotations).toBeGreaterThan(10);
  },
);
