// Zeros where lines should begin: what a power loss leaves (moby#53631, moby#40584, fluentd#3351),
// and copytruncate before a program that does not append.

import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { Segment, Source } from '../../src/encode/drain-task.ts';
import { insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { drainHere, idPrefix, openFiles, plainSource } from './drain-bench.ts';

const t = '2024-03-05T14:07:21Z';
const good = `${t} stdout F good\n`;
const critical = '{"severity":"CRITICAL","message":"after the gap"}';
const after = `${t} stderr F ${critical}\n`;
const zeros = (count: number) => '\0'.repeat(count);
const sizes = [1, 15, 16, 64, 4_096, 4_097, limits.readBytes, 3 * 1024 * 1024, 9 * 1024 * 1024];

type ReadEntry = {
  readonly textPayload?: string;
  readonly severity?: string;
  readonly timestamp: string;
  readonly insertId: string;
  readonly logName: string;
};

type Setup = Partial<Omit<Source, 'segments'>> & { readonly segment?: Partial<Segment> };

function drain(content: string, { segment, ...source }: Setup = {}) {
  const files = openFiles([content]);
  const segments = files.segments(segment);
  const sources = [{ ...plainSource, ...source, segments }];
  const { result, entries } = drainHere(sources);
  expect(drainHere(sources, { useKernel: false }).entries).toEqual(entries);
  files.close();
  const list = entries.map((text) => JSON.parse(text) as ReadEntry);
  const { holeBytes, malformedLines, lines, consumed, more } = result.sources[0]!;
  return {
    list,
    texts: list.map(({ textPayload }) => textPayload),
    counts: { holeBytes, malformedLines, lines },
    consumed: consumed[0]!,
    more,
  };
}

/** Drains a file that still grows, `spanBytes` at a time, to where nothing more comes. */
function drainInSpans(content: string, spanBytes: number, setup: Setup = {}) {
  const texts: (string | undefined)[] = [];
  let [start, holeBytes] = [0, 0];
  for (let span = spanBytes; ;) {
    const end = Math.min(content.length, start + span);
    const part = drain(content, { ...setup, segment: { start, end, ended: false } });
    texts.push(...part.texts);
    holeBytes += part.counts.holeBytes ?? 0;
    if (part.consumed === start && end === content.length) return { texts, holeBytes, start };
    // What waits for its end is given more.
    span = part.consumed === start ? span * 2 : spanBytes;
    start = part.consumed;
  }
}

describe('a hole', () => {
  test.each(sizes)('of %i zeros before a good line is no entry, and is counted', (size) => {
    const hole = zeros(size);
    for (const before of ['', good, `${t} stdout P first half, \n`]) {
      const { list, counts, consumed } = drain(before + hole + after);
      const last = list.find(({ severity }) => severity === 'CRITICAL');
      expect(last).toMatchObject({
        textPayload: 'after the gap',
        logName: 'e',
        timestamp: t,
        insertId: insertIdOf(idPrefix, before.length + size),
      });
      expect(list).toHaveLength(before === '' ? 1 : 2);
      const lines = before === '' ? 1 : 2;
      expect(counts).toEqual({ holeBytes: size, malformedLines: 0, lines });
      expect(consumed).toBe(before.length + size + after.length);
    }
  });

  test.each(sizes)("of %i zeros is skipped in docker's format and in raw files, too", (size) => {
    const line = `${JSON.stringify({ log: 'x\n', stream: 'stderr', time: t })}\n`;
    const docker = drain(line + zeros(size) + line, { format: 'docker' });
    expect(docker.texts).toEqual(['x', 'x']);
    expect(docker.counts).toEqual({ holeBytes: size, malformedLines: 0, lines: 2 });
    const raw = drain(`${zeros(size)}one\n${zeros(size)}two\n`, { format: 'raw' });
    expect(raw.texts).toEqual(['one', 'two']);
    expect(raw.counts).toMatchObject({ holeBytes: 2 * size });
  });

  test('is the same however it is cut, in a file that still grows', () => {
    const log = good + zeros(300_000) + after + zeros(3) + good + zeros(20) + good;
    for (const span of [7_000, 65_536, limits.quantumBytes]) {
      const { texts, holeBytes, start } = drainInSpans(log, span);
      expect(texts).toEqual(['good', 'after the gap', 'good', 'good']);
      expect({ holeBytes, start }).toEqual({ holeBytes: 300_023, start: log.length });
    }
  });

  test('tears the line before it when that is not of its format', () => {
    for (const size of [16, 64, 5_000, 2 * limits.lineBytesMax]) {
      const { texts, counts } = drain(`${good}2024-03-05T14:0${zeros(size)}${after}`);
      expect(texts).toEqual(['good', '2024-03-05T14:0', 'after the gap']);
      expect(counts).toEqual({ holeBytes: size, malformedLines: 1, lines: 3 });
      const half = '{"log":"hal';
      const whole = `${JSON.stringify({ log: 'x\n', stream: 'stderr', time: t })}\n`;
      const docker = drain(half + zeros(size) + whole, { format: 'docker' });
      expect(docker.texts).toEqual([half, 'x']);
    }
  });

  test.each(['\n', '\r\n'])('before the line end %j leaves no line, however it is cut', (end) => {
    for (const size of [1, 64, limits.readBytes - good.length - 1, limits.readBytes]) {
      const log = `${good}${zeros(size)}${end}${after}`;
      expect(drain(log).texts).toEqual(['good', 'after the gap']);
      for (let cut = good.length + size; cut <= good.length + size + end.length; cut += 1) {
        const { texts, holeBytes, start } = drainInSpans(log, cut);
        expect(texts).toEqual(['good', 'after the gap']);
        expect({ holeBytes, start }).toEqual({ holeBytes: size, start: log.length });
      }
    }
    expect(drain(`${good}${zeros(64)}\r`).texts).toEqual(['good']);
    const open = drain(`${good}${zeros(64)}\r`, { segment: { ended: false } });
    const start = open.consumed;
    const flushed = { flushFirst: true, segment: { start, ended: false } };
    expect(drain(`${good}${zeros(64)}\r`, flushed)).toMatchObject({
      texts: [],
      consumed: start + 1,
    });
  });

  test('before the rest of a line leaves that rest', () => {
    const { texts } = drain(`${good}${zeros(64)}rest of a line\n${after}`);
    expect(texts).toEqual(['good', 'rest of a line', 'after the gap']);
  });

  test('is none inside the content of a line', () => {
    const { texts, counts } = drain(`${t} stdout F a${zeros(3)}b\n${t} stdout F ${zeros(2)}\n`);
    expect(texts).toEqual([`a${zeros(3)}b`, zeros(2)]);
    expect(counts.holeBytes).toBeUndefined();
    const few = `${t} stdout F a${zeros(31)}${after}`;
    expect(drain(few).texts).toEqual([few.slice(`${t} stdout F `.length, -1)]);
  });

  test.each([
    ['stdout F', 'half a te', 'half a te'],
    ['stdout F', '{"severity":"INFO","message":"ha', '{"severity":"INFO","message":"ha'],
    ['stdout F', '', ''],
    ['stdout F', `a${zeros(20)}b`, `a${zeros(20)}b`],
    ['stdout F', '"\\', '"\\'],
    // Its end never came: the next F is another record's.
    ['stderr P', 'half of a piece', 'half of a piece'],
    ['stderr P:x', '', ''],
  ])('before a header tears the content of %s %j', (head, content, text) => {
    for (const size of [32, 33, 64, 4_096, limits.readBytes]) {
      const log = `${good}${t} ${head} ${content}${zeros(size)}${after}${good}`;
      const { list, texts, counts } = drain(log);
      expect(texts).toEqual(['good', text, 'after the gap', 'good']);
      expect(list[2]).toMatchObject({
        severity: 'CRITICAL',
        logName: 'e',
        insertId: insertIdOf(idPrefix, log.indexOf(after)),
      });
      expect(counts).toEqual({ holeBytes: size, malformedLines: 0, lines: 4 });
      for (const span of [100, 7_000]) {
        const { texts: cut, holeBytes } = drainInSpans(log, span);
        expect(cut).toEqual(texts);
        expect(holeBytes).toBe(size);
      }
    }
  });

  test('before a header tears klog, a piece that ends, a stack trace and what rules drop', () => {
    const hole = zeros(64);
    const klog = `${t} stderr F I0305 14:07:21.103990       1 a.go:1] hal`;
    expect(drain(`${klog}${hole}${after}`).list).toMatchObject([
      { jsonPayload: { message: 'hal' } },
      { textPayload: 'after the gap' },
    ]);
    const pieces = `${t} stderr P one, \n${t} stderr F tw`;
    expect(drain(pieces + hole + after).texts).toEqual(['one, tw', 'after the gap']);
    const trace = `${t} stderr F java.lang.Exception: x\n${t} stderr F \tat a.B.c(B.ja`;
    const { texts } = drain(trace + hole + after, { joinStackTraces: true });
    expect(texts).toEqual(['java.lang.Exception: x\n\tat a.B.c(B.ja', 'after the gap']);
  });

  test('that is torn off several times leaves as many lines', () => {
    const torn = `${t} stdout F torn${zeros(32)}`;
    const { texts, counts } = drain(torn.repeat(500) + good);
    expect(texts).toEqual([...Array<string>(500).fill('torn'), 'good']);
    expect(counts).toMatchObject({ holeBytes: 16_000, lines: 501 });
  });

  test('gives the time after it to a line without one, wherever the task begins', () => {
    const later = '2024-03-05T14:07:29Z';
    const log = `${t} stdout F torn${zeros(32)}${later} stdout F good\nno time\n`;
    const { list } = drain(log);
    expect(list[2]).toMatchObject({ textPayload: 'no time', timestamp: later });
    const start = log.indexOf('no time');
    expect(drain(log, { segment: { start } }).list).toEqual([list[2]]);
  });

  test('longer than a line ends the line before it, and the next one is good', () => {
    const { texts } = drain(`${t} stdout F hal${zeros(3 * limits.lineBytesMax)}${after}`);
    expect(texts).toEqual(['hal', 'after the gap']);
  });
});

describe('zeros at the end of a file', () => {
  const tail = zeros(50_000);

  test('are left alone while it may grow: its writer may have reserved the place', () => {
    for (const setup of [{}, { flushFirst: true }]) {
      const first = drain(good + tail, { ...setup, segment: { ended: false } });
      expect(first).toMatchObject({ texts: ['good'], consumed: good.length, more: false });
      const again = drain(good + tail, { ...setup, segment: { start: good.length, ended: false } });
      expect(again).toMatchObject({ texts: [], consumed: good.length, more: false });
    }
    const written = drain(good + after + tail, { segment: { start: good.length, ended: false } });
    expect(written.texts).toEqual(['after the gap']);
  });

  test('after a line without its end are none of it', () => {
    const half = `${t} stdout F hal`;
    const begin = drain(half + tail, { segment: { ended: false } });
    expect(begin).toMatchObject({ texts: [], consumed: 0 });
    const flushed = drain(half + tail, { flushFirst: true, segment: { ended: false } });
    expect(flushed).toMatchObject({ texts: ['hal'], consumed: half.length });
    const segment = { start: half.length, ended: false };
    const next = drain(half + tail, { flushFirst: true, segment });
    expect(next).toMatchObject({ texts: [], consumed: half.length });
    const rest = drain(`${half}f\n${after}${tail}`, { segment });
    expect(rest.texts).toEqual(['f', 'after the gap']);
    const ended = drain(half + tail);
    expect(ended.texts).toEqual(['hal']);
    expect(ended.counts.holeBytes).toBe(tail.length);
  });

  test('are a hole when it has ended, also when they are all of it', () => {
    for (const size of sizes) {
      const all = drain(zeros(size));
      expect(all).toMatchObject({ texts: [], consumed: size, counts: { holeBytes: size } });
    }
    expect(drain(good + tail)).toMatchObject({ texts: ['good'], consumed: good.length + 50_000 });
  });
});
