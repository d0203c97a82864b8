// The store on a real disk that has room for so many pages and no more, from one page until it
// needs no more: it goes on from memory, is never taken for damaged, and is saved when there is
// room. Needs root, to mount one.

import { expect, test } from 'vitest';

import { mayMount, whyNoMounts } from '../support/own-mounts.ts';
import { play } from './play-scene.ts';

const rounds = 4;
const rows = 40;

type Played = {
  readonly isFull: boolean;
  readonly told: readonly string[];
  readonly inMemory: readonly (number | null)[];
  readonly killed: readonly (number | null)[];
  readonly saved: readonly (number | null)[];
};

test.skipIf(!mayMount)(`wherever the disk is full, no position is wrong${whyNoMounts}`, () => {
  const { played, lines } = play('each-page') as { played: Played[]; lines: string[] };
  const newest = Array.from({ length: rows }, (_, index) => (index === rounds ? null : rounds));
  expect(played.length).toBeGreaterThan(5);
  for (const [at, { isFull, told, inMemory, killed, saved }] of played.entries()) {
    const pages = at + 1;
    expect({ pages, inMemory, saved }).toEqual({ pages, inMemory: newest, saved: newest });
    // Once that it is full, once that it is saved again.
    const codes = told.map((line) => line.split(' ').slice(0, 2).join(' '));
    expect({ pages, codes }).toEqual({
      pages,
      codes: isFull ? ['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE'] : [],
    });
    // A kill finds those of one round, or of none.
    const found = new Set(killed.filter((offset) => offset !== null));
    expect({ pages, isOne: found.size <= 1 }).toEqual({ pages, isOne: true });
    if (!isFull) expect(killed).toEqual(newest);
  }
  expect(lines).toEqual([]);
});
