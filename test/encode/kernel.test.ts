// The kernel against the reference encoder: whatever the bytes, the drain with the kernel writes what the drain without it writes.

import { describe, expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';
import { generateLog, seededRandom } from './line-generator.ts';

/** Entries of the log with and without the kernel. */
function drainBoth(content: Buffer): { fast: readonly string[]; slow: readonly string[] } {
  const files = openFiles([content]);
  try {
    const sources = [{ ...plainSource, segments: files.segments() }];
    return {
      fast: drainHere(sources).entries,
      slow: drainHere(sources, { useKernel: false }).entries,
    };
  } finally {
    files.close();
  }
}

function expectSame(content: Buffer): void {
  const { fast, slow } = drainBoth(content);
  for (const [index, entry] of slow.entries()) expect(fast[index]).toBe(entry);
  expect(fast.length).toBe(slow.length);
}

describe('the kernel', () => {
  const seed = Number(process.env['TAILSHIP_SEED'] ?? Date.now() % 1_000_000);
  test(`writes what the reference writes for random lines, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 200; round++) expectSame(generateLog(random, 60).bytes);
  });
});
