import { describe, expect, test } from 'vitest';

import { insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { isKept } from '../../src/encode/rules/sampling.ts';

const idPrefix = '0123456789abcdefghijkl';
const count = 20_000;

function keptOf(share: number, lineBytes: number): number[] {
  return Array.from({ length: count }, (_, index) => index).filter((index) =>
    isKept(insertIdOf(idPrefix, index * lineBytes), share),
  );
}

describe('isKept()', () => {
  test.each([1, 2, 64, 200, 230, 4_096])('keeps the share of lines of %i bytes', (lineBytes) => {
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      const deviation = Math.sqrt(count * share * (1 - share));
      expect(Math.abs(keptOf(share, lineBytes).length - count * share)).toBeLessThan(5 * deviation);
    }
  });

  test('keeps none, or all', () => {
    expect(keptOf(0, 200)).toEqual([]);
    expect(keptOf(1, 200).length).toBe(count);
  });

  test('keeps with a larger share what a smaller one keeps', () => {
    const more = new Set(keptOf(0.3, 200));
    expect(keptOf(0.2, 200).every((index) => more.has(index))).toBe(true);
  });

  test('takes no turns: every second line is not what half of them are', () => {
    const kept = keptOf(0.5, 200);
    const neighbours = kept.filter((index, at) => kept[at + 1] === index + 1).length;
    expect(neighbours / count).toBeGreaterThan(0.22);
    expect(neighbours / count).toBeLessThan(0.28);
  });
});
