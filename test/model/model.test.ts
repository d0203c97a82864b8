// Random sequences of everything: see model-run.ts and file-walk.ts. TAILSHIP_SEED and
// TAILSHIP_STEPS repeat a run, or walk elsewhere.

import { afterAll, expect, test } from 'vitest';
import { stopAll } from '../support/agent-process.ts';
import { seedOfRun } from '../support/seed.ts';
import { walkFiles, type Formats } from './file-walk.ts';
import { runModel } from './model-run.ts';

/** One walk of each kind, always the same, decides whether a commit is good. */
const isGiven = process.env['TAILSHIP_SEED'] !== undefined;
const seed = isGiven ? seedOfRun() : 114;
const steps = Number(process.env['TAILSHIP_STEPS'] ?? 400);
const timeout = 180_000;

afterAll(stopAll);

// Side by side: each waits for most of its time.
test.concurrent('whatever happens, every line arrives once', { timeout }, async () => {
  const result = await runModel({ seed, steps });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.lines).toBeGreaterThan(steps);
});

test.concurrent.each<Formats>(['cri and docker', 'raw'])(
  '%s: logs that begin alike are told apart',
  { timeout },
  async (formats) => {
    const result = await walkFiles({ seed, steps, formats });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result.lines).toBeGreaterThan(steps / 2);
  },
);
