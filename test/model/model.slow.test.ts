// The models' long walks: several seeds, thousands of steps. See model-run.ts, file-walk.ts and
// chain-walk.ts.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { walkChain } from './chain-walk.ts';
import { walkFiles } from './file-walk.ts';
import { runModel } from './model-run.ts';

const firstSeed = seedOfRun();
const seeds = Array.from({ length: 4 }, (_, index) => firstSeed + index);
const steps = Number(process.env['TAILSHIP_STEPS'] ?? 1_500);
const timeout = 1_800_000;

test.each(seeds)('seed %i: every line arrives once', { timeout }, async (seed) => {
  const result = await runModel({ seed, steps });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.rotations).toBeGreaterThan(0);
});

const walks = seeds.flatMap((seed) => [
  { seed, formats: 'cri and docker' as const },
  { seed, formats: 'raw' as const },
]);
test.each(walks)(
  'seed $seed, $formats: logs that begin alike are told apart',
  { timeout },
  async ({ seed, formats }) => {
    const result = await walkFiles({ seed, steps, formats });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result.rotations).toBeGreaterThan(0);
  },
);

test.each(['cri', 'docker', 'raw'] as const)(
  '%s: one log in one thread, 100 walks',
  { timeout },
  async (format) => {
    for (let seed = firstSeed; seed < firstSeed + 100; seed += 1) {
      const { rotations } = await walkChain({ seed, steps: 400, format });
      expect(rotations).toBeGreaterThan(0);
    }
  },
);
