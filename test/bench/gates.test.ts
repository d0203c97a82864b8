// A gate that cannot break, or that a missing peer slips through, is worse than none.

import { expect, test } from 'vitest';
import type { CatchUpRow } from '../../bench/catch-up.ts';
import { judgeGates } from '../../bench/gates.ts';
import type { LiveRow } from '../../bench/live.ts';

const rows = {
  catchUpRows: [{ kind: 'text', peer: 'tailship', ratios: { curl: 4.5 } } as unknown as CatchUpRow],
  liveRows: [
    { rate: 20_000, peer: 'tailship', cpuMicrosPerLine: 1 } as LiveRow,
    { rate: 20_000, peer: 'fluentd-tuned', cpuMicrosPerLine: 25 } as LiveRow,
  ],
};

test.each([
  ['text:tailship:curl:5', true],
  ['text:tailship:curl:4', false],
  ['text:tailship:fluentd:100', false],
  ['20000:tailship:fluentd-tuned:0.05', true],
  ['20000:tailship:fluentd-tuned:0.03', false],
  ['20000:tailship:rsyslog:100', false],
])('`judgeGates()` judges %s as kept: %s', (gate, isKept) => {
  expect(judgeGates([gate], rows).map((verdict) => verdict.isKept)).toEqual([isKept]);
});

test('`judgeGates()` leaves the gates of other scenarios alone', () => {
  expect(judgeGates(['json:tailship:curl:5', '2000:tailship:fluentd:1'], rows)).toEqual([]);
});
