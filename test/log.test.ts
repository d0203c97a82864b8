import { describe, expect, test } from 'vitest';
import { limits } from '../src/config.ts';
import { createLog, type Log, type LogLevel } from '../src/log.ts';

type Entry = Record<string, unknown>;

function openLog(level: LogLevel = 'info') {
  const lines: string[] = [];
  const clock = { nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const write = (line: string): number => lines.push(line);
  const log: Log = createLog({ level, write, nowMs: () => clock.nowMs });
  const entries = (): Entry[] => lines.map((line) => JSON.parse(line) as Entry);
  return { log, clock, lines, entries };
}

describe('createLog()', () => {
  test("writes Cloud Logging's severity, time and message, then code and fields", () => {
    const { log, lines } = openLog();
    log.warn('SHIP_TIMEOUT', 'no answer', { attempt: 3, host: undefined });
    expect(lines).toEqual([
      '{"severity":"WARNING","time":"2026-01-02T03:04:05.678Z","message":"no answer","code":"SHIP_TIMEOUT","attempt":3}',
    ]);
  });

  test.each<[LogLevel, string[]]>([
    ['debug', ['DEBUG', 'INFO', 'WARNING', 'ERROR']],
    ['info', ['INFO', 'WARNING', 'ERROR']],
    ['warn', ['WARNING', 'ERROR']],
    ['error', ['ERROR']],
  ])('at level %s writes %o', (level, severities) => {
    const { log, entries } = openLog(level);
    for (const call of ['debug', 'info', 'warn', 'error'] as const) log[call](undefined, call);
    expect(entries().map(({ severity }) => severity)).toEqual(severities);
  });

  test('lets no field take the place of severity, time or message', () => {
    const { log, entries } = openLog();
    log.info(undefined, 'the message', { message: 'no', severity: 'no', time: 'no', code: 'no' });
    expect(entries()).toEqual([
      { severity: 'INFO', time: '2026-01-02T03:04:05.678Z', message: 'the message' },
    ]);
  });

  test('prints the same code and text once a window, then with the count of those between', () => {
    const { log, clock, entries } = openLog();
    for (let i = 0; i < 100; i += 1) log.error('SHIP_UNREACHABLE', 'ECONNREFUSED');
    expect(entries()).toHaveLength(1);
    clock.nowMs += limits.logWindowMs;
    log.error('SHIP_UNREACHABLE', 'ECONNREFUSED');
    expect(entries().map(({ repeats }) => repeats)).toEqual([undefined, 99]);
  });

  test('prints fewer than ten lines a minute whatever fails, for an hour', () => {
    const { log, clock, entries } = openLog();
    const minutes = 60;
    for (let second = 0; second < minutes * 60; second += 1) {
      for (let i = 0; i < 20; i += 1) {
        log.warn('FILE_UNREADABLE', `file ${(second * 20 + i) % 5_000}`);
        log.error('SHIP_UNAVAILABLE', `503 number ${second}-${i}`);
        log.warn('LINK_REFUSED', 'always the same');
        log.warn(undefined, `without a code ${i}`);
      }
      clock.nowMs += 1_000;
    }
    const perMinute = new Map<string, number>();
    for (const { time } of entries()) {
      const minute = String(time).slice(0, 16);
      perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
    }
    expect(perMinute.size).toBeGreaterThanOrEqual(minutes);
    // The window does not begin with the minute of the clock.
    expect(entries().length / minutes).toBeLessThan(10);
  });

  test('still prints the first line of a new code when the window is full', () => {
    const { log, entries } = openLog();
    for (let i = 0; i < 50; i += 1) {
      log.warn('FILE_UNREADABLE', `file ${i}`);
      log.warn('SHIP_TIMEOUT', `try ${i}`);
      log.warn('LINK_REFUSED', `link ${i}`);
    }
    log.error('STATE_UNWRITABLE', 'ENOSPC');
    expect(entries().length).toBeLessThanOrEqual(limits.logLinesPerWindowMax + 1);
    expect(entries().at(-1)).toMatchObject({ code: 'STATE_UNWRITABLE' });
  });

  test('accounts for every line: printed, repeated or held back', () => {
    const { log, clock, entries } = openLog();
    const total = 5_000;
    for (let i = 0; i < total; i += 1) {
      log.warn('FILE_UNREADABLE', `file ${(i * i) % 700}`);
      clock.nowMs += 50;
    }
    log.flush();
    let counted = 0;
    for (const { code, repeats, FILE_UNREADABLE: heldBack } of entries()) {
      counted += Number(repeats ?? 0) + (code === undefined ? Number(heldBack) : 1);
    }
    expect(counted).toBe(total);
  });

  test('goes on when the clock is set back', () => {
    const { log, clock, entries } = openLog();
    log.error('SHIP_TIMEOUT', 'a');
    clock.nowMs -= 3_600_000;
    log.error('SHIP_TIMEOUT', 'a');
    expect(entries()).toHaveLength(2);
  });

  test('limits neither information nor what is asked for with debug', () => {
    const { log, entries } = openLog('debug');
    for (let i = 0; i < 50; i += 1) log.debug(undefined, 'again');
    expect(entries()).toHaveLength(50);
  });

  test('writes readable lines for a terminal, in which no name can move the cursor', () => {
    const lines: string[] = [];
    const log = createLog({
      level: 'info',
      write: (line) => lines.push(line),
      nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      readable: true,
    });
    log.warn('LINK_REFUSED', 'pod \u001b[2Jevil', { link: 'a.log' });
    expect(lines).toEqual(['03:04:05.678 WARN  LINK_REFUSED: pod ?[2Jevil link=a.log']);
  });
});
