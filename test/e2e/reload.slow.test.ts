// As reload.test.ts, long enough for a leak of a few KiB a reload to show.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeScratch, stopAll } from '../support/agent-process.ts';
import { reloadUnderLoad } from '../support/reload-scene.ts';

vi.setConfig({ testTimeout: 600_000 });

let scratch: ReturnType<typeof makeScratch>;

beforeEach(() => {
  scratch = makeScratch();
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

test('1,000 reloads under load, a third of them invalid: no loss, memory and descriptors flat', async () => {
  const outcome = await reloadUnderLoad(scratch.path, 1_000);
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  const { accepted, refused, openFiles, rssBytes } = outcome;
  expect({ accepted, refused }).toEqual({ accepted: 667, refused: 333 });
  expect(openFiles[1] - openFiles[0]).toBeLessThanOrEqual(4);
  expect(rssBytes[1] - rssBytes[0]).toBeLessThan(10 * 2 ** 20);
});
