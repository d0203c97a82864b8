import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stopAll } from '../support/agent-process.ts';
import { runCrowded } from './crowded-scene.ts';

let scratch: string;
beforeEach(() => {
  scratch = fs.mkdtempSync(path.join('/dev/shm', 'tailship-crowded-'));
});
afterEach(async () => {
  await stopAll();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const isSlow = process.env['TAILSHIP_SLOW'] !== undefined;
const small = { files: 5_000, links: 10_000, foreign: 100_000 };
const large = { files: 50_000, links: 100_000, foreign: 1_000_000 };

test('a pod that fills its directory and that of the links with names delays nobody', async () => {
  const result = await runCrowded(scratch, isSlow ? large : small);
  const { blockedMs, quietBlockedMs, startMs, churnMs, newPodMs, heldUpMs, rssBytes, status, log } =
    result;
  process.stdout.write(
    `${JSON.stringify({ blockedMs, quietBlockedMs, startMs, churnMs, newPodMs, heldUpMs, rssBytes })}\n`,
  );
  expect(blockedMs).toBeLessThan(Math.max(200, 3 * quietBlockedMs));
  for (const ms of [startMs, churnMs, newPodMs]) expect(ms).toBeLessThan(5_000 + heldUpMs);
  expect(rssBytes).toBeLessThan(192 * 1024 * 1024);
  expect(result.ready).toBe(200);
  const kinds = status.overLimit?.map(({ pod, kind }) => `${pod} ${kind}`);
  expect(kinds).toContain('crowded files');
  expect(log.join('\n')).toMatch(/ns_crowded_.*OVER_LIMIT/);
});
