// Cutting entries out of bodies: byte for byte, from shared memory as from any other.

import { expect, test } from 'vitest';
import { bodyOf, entryBytes, entryStarts } from '../../src/ship/body.ts';
import { makeBatch } from './fake-api.ts';

type Body = { labels: unknown; entries: { insertId: string; textPayload: string }[] };

test('`entryStarts()` finds every entry, whatever the texts hold', () => {
  const texts = ['', '"entries":[', '\n', ',\n', ']}', '{"a":1},\n{"b":2}', '\\', 'ü😀', '\\"'];
  for (let entryCount = 1; entryCount <= 12; entryCount += 1) {
    const { body } = makeBatch(entryCount, (index) => texts[index % texts.length] ?? '');
    const starts = entryStarts(body, entryCount);
    for (let index = 0; index < entryCount; index += 1) {
      const entry = Buffer.from(entryBytes(body, starts, index)).toString('utf8');
      expect(JSON.parse(entry)).toEqual({
        insertId: `e${index}`,
        textPayload: texts[index % texts.length],
      });
    }
  }
});

test('`bodyOf()` keeps the head and the bytes of every subset', () => {
  const { body } = makeBatch(6, (index) => 'x'.repeat(index * 7));
  const starts = entryStarts(body, 6);
  const whole = JSON.parse(Buffer.from(body).toString('utf8')) as Body;
  for (let mask = 1; mask < 64; mask += 1) {
    const indexes = Uint32Array.from([0, 1, 2, 3, 4, 5].filter((index) => (mask >> index) & 1));
    const part = bodyOf(body, starts, indexes);
    const parsed = JSON.parse(Buffer.from(part).toString('utf8')) as Body;
    expect(parsed.labels).toEqual(whole.labels);
    expect(parsed.entries).toEqual([...indexes].map((index) => whole.entries[index]));
    expect(entryStarts(part, indexes.length)).toHaveLength(indexes.length + 1);
  }
  const everything = bodyOf(body, starts, Uint32Array.from([0, 1, 2, 3, 4, 5]));
  expect(Buffer.compare(everything, Buffer.from(body))).toBe(0);
});

test('`entryStarts()` asserts when the count is not that of the body', () => {
  const { body } = makeBatch(3);
  expect(() => entryStarts(body, 2)).toThrow('entryCount');
  expect(() => entryStarts(body, 4)).toThrow('entryCount');
});
