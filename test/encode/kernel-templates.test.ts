// What surrounds the payloads of a source is written into a place of fixed size in the kernel's
// area: a source for which it is too small is the reference's.

import { expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';

const lines = Buffer.from(
  '2024-03-05T14:07:20.1Z stdout F one\n2024-03-05T14:07:20.2Z stderr F {"a":1}\n',
);

/** Lines that the kernel took of a source with this label, whose entries are the reference's. */
function fastLinesWith(label: string): number {
  const files = openFiles([lines]);
  try {
    const labels = `"k8s-pod/app":${JSON.stringify(label)}`;
    const sources = [{ ...plainSource, labels, segments: files.segments() }];
    const fast = drainHere(sources);
    expect(fast.entries).toEqual(drainHere(sources, { useKernel: false }).entries);
    return fast.result.sources[0]!.fastLines;
  } finally {
    files.close();
  }
}

test('templates that fit are the kernel’s, larger ones are not', () => {
  expect(fastLinesWith('x'.repeat(10_000))).toBe(2);
  expect(fastLinesWith('x'.repeat(70_000))).toBe(0);
});

test('it counts with the longest form of a character', () => {
  expect(fastLinesWith('€'.repeat(10_000))).toBe(2);
  expect(fastLinesWith('€'.repeat(22_000))).toBe(0);
});
