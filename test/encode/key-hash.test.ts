// Keys that collide in a hash without a secret: numbers apart by powers of two, which V8 hashes by
// their value, and what shared a slot of the kernel's own tables when these had none. A tenant
// knows them; that they cost no more than others is for the secrets to see to.

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadCpuUsage } from 'node:process';
import { expect, test } from 'vitest';

import { recordedKeys, tableKeys } from '../../bench/colliding-keys.ts';
import { makeSource } from '../../bench/drain-source.ts';
import { createEncoder, drainTask } from '../../src/encode/encoder.ts';
import { encodeRecord } from '../../src/encode/entries/log-entry.ts';
import { keySecrets, keySecretsBytes } from '../../src/encode/kernel/layout.ts';
import { areaAddress, createSharedMemory } from '../../src/encode/shared-memory.ts';
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

const layout = { encoderCount: 2, slotCount: 1 };
const memory = createSharedMemory(layout);
const encoder = createEncoder(memory, 0);

/** What an encoder takes for a log of objects with these keys: the least of some tries, in ms. */
function drainCost(keys: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'key-hash-'));
  const file = join(folder, '0.log');
  const object = `{${keys.map((key) => `"${key}":1`).join(',')}}`;
  const bytes = Buffer.from(`2026-03-05T14:07:21.104582937Z stdout F ${object}\n`.repeat(5));
  writeFileSync(file, bytes);
  const fd = openSync(file, 'r');
  const head = Buffer.from('{"entries":[');
  const task = { slot: 0, head, traceParent: undefined, readAtMs: Date.now() };
  const tries = Array.from({ length: 3 }, () => {
    const before = threadCpuUsage();
    // The clock of a thread is coarse.
    for (let times = 0; times < 20; times += 1) {
      const sources = [makeSource({ fd, start: 0, end: bytes.length })];
      const { sources: drained } = drainTask(encoder, layout, { ...task, sources });
      expect(drained[0]?.consumed).toEqual([bytes.length]);
    }
    const { user, system } = threadCpuUsage(before);
    return (user + system) / 1e3;
  });
  closeSync(fd);
  rmSync(folder, { recursive: true });
  return Math.min(...tries);
}

test.each([
  { what: 'in the table of the kernel', find: tableKeys, count: 4_000 },
  { what: 'in the table of the many', find: recordedKeys, count: 5_000 },
])('keys of one slot $what cost no more than other keys', ({ find, count }) => {
  const keys = find(count);
  const { length } = keys[0] ?? '';
  const others = keys.map((_, index) => `k${index}`.padEnd(length, 'x'));
  expect(drainCost(keys)).toBeLessThan(4 * drainCost(others));
});

test('each encoder has secrets of its own', () => {
  createEncoder(memory, 1);
  const [one, other] = [0, 1].map((index) => {
    return Buffer.from(memory.buffer, areaAddress(index) + keySecrets, keySecretsBytes).toString();
  });
  expect(one).not.toBe(other);
  for (const secrets of [one, other]) expect(new Set(secrets).size).toBeGreaterThan(16);
});
