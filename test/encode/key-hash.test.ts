// Keys that collide in a hash without a secret: numbers apart by powers of two, which V8 hashes by
// their value. A tenant knows them; that they cost no more than others is for V8's seed to see to.

import { threadCpuUsage } from 'node:process';
import { expect, test } from 'vitest';

import { encodeRecord } from '../../src/encode/entries/log-entry.ts';
import { context, recordOf } from './strict-entry.ts';

const keyCount = 16_000;
const timesMax = 10;

/** The least of some tries, in milliseconds of CPU. */
function cost(keyOf: (index: number) => string, wrap: (object: string) => string): number {
  const members = Array.from({ length: keyCount }, (_, index) => `"${keyOf(index)}":"v"`);
  const record = recordOf(wrap(`{${members.join(',')}}`));
  const tries = Array.from({ length: 3 }, () => {
    const before = threadCpuUsage();
    encodeRecord(record, context);
    const { user, system } = threadCpuUsage(before);
    return (user + system) / 1e3;
  });
  return Math.min(...tries);
}

const colliding: Record<string, (index: number) => string> = {
  'numbers one after the other': (index) => String(index),
  'array indexes apart by 2^10': (index) => String(index * 2 ** 10),
  'array indexes apart by 2^17': (index) => String(index * 2 ** 17),
  'numbers apart by 2^32': (index) => String(index * 2 ** 32),
};

test.each(Object.entries(colliding))('%s cost no more than other keys', (_, keyOf) => {
  const plain = (index: number) => `key${index}`;
  const asLabels = (object: string) => `{"message":"x","logging.googleapis.com/labels":${object}}`;
  for (const wrap of [(object: string) => object, asLabels]) {
    expect(cost(keyOf, wrap)).toBeLessThan(cost(plain, wrap) * timesMax);
  }
});
