// As reload.test.ts, long enough for a leak to show: 30 KiB a reload and more. V8 collects its old
// generation late, so that the memory rises at first (4,000 reloads: 52, 75 after 2,000, then 66 MB
// of anonymous memory to the end).

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
  expect(rssBytes[1] - rssBytes[0]).toBeLessThan(24 * 2 ** 20);
});
