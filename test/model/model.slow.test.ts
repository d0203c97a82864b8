// The model's long walks: several seeds, thousands of steps. See model-run.ts.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { runModel } from './model-run.ts';

const firstSeed = seedOfRun();
const seeds = Array.from({ length: 4 }, (_, index) => firstSeed + index);
const steps = Number(process.env['TAILSHIP_STEPS'] ?? 1_500);

test.each(seeds)('seed %i: every line arrives once', { timeout: 1_800_000 }, async (seed) => {
  const result = await runModel({ seed, steps });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.rotations).toBeGreaterThan(0);
});
