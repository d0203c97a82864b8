// Series of entries that were refused and not kept either: bounded, with the others as a sum.

import { expect, test } from 'vitest';
import { containerSeriesMax, droppedSamples } from '../../src/admin/container-series.ts';
import { createCounters } from '../../src/ship/counters.ts';
import { addEntries, givenUpCauses } from '../../src/ship/given-up-entries.ts';
import { droppedByContainer } from '../../src/status/given-up.ts';

test('entries given up have a series for each of the first containers, and none ever falls', () => {
  const { givenUp } = createCounters();
  const droppedByReason = { dead_letter_unwritten: 0, dead_letter_evicted: 0 };
  const before = new Map<string, number>();
  for (let at = 0; at < 400; at += 1) {
    const cause = givenUpCauses[at % 3 === 0 ? 1 : 0];
    // Of every tenth the container is not known.
    const owner = at % 10 === 9 ? '' : `shop/pod-${(at * 7) % 200}/api`;
    addEntries(givenUp[cause], owner, at);
    droppedByReason[cause] += at;
    const status = { droppedByReason, droppedByContainer: droppedByContainer({ givenUp }) };
    const sums: Record<string, number> = { dead_letter_unwritten: 0, dead_letter_evicted: 0 };
    for (const { labels, value } of droppedSamples(status)) {
      const series = JSON.stringify(labels);
      expect(value, series).toBeGreaterThanOrEqual(before.get(series) ?? 0);
      before.set(series, value);
      sums[labels['reason']!]! += value;
    }
    expect(sums).toEqual(droppedByReason);
  }
  const named = [...before.keys()].filter((series) => !series.includes('(rest)'));
  expect(named).toHaveLength(containerSeriesMax);
});
