// The drawings are looked at by people; what can be checked by a test is that nothing covers
// anything and that every number is one.

import { expect, test } from 'vitest';
import { drawBars, drawCurves, spreadLabels } from '../../bench/chart.ts';

test('`spreadLabels()` keeps a gap between all and moves none below the lowest', () => {
  const placed = spreadLabels([300, 299, 100, 298, 101], 15, 300);
  expect(Math.max(...placed)).toBe(300);
  const sorted = placed.toSorted((a, b) => a - b);
  for (const [index, y] of sorted.slice(1).entries()) {
    expect(y - (sorted[index] ?? 0)).toBeGreaterThanOrEqual(15);
  }
  expect(placed.indexOf(Math.max(...placed))).toBe(0);
});

test('the drawings hold every label and no number that is none', () => {
  const bars = drawBars('cost of a line', 'µs', [
    { label: 'tailship', value: 0.5, isOurs: true },
    { label: 'a<b', value: 500, isOurs: false },
  ]);
  const curves = drawCurves('cores', [
    { label: 'tailship', isOurs: true, points: [{ x: 2_000, y: 0.006 }] },
    { label: 'other', isOurs: false, points: [{ x: 2_000, y: 1 }] },
  ]);
  for (const svg of [bars, curves]) expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(bars).toContain('a&lt;b');
  expect(bars).toContain('1000 ×');
  expect(curves).toContain('>other<');
});
