// A gate that cannot break, or that a missing peer slips through, is worse than none.

import { expect, test } from 'vitest';
import { judgeGates, type Rated } from '../../bench/gates.ts';
import { spreadOf } from '../../bench/statistics.ts';

const rows: readonly Rated[] = [
  { place: 'text', peer: 'tailship', ratios: { curl: spreadOf([4.4, 4.5, 4.6]) } },
  { place: '20000', peer: 'tailship', ratios: { 'fluentd-tuned': spreadOf([0.04]) } },
  { place: '20000', peer: 'fluentd-tuned', ratios: { tailship: spreadOf([25]) } },
];

test.each([
  ['text:tailship:curl:5', true],
  ['text:tailship:curl:4', false],
  ['text:tailship:fluentd:100', false],
  ['20000:tailship:fluentd-tuned:0.05', true],
  ['20000:tailship:fluentd-tuned:0.03', false],
  ['20000:tailship:rsyslog:100', false],
  ['20000:tailship:fluentd-tuned:nonsense', false],
])('`judgeGates()` judges %s as kept: %s', (gate, isKept) => {
  expect(judgeGates([gate], rows).map((verdict) => verdict.isKept)).toEqual([isKept]);
});

test('`judgeGates()` leaves the gates of other scenarios alone', () => {
  expect(judgeGates(['json:tailship:curl:5', '2000:tailship:fluentd:1'], rows)).toEqual([]);
});

/** Ratios of rounds, each this part of the true ratio. */
function judge(truth: number, parts: readonly number[]): boolean | undefined {
  const ratios = { base: spreadOf(parts.map((part) => part * truth)) };
  const verdicts = judgeGates(
    ['text:tailship:base:1.08'],
    [{ place: 'text', peer: 'tailship', ratios }],
    0.1,
  );
  return verdicts[0]?.isKept;
}

test('`judgeGates()` sees 10 % in quiet rounds, and in noisy ones does not break without them', () => {
  const quiet = [0.98, 1, 1.01, 1.02, 0.99];
  expect(judge(1, quiet)).toBe(true);
  expect(judge(1.1, quiet)).toBe(false);
  // The host took time away from one half of some rounds.
  const noisy = [0.97, 1, 1.15, 1.3, 1.4, 0.98, 1.12, 1.2, 1];
  expect(judge(1, noisy)).toBe(true);
  expect(judge(1.3, noisy)).toBe(false);
});

test('`judgeGates()` says so when the spread is too wide', () => {
  const ratios = { base: spreadOf([1, 1.5, 2]) };
  const row = { place: 'text', peer: 'tailship', ratios };
  expect(judgeGates(['text:tailship:base:2'], [row], 0.1)[0]?.sentence).toContain('noisy, kept');
});
