import { expect, test } from 'vitest';

import {
  incompleteInsertId,
  insertIdOf,
  partInsertId,
} from '../../src/encode/entries/insert-id.ts';

const prefix = 'abcdefghijklmnopqrstuv';

test('insertIdOf() sorts as the offsets do, in one width', () => {
  const offsets = [0, 1, 35, 36, 1295, 1296, 13 * 2 ** 30, 36 ** 8 - 1];
  const ids = offsets.map((offset) => insertIdOf(prefix, offset));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]{30}$/);
  expect(insertIdOf(prefix, 36)).toBe(`${prefix}00000010`);
});

test('incompleteInsertId() and partInsertId() sort between a record and the next', () => {
  const id = insertIdOf(prefix, 7);
  expect(incompleteInsertId(id, 1296)).toBe(`${id}p100`);
  expect(partInsertId(id, 0)).toBe(`${id}00`);
  expect(partInsertId(id, 37)).toBe(`${id}11`);
  const next = insertIdOf(prefix, 8);
  for (const other of [incompleteInsertId(id, 1), partInsertId(id, 36)]) {
    expect(other > id && other < next).toBe(true);
  }
});
