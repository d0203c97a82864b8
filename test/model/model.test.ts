// Random sequences of everything: see model-run.ts and file-walk.ts. TAILSHIP_SEED and
// TAILSHIP_STEPS repeat a run.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { walkFiles, type Formats } from './file-walk.ts';
import { runModel } from './model-run.ts';

/**
 * One walk of each kind, always the same, decides whether a commit is good; the slow test takes
 * any.
 */
const isGiven = process.env['TAILSHIP_SEED'] !== undefined;
const seed = isGiven ? seedOfRun() : 114;
const steps = Number(process.env['TAILSHIP_STEPS'] ?? 400);

test('whatever happens, every line arrives once', async () => {
  const result = await runModel({ seed, steps });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.lines).toBeGreaterThan(steps);
});

test.each<Formats>(['cri and docker', 'raw'])(
  '%s: logs that begin alike are told apart',
  { timeout: 180_000 },
  async (formats) => {
    const result = await walkFiles({ seed, steps, formats });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result.lines).toBeGreaterThan(steps / 2);
  },
);
