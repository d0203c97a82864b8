// The walk over one log in one thread: see chain-walk.ts. TAILSHIP_SEED and TAILSHIP_STEPS repeat a
// run, or walk elsewhere.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { walkChain } from './chain-walk.ts';

const isGiven = process.env['TAILSHIP_SEED'] !== undefined;
const firstSeed = isGiven ? seedOfRun() : 114;
const steps = Number(process.env['TAILSHIP_STEPS'] ?? 400);

test.each(['cri', 'docker', 'raw'] as const)('%s: every line is shown once', async (format) => {
  for (let seed = firstSeed; seed < firstSeed + 8; seed += 1) {
    const { rotations } = await walkChain({ seed, steps, format });
    expect(rotations).toBeGreaterThan(0);
  }
});

test('cri: what unpacks of a damaged .gz is shown once, and the rest is told', async () => {
  const from = isGiven ? firstSeed : 1_000;
  for (let seed = from; seed < from + 8; seed += 1) {
    const { rotations } = await walkChain({ seed, steps, format: 'cri', isDamaging: true });
    expect(rotations).toBeGreaterThan(0);
  }
});
