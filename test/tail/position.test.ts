import { expect, test } from 'vitest';

import { Position, type DrainedRange } from '../../src/tail/position.ts';
import { seedOfRun } from '../support/seed.ts';

/** A position at `start`, and what puts the bytes up to `end` on their way. */
function positionAt(start: number) {
  const position = new Position();
  position.restart({ offset: start, hash: start, readTimes: [] });
  const drain = (end: number): DrainedRange => {
    const from = position.offset;
    position.drained(end, end);
    return position.begin(from, undefined);
  };
  return { position, drain };
}

test('`committed` stays at the start until the first range is answered', () => {
  const { position, drain } = positionAt(100);
  drain(150);
  expect(position.acknowledge(drain(170))).toBe(0);
  expect(position.stored).toEqual({ offset: 100, positionHash: 100, readTimes: [] });
});

test('`committed` jumps over the ranges that were answered early', () => {
  const { position, drain } = positionAt(0);
  const [first, second] = [drain(10), drain(20)];
  drain(30);
  position.acknowledge(second);
  expect(position.acknowledge(first)).toBe(20);
  expect(position.stored).toEqual({ offset: 20, positionHash: 20, readTimes: [] });
});

test('an answer to what was drained before the position was given up moves nothing', () => {
  const { position, drain } = positionAt(0);
  const given = drain(10);
  position.restart({ offset: 5, hash: 5, readTimes: [] });
  drain(8);
  expect(position.acknowledge(given)).toBe(0);
  expect(position.committed).toBe(5);
});

test('a gap, an overlap and a range that ends before it starts are programmer errors', () => {
  const { position, drain } = positionAt(10);
  drain(20);
  position.drained(30, 30);
  expect(() => position.begin(21, undefined)).toThrow('without gaps');
  expect(() => position.begin(19, undefined)).toThrow('without gaps');
  position.drained(15, 15);
  expect(() => position.begin(20, undefined)).toThrow('ends before');
});

test('a range is answered once', () => {
  const { position, drain } = positionAt(0);
  const [first, second] = [drain(1), drain(2)];
  position.acknowledge(second);
  expect(() => position.acknowledge(second)).toThrow('once');
  position.acknowledge(first);
  expect(() => position.acknowledge(first)).toThrow('once');
});

test('random answers move `committed` as a model does that searches all open ranges', () => {
  const seed = seedOfRun();
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
  for (let round = 0; round < 200; round += 1) {
    const start = below(50);
    const { position, drain } = positionAt(start);
    const open: { range: DrainedRange; from: number }[] = [];
    let end = start;
    for (let step = 0; step < 60; step += 1) {
      if (open.length === 0 || below(2) === 0) {
        const to = end + below(5);
        open.push({ range: drain(to), from: end });
        end = to;
      } else {
        const [answered] = open.splice(below(open.length), 1);
        if (answered !== undefined) position.acknowledge(answered.range);
      }
      const expected = Math.min(end, ...open.map(({ from }) => from));
      expect(position.committed, `seed ${seed}, round ${round}, step ${step}`).toBe(expected);
    }
  }
});
