// Entries that were refused and not kept either are losses of a container, as others are.

import { expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createCounters } from '../../src/ship/counters.ts';
import { createGivenUp, droppedByContainer } from '../../src/status/given-up.ts';
import { lossStatus } from '../../src/status/loss-status.ts';
import { LossLedger } from '../../src/tail/loss-ledger.ts';

test('names the container in the list of losses, in the log and for the metrics', () => {
  const lines: string[] = [];
  const losses = new LossLedger();
  const log = createLog({ level: 'info', write: (line) => lines.push(line) });
  const note = createGivenUp(losses, log);
  const counters = createCounters();
  const { dead_letter_unwritten: unwritten, dead_letter_evicted: evicted } = counters.givenUp;
  unwritten.set('shop/cart/api', 3);
  note(counters);
  unwritten.set('shop/cart/api', 5);
  evicted.set('', 7);
  note(counters);
  note(counters);
  const [unknown, cart, ...others] = lossStatus(losses);
  expect(others).toEqual([]);
  expect(cart).toMatchObject({
    namespace: 'shop',
    pod: 'cart',
    container: 'api',
    reason: 'dead_letter_unwritten',
    entries: 5,
  });
  expect(unknown).toMatchObject({ reason: 'dead_letter_evicted', entries: 7 });
  expect(unknown).not.toHaveProperty('pod');
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
    expect.stringMatching(/^3 entries of shop\/cart\/api: refused, and given up/),
    expect.stringMatching(/^2 entries of shop\/cart\/api: refused, and given up/),
    expect.stringMatching(/^7 entries: refused, and given up/),
  ]);
  expect(droppedByContainer(counters)).toEqual([
    {
      namespace: 'shop',
      pod: 'cart',
      container: 'api',
      entriesByReason: { dead_letter_unwritten: 5 },
    },
  ]);
});
