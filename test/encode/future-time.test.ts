// A time that the API would refuse, because it is more than a day ahead: the clock of the node was
// wrong, or a program wrote nonsense. The entry gets a time that is accepted, and keeps the other.

import { describe, expect, test } from 'vitest';

import { insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { drainHere, idPrefix, openFiles, plainSource } from './drain-bench.ts';
import type { Source } from '../../src/encode/drain-task.ts';

const now = '2026-03-05T14:07:21.500Z';
const dayLater = '2026-03-06T14:07:21.5Z';
const past = '2026-03-05T14:07:20Z';
const original = 'tailship.dev/original-time';

type ReadEntry = {
  readonly timestamp: string;
  readonly insertId: string;
  readonly labels: Readonly<Record<string, string>>;
};

/** The entries of a log, which are the same with the kernel and without it. */
function drain(log: string, { at = now, ...more }: Partial<Source> & { at?: string } = {}) {
  const files = openFiles([log]);
  const sources = [{ ...plainSource, ...more, segments: files.segments() }];
  const run = { at: Date.parse(at) };
  const fast = drainHere(sources, run).entries;
  expect(drainHere(sources, { ...run, useKernel: false }).entries).toEqual(fast);
  files.close();
  return fast.map((text) => JSON.parse(text) as ReadEntry);
}

/** What the last line of a log gets. */
function timeOf(log: string, more: Partial<Source> = {}) {
  const { timestamp, labels } = drain(log, more).at(-1)!;
  return { timestamp, [original]: labels[original] };
}

describe('the time of a line that is more than a day ahead', () => {
  test.each([
    ['text', 'tomorrow'],
    ['JSON', '{"message":"m","k":1}'],
    ['klog', 'I0305 14:07:21.103990       1 server.go:412] m'],
  ])('is that of reading, with the original in a label: %s', (_name, content) => {
    for (const time of [
      '2099-01-01T00:00:00Z',
      '2026-03-06T14:07:21.500000001Z',
      '2026-03-07T04:07:21.6+14:00',
      '2026-03-06T02:07:21.6-12:00',
      '9998-12-31T23:59:59.999999999Z',
    ]) {
      expect(timeOf(`${time} stdout F ${content}\n`)).toEqual({
        timestamp: '2026-03-05T14:07:21.5Z',
        [original]: time,
      });
    }
  });

  test.each([
    past,
    '2026-03-05T14:07:21.6Z',
    dayLater,
    '2026-03-07T04:07:21.5+14:00',
    '2026-03-06T02:07:21.5-12:00',
    '1970-01-01T00:00:00Z',
  ])('is its own when the API takes it: %s', (time) => {
    expect(timeOf(`${time} stdout F text\n`)).toEqual({ timestamp: time, [original]: undefined });
  });

  test('does not change its insertId, whenever it is read', () => {
    const log = `${past} stdout F a\n2099-01-01T00:00:00Z stdout F b\n`;
    const ids = [now, '2026-03-07T00:00:00Z'].map((at) => drain(log, { at }).at(-1)?.insertId);
    expect(ids).toEqual(Array(2).fill(insertIdOf(idPrefix, log.indexOf('2099'))));
  });

  test('is that of reading for joined lines, and for text that takes its time from it', () => {
    const ahead = '2099-01-01T00:00:00Z';
    const wanted = { timestamp: '2026-03-05T14:07:21.5Z', [original]: ahead };
    expect(timeOf(`${ahead} stdout P a\n${past} stdout F b\n`)).toEqual(wanted);
    expect(timeOf(`${ahead} stdout F a\nno CRI\n`)).toEqual(wanted);
  });

  test("is that of reading in docker's format", () => {
    const log = '{"log":"a\\n","stream":"stdout","time":"2099-01-01T00:00:00Z"}\n';
    expect(timeOf(log, { format: 'docker' })).toEqual({
      timestamp: '2026-03-05T14:07:21.5Z',
      [original]: '2099-01-01T00:00:00Z',
    });
  });
});

describe('the time in a record that is more than a day ahead', () => {
  const lineOf = (time: string, own: string) => `${time} stdout F {"time":"${own}","k":1}\n`;

  test('of the line is replaced by the time of the line', () => {
    const own = '2026-03-06T14:07:20.1Z';
    expect(timeOf(lineOf(past, own))).toEqual({ timestamp: past, [original]: own });
  });

  test('of reading, but not of the line, is replaced too', () => {
    const line = '2026-03-05T20:00:00Z';
    const own = '2026-03-06T14:07:21.6Z';
    expect(timeOf(lineOf(line, own))).toEqual({ timestamp: line, [original]: own });
    expect(timeOf(lineOf(line, dayLater))).toEqual({
      timestamp: dayLater,
      [original]: undefined,
    });
    const early = '2026-03-06T00:30:00Z';
    const late = '2026-03-06T23:30:00Z';
    expect(timeOf(lineOf(early, late))).toEqual({ timestamp: early, [original]: late });
  });

  test('gives way to the time of reading when the line is as far ahead', () => {
    const own = '2099-01-01T00:00:01Z';
    expect(timeOf(lineOf('2099-01-01T00:00:00Z', own))).toEqual({
      timestamp: '2026-03-05T14:07:21.5Z',
      [original]: own,
    });
    expect(timeOf(lineOf('2099-01-01T00:00:00Z', past))).toEqual({
      timestamp: past,
      [original]: undefined,
    });
  });
});
