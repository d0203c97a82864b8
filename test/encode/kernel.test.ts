// The kernel against the reference encoder: whatever the bytes, the drain with the kernel writes
// what the drain without it writes.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { countSeverities, drainBoth, drainHere, openFiles, plainSource } from './drain-bench.ts';
import { generateLog, seededRandom } from './line-generator.ts';

const seed = Number(process.env['TAILSHIP_SEED'] ?? Date.now() % 1_000_000);
const cases = path.join(import.meta.dirname, 'fuzz-cases');

function expectSame(content: Buffer, readBytes?: number): void {
  const { fast, slow, severities } = drainBoth(content, readBytes);
  for (const [index, entry] of slow.entries()) expect(fast[index]).toBe(entry);
  expect(fast.length).toBe(slow.length);
  expect(severities).toEqual({ fast: countSeverities(slow), slow: countSeverities(slow) });
}

describe('the kernel', () => {
  test(`writes what the reference writes for random lines, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 300; round++) {
      expectSame(generateLog(random, 60).bytes, random.pick([300, 4_096, 128 * 1024]));
    }
  });

  test('leaves records to the reference whose labels may be the source’s too', () => {
    const labels = '"logging.googleapis.com/labels":{"team":"own"}';
    const line = `2024-03-05T14:07:21Z stdout F {"a":1,${labels}}\n`;
    const files = openFiles([line]);
    const source = { ...plainSource, segments: files.segments(), labels: '"team":"agent"' };
    const { entries, result } = drainHere([source]);
    files.close();
    expect(JSON.parse(entries[0]!)).toMatchObject({ labels: { team: 'own' } });
    expect(entries[0]).not.toContain('agent');
    expect(result.sources[0]?.fastLines).toBe(0);
  });

  test('writes what the reference writes for every case that the fuzzer found', () => {
    const names = readdirSync(cases).filter((name) => name.endsWith('.log'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expectSame(readFileSync(path.join(cases, name)));
  });
});
