// The order of the runs is what makes two figures comparable, so it is the order that is tested.

import { expect, test } from 'vitest';
import { countRuns, measurePairs, type PairOptions } from '../../bench/pairs.ts';
import { spreadOf } from '../../bench/statistics.ts';

const peers = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

/** Runs peers whose costs come from `costOf`, by name and number of the run. */
async function measure(
  names: readonly { readonly name: string }[],
  options: Pick<PairOptions, 'rounds' | 'spreadMax'> & Partial<PairOptions>,
  costOf: (name: string, run: number) => number,
) {
  const order: string[] = [];
  const measured = await measurePairs(
    names,
    { gates: [], ...options },
    {
      place: 'text',
      run({ name }) {
        order.push(name);
        return Promise.resolve(costOf(name, order.filter((each) => each === name).length - 1));
      },
      costsOf: (costs: readonly number[]) => costs,
    },
  );
  const byName = new Map([...measured].map(([{ name }, each]) => [name, each]));
  return { order: order.join(''), byName };
}

test('`measurePairs()` runs the first peer and each other in turn', async () => {
  const options = { rounds: 3, spreadMax: undefined };
  const { order, byName } = await measure(peers, options, (name) => (name === 'a' ? 1 : 4));
  expect(order).toBe('abababacacac');
  expect(order).toHaveLength(countRuns(3, 3));
  expect([...byName.keys()]).toEqual(['a', 'b', 'c']);
  expect(byName.get('a')?.ratios['b']?.median).toBe(0.25);
  expect(byName.get('b')?.ratios['a']?.median).toBe(4);
  expect(byName.get('a')?.runs).toHaveLength(6);
});

test('`measurePairs()` takes ratios within a round: a machine that slows down changes none', async () => {
  const slowing = (name: string, run: number) => (name === 'a' ? 1 : 2) * (1 + run);
  const options = { rounds: 4, spreadMax: 0.01 };
  const { order, byName } = await measure(peers.slice(0, 2), options, slowing);
  expect(order).toBe('abababab');
  expect(byName.get('a')?.ratios['b']).toMatchObject({
    median: 0.5,
    low: 0.5,
    high: 0.5,
    width: 0,
  });
});

test('`measurePairs()` adds rounds while they spread, keeps all, and ends', async () => {
  // The first two rounds are noisy; the more there are, the less these weigh.
  const noisy = (name: string, run: number) => (name === 'a' && run < 2 ? 2 + run : 1);
  const options = { rounds: 6, spreadMax: 0.2 };
  const settled = await measure(peers.slice(0, 2), options, noisy);
  expect(settled.order.length).toBeGreaterThan(12);
  expect(settled.order.length).toBeLessThan(24);
  const { each = [], width = 1 } = settled.byName.get('a')?.ratios['b'] ?? {};
  expect(each.slice(0, 3)).toEqual([2, 3, 1]);
  expect(width).toBeLessThanOrEqual(0.2);

  const never = await measure(peers.slice(0, 2), options, (name, run) =>
    name === 'a' ? 1 + (run % 3) : 1,
  );
  expect(never.order).toBe('ab'.repeat(12));
});

test('`measurePairs()` adds rounds while a gate is over, and keeps those that are', async () => {
  const gates = ['text:a:b:1.05', 'json:a:b:0.5', 'text:a:c:0.5'];
  const options = { rounds: 2, spreadMax: 0.5, gates };
  const pair = peers.slice(0, 2);
  // Two of five are over it by chance.
  const lucky = await measure(pair, { ...options, rounds: 3 }, (name, run) =>
    name === 'a' && run < 2 ? 1.2 : 1,
  );
  expect(lucky.order).toBe('ab'.repeat(5));
  expect(lucky.byName.get('a')?.ratios['b']).toMatchObject({ median: 1 });
  const slower = await measure(pair, options, (name) => (name === 'a' ? 1.2 : 1));
  expect(slower.order).toBe('ab'.repeat(4));
  expect(slower.byName.get('a')?.ratios['b']).toMatchObject({ median: 1.2 });
  expect((await measure(pair, options, () => 1)).order).toBe('abab');
});

test('`measurePairs()` runs a single peer as often as the rounds say, and no peer not at all', async () => {
  const options = { rounds: 3, spreadMax: 0.1 };
  expect((await measure(peers.slice(0, 1), options, () => 1)).order).toBe('aaa');
  expect((await measure([], options, () => 1)).order).toBe('');
});

test('`spreadOf()` has the median and the quartiles', () => {
  expect(spreadOf([5, 1, 4, 2, 3])).toMatchObject({ low: 2, median: 3, high: 4, width: 2 / 3 });
  expect(spreadOf([7])).toMatchObject({ low: 7, median: 7, high: 7, width: 0 });
  expect(() => spreadOf([])).toThrow();
});
