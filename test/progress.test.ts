import { describe, expect, test } from 'vitest';
import { createCatchUp } from '../src/status/catch-up.ts';
import { createProgress } from '../src/progress.ts';

function start(isTerminal: boolean) {
  let atMs = 0;
  const lines: string[] = [];
  const screens: string[] = [];
  const progress = createProgress({
    name: 'shipping',
    writeLine: (line) => lines.push(line),
    ...(isTerminal && { writeTerminal: (text: string) => void screens.push(text) }),
    nowMs: () => atMs,
  });
  const at = (ms: number, done: number, left: number): void => {
    atMs = ms;
    progress.update(done, left);
  };
  return { lines, screens, progress, at };
}

describe('createProgress()', () => {
  test('writes a line each ten seconds where there is no terminal', () => {
    const { lines, at } = start(false);
    for (let second = 0; second <= 25; second += 1) {
      at(second * 1_000, second * 4e6, 100e6 - second * 4e6);
    }
    expect(lines).toEqual([
      'shipping  40 %  40 MB of 100 MB  4.0 MB/s  15 s left',
      'shipping  80 %  80 MB of 100 MB  4.0 MB/s  5.0 s left',
    ]);
  });

  test('draws one line again and again on a terminal, and takes it away', () => {
    const { lines, screens, progress, at } = start(true);
    for (let ms = 0; ms <= 1_000; ms += 50) at(ms, ms * 1_000, 1e6 - ms * 1_000);
    progress.end();
    expect(lines).toEqual([]);
    expect(screens).toHaveLength(5);
    expect(screens[0]).toBe('\r\u001b[2Kshipping  25 %  250 kB of 1.0 MB  1.0 MB/s  0.8 s left\r');
    expect(screens.at(-1)).toBe('\r\u001b[2K');
  });

  test('takes the rate since the start for work in steps, and says how long one takes', () => {
    const lines: string[] = [];
    let atMs = 0;
    const writeLine = (line: string) => void lines.push(line);
    const progress = createProgress({
      name: 'live',
      unit: 'count',
      rate: 'whole',
      writeLine,
      nowMs: () => atMs,
    });
    for (const [ms, done] of [
      [0, 0],
      [40_000, 1],
      [60_000, 1],
      [120_000, 4],
    ] as const) {
      atMs = ms;
      progress.update(done, 12 - done);
    }
    expect(lines).toEqual([
      'live  8 %  1 of 12  40 s each  7 m 20 s left',
      'live  8 %  1 of 12  1 m each  11 m left',
      'live  33 %  4 of 12  30 s each  4 m left',
    ]);
  });

  test('claims no time when nothing moves, and 100 % only at the end', () => {
    const { lines, at } = start(false);
    at(0, 0, 10);
    at(10_000, 0, 1_000_000);
    at(20_000, 999_999, 1);
    at(30_000, 1_000_000, 0);
    expect(lines[0]).toContain('time left unknown');
    expect(lines[1]).toContain(' 99 % ');
    expect(lines[2]).toMatch(/ 100 % .* done$/);
  });
});

describe('createCatchUp()', () => {
  function startCatchUp() {
    const lines: string[] = [];
    const catchUp = createCatchUp({ writeLine: (line) => lines.push(line) });
    let readCount = 0;
    const tick = (doneBytes: number, leftBytes: number): void =>
      catchUp(() => {
        readCount += 1;
        return { doneBytes, leftBytes };
      });
    return { lines, tick, readCount: () => readCount };
  }

  test('reports the beginning and the end of it', () => {
    const { lines, tick, readCount } = startCatchUp();
    tick(0, 500e6);
    tick(300e6, 200e6);
    tick(499.9e6, 100);
    tick(700e6, 400e6);
    expect(lines).toEqual([
      'catching up: 500 MB were written while no agent ran',
      'caught up: 500 MB shipped',
    ]);
    expect(readCount()).toBe(3);
  });

  test('says nothing where there is little to catch up with, then or later', () => {
    const { lines, tick, readCount } = startCatchUp();
    tick(0, 1e6);
    tick(0, 500e6);
    expect(lines).toEqual([]);
    expect(readCount()).toBe(1);
  });
});
