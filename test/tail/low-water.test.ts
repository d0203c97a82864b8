import { expect, test } from 'vitest';

import { createLowWater } from '../../src/tail/low-water.ts';
import { seedOfRun } from '../support/seed.ts';

test('`offset` stays at the start until the first range is done', () => {
  const lowWater = createLowWater(100);
  lowWater.begin(100, 150);
  const second = lowWater.begin(150, 170);
  lowWater.done(second);
  expect(lowWater.offset).toBe(100);
});

test('`offset` jumps over the ranges that were answered early', () => {
  const lowWater = createLowWater(0);
  const first = lowWater.begin(0, 10);
  const second = lowWater.begin(10, 20);
  lowWater.begin(20, 30);
  lowWater.done(second);
  lowWater.done(first);
  expect(lowWater.offset).toBe(20);
});

test('an empty range takes nothing', () => {
  const lowWater = createLowWater(7);
  lowWater.done(lowWater.begin(7, 7));
  expect(lowWater.offset).toBe(7);
});

test('a gap, an overlap, a range that ends before it starts, and a negative start are programmer errors', () => {
  const lowWater = createLowWater(10);
  expect(() => lowWater.begin(11, 20)).toThrow('without gaps');
  expect(() => lowWater.begin(9, 20)).toThrow('without gaps');
  expect(() => lowWater.begin(10, 9)).toThrow('ends before');
  expect(() => createLowWater(-1)).toThrow('an offset');
  expect(lowWater.begin(10, 20)).toBeTypeOf('number');
});

test('a ticket is done once, and only if it was given', () => {
  const lowWater = createLowWater(0);
  const first = lowWater.begin(0, 1);
  const second = lowWater.begin(1, 2);
  lowWater.done(second);
  expect(() => lowWater.done(second)).toThrow('once');
  lowWater.done(first);
  expect(() => lowWater.done(first)).toThrow('once');
  expect(() => lowWater.done(99)).toThrow('once');
});

test('random answers move the mark as a model does that searches all open ranges', () => {
  const seed = seedOfRun();
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
  for (let round = 0; round < 200; round += 1) {
    const start = below(50);
    const lowWater = createLowWater(start);
    const open: { ticket: number; from: number }[] = [];
    let end = start;
    for (let step = 0; step < 60; step += 1) {
      if (open.length === 0 || below(2) === 0) {
        const to = end + below(5);
        open.push({ ticket: lowWater.begin(end, to), from: end });
        end = to;
      } else {
        const [range] = open.splice(below(open.length), 1);
        if (range === undefined) continue;
        lowWater.done(range.ticket);
      }
      const expected = Math.min(end, ...open.map((range) => range.from));
      expect(lowWater.offset, `seed ${seed}, round ${round}, step ${step}`).toBe(expected);
    }
  }
});
