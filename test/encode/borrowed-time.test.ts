// The time of a line that has none: of the nearest line before it that has one, else of the next
// one, else the file's.

import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { Segment, Source } from '../../src/encode/drain-task.ts';
import { drainHere, fallbackTime, openFiles, plainSource } from './drain-bench.ts';
import { cpuMsOf } from '../support/own-time.ts';

const t = '2024-03-05T14:07:21Z';
const later = '2024-03-05T14:07:22Z';
const cri = `${t} stdout F one\n`;

type Setup = Partial<Omit<Source, 'segments'>> & { readonly segment?: Partial<Segment> };

/** The entries of one file, which has ended unless `segment` says something else. */
function drain(content: string | Buffer, { segment, ...source }: Setup = {}) {
  const files = openFiles([content]);
  const segments = files.segments(segment);
  const { result, entries } = drainHere([{ ...plainSource, ...source, segments }]);
  files.close();
  const list = entries.map((text) => JSON.parse(text) as { timestamp: string; insertId: string });
  const times = list.map(({ timestamp }) => timestamp);
  return { list, times, consumed: result.sources[0]!.consumed[0] };
}

const growing = { ended: false };
const docker = (log: string, time: string) =>
  `${JSON.stringify({ log: `${log}\n`, stream: 'stdout', time })}\n`;

describe('a line without a time', () => {
  test('has that of the line before it, wherever the task begins', () => {
    const log = `${cri}garbage\nmore\n${later} stdout F two\nlast\n`;
    const atOnce = drain(log).list;
    expect(atOnce.map((one) => one.timestamp)).toEqual([t, t, t, later, later]);
    for (const start of [cri.length, cri.length + 8, log.length - 5]) {
      const { list } = drain(log, { segment: { start } });
      expect(list).toEqual(atOnce.slice(-list.length));
    }
  });

  test.each([
    ['an empty line', '\n'],
    ['a banner', 'Welcome to 1.2\n'],
    ['several lines', '\n\n  ___\n |___|\nstarting at 12:00\n'],
    ['a hole and a line', `${'\0'.repeat(64)}half a line\n`],
    ['a line that a hole tore', `05T14:07:20Z stdout F x${'\0'.repeat(100)}`],
    ['100 KiB', `${'banner '.repeat(14_000)}\n`],
  ])('has that of the next one at the beginning of a file: %s', (_name, first) => {
    const log = `${first}${t} stdout F one\n${later} stdout F two\n`;
    const { times, list } = drain(log);
    expect(times).toEqual([...Array(times.length - 2).fill(t), t, later]);
    // And wherever the task begins.
    for (let start = 1; start < first.length && start < 200; start++) {
      if (first[start - 1] !== '\n') continue;
      const part = drain(log, { segment: { start } });
      expect(part.list).toEqual(list.slice(-part.list.length));
    }
  });

  test("has that of the next one in docker's format", () => {
    const log = `\ngarbage\n${docker('one', t)}more\n${docker('two', later)}`;
    const { times, list } = drain(log, { format: 'docker' });
    expect(times).toEqual([t, t, t, t, later]);
    for (const start of [1, 9, 9 + docker('one', t).length]) {
      const part = drain(log, { format: 'docker', segment: { start } });
      expect(part.list).toEqual(list.slice(-part.list.length));
    }
  });

  test('waits for it while it is not written, and is not read before', () => {
    for (const log of ['\n', '\nbanner\n', '\n2024-03-05T14:07:21Z stdo', '\nno time at all']) {
      expect(drain(log, { segment: growing })).toMatchObject({ list: [], consumed: 0 });
    }
    // Its header is enough.
    const { times, consumed } = drain(`\nx\n${t} stdout F on`, { segment: growing });
    expect({ times, consumed }).toEqual({ times: [t, t], consumed: 3 });
    // What has a time does not wait for what follows.
    expect(drain(`${cri}\n`, { segment: growing }).times).toEqual([t, t]);
  });

  test('has that of the next one beyond what its task may read', () => {
    expect(drain(`\n${cri}`, { segment: { ...growing, end: 1 } }).times).toEqual([t]);
  });

  test("has the file's when no line has one: at its end, after the wait, and far from one", () => {
    expect(drain('\nbanner\n').times).toEqual([fallbackTime, fallbackTime]);
    const waited = drain('\nbanner\n', { flushFirst: true, ended: false, segment: growing });
    expect(waited.times).toEqual([fallbackTime, fallbackTime]);
    const far = `first\n${`${'y'.repeat(limits.lookAheadBytes)}\n`.repeat(2)}${cri}`;
    expect(drain(far).times).toEqual([fallbackTime, t, t, t]);
    // It does not wait for what is too far away.
    expect(drain(far + cri.repeat(5), { segment: growing }).times[0]).toBe(fallbackTime);
    const log = `${cri}${'g'.repeat(limits.lookBackBytes)}\nlast\n`;
    expect(drain(log).times).toEqual([t, t, fallbackTime]);
  });

  test('is found in linear time, however many ask', () => {
    const cpuMs = cpuMsOf(() => {
      const { times } = drain('no time\n'.repeat(100_000));
      expect(times.length).toBeGreaterThan(10_000);
    });
    expect(cpuMs).toBeLessThan(5_000);
  });
});
