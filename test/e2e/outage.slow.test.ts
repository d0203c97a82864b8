// The short form of `npm run chaos -- --outage-seconds`: the kubelet keeps two files of a
// container, the agent 50 MB of deleted ones, and the endpoint is down for longer than that lasts.

import { expect, test } from 'vitest';
import { seedOfRun } from '../support/seed.ts';
import { runOutage } from './outage-run.ts';

test(
  'an outage for longer than the files are kept loses what was deleted, counted to the byte',
  { timeout: 900_000 },
  async () => {
    const result = await runOutage({
      outageSeconds: 40,
      bytesPerSecond: 5_000_000,
      seed: seedOfRun(),
      containers: 4,
      filesMax: 2,
      heldBytesMax: 50_000_000,
    });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result.violations).toEqual([]);
    expect(result.lostBytes).toBeGreaterThan(0);
  },
);
