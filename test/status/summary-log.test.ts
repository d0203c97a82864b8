import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createSummaryLog } from '../../src/status/summary-log.ts';

function start() {
  let atMs = 0;
  const written: Record<string, unknown>[] = [];
  const log = createLog({
    level: 'info',
    write: (line) => written.push(JSON.parse(line) as Record<string, unknown>),
  });
  const summarize = createSummaryLog(log, () => atMs);
  const tick = (ms: number, lines: number): void => {
    atMs = ms;
    summarize({ lines, bytes: lines * 100, entries: lines, behindBytes: () => 7 });
  };
  return { written, tick };
}

describe('createSummaryLog()', () => {
  test('writes one line a minute, with what came in it', () => {
    const { written, tick } = start();
    for (let second = 1; second <= 150; second += 1) tick(second * 1_000, second * 10);
    expect(written).toHaveLength(2);
    expect(written[1]).toMatchObject({
      severity: 'INFO',
      message: 'shipped 600 lines in 60 s',
      lines: 600,
      bytes: 60_000,
      behindBytes: 7,
    });
  });

  test('is silent about a minute that held hardly more than its own line', () => {
    const { written, tick } = start();
    tick(60_000, 500);
    for (let minute = 2; minute < 10; minute += 1) tick(minute * 60_000, 500 + minute);
    expect(written).toHaveLength(1);
  });
});
