// Outputs in place of the endpoint, for as long as an agent runs.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { queryObjects } from 'node:v8';
import { expect, test } from 'vitest';
import { openOutput } from '../../src/ship/entry-output.ts';
import { OutputShipper } from '../../src/ship/output-shipper.ts';
import { callbackLog } from '../support/callback-log.ts';
import { makeBatch } from './fake-api.ts';
import { makeStateDir } from './open-shipper.ts';

test('nothing is kept of a batch that is written', async () => {
  const file = path.join(makeStateDir(), 'entries.ndjson');
  const log = callbackLog(() => undefined);
  const outputs = [await openOutput(`file:${file}`, undefined)];
  const shipper = new OutputShipper({ endpoint: undefined, outputs, log });
  const batch = makeBatch(1);
  await shipper.ship(batch);
  const before = queryObjects(Promise, { format: 'count' });
  const count = 300;
  for (let round = 0; round < count; round += 1) await shipper.ship(batch);
  expect(queryObjects(Promise, { format: 'count' }) - before).toBeLessThan(count / 2);
  await shipper.stop(0);
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(count + 1);
  await expect(shipper.ship(batch)).rejects.toMatchObject({ code: 'SHIP_STOPPED' });
});
