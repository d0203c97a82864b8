// Random sequences of everything: see model-run.ts and file-walk.ts. TAILSHIP_SEED and
// TAILSHIP_STEPS repeat a run.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { walkFiles } from './file-walk.ts';
import { runModel } from './model-run.ts';

const steps = Number(process.env['TAILSHIP_STEPS'] ?? 400);

test('whatever happens, every line arrives once', async () => {
  const result = await runModel({ seed: seedOfRun(), steps });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.lines).toBeGreaterThan(steps);
});

test.each([
  { formats: 'cri and docker', isRaw: false },
  { formats: 'raw', isRaw: true },
])('$formats: logs that begin alike are told apart', async ({ isRaw }) => {
  const result = await walkFiles({ seed: seedOfRun(), steps, isRaw });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.lines).toBeGreaterThan(steps / 2);
});
