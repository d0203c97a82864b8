// What the drain does where something is missing: the end of a record, of a line, of a file, of the
// body's room.

import { closeSync, openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { Segment, Source } from '../../src/encode/drain-task.ts';
import { incompleteInsertId, insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { countSeverities, drainHere, idPrefix, openFiles, plainSource } from './drain-bench.ts';

const t = '2024-03-05T14:07:21Z';
const later = '2024-03-05T14:07:22Z';

type ReadEntry = {
  readonly textPayload?: string;
  readonly timestamp: string;
  readonly severity?: string;
  readonly insertId: string;
  readonly labels?: Readonly<Record<string, string>>;
};

type Setup = Partial<Omit<Source, 'segments'>> & { readonly segment?: Partial<Segment> };

/** Drains files in one task, parsed; the last file may still grow unless `ended`. */
function drain(contents: readonly (string | Buffer)[], setup: Setup = {}) {
  const { segment, ...source } = setup;
  const files = openFiles(contents);
  const segments = files
    .segments(segment)
    .map((one, index) => ({ ...one, ended: index < contents.length - 1 || setup.ended === true }));
  const drained = drainHere([{ ...plainSource, ended: false, ...source, segments }]);
  files.close();
  // Whatever was taken back, the counts are those of the body.
  expect(drained.result.sources[0]?.severities).toEqual(countSeverities(drained.entries));
  const entries = drained.entries.map((text) => JSON.parse(text) as ReadEntry);
  return {
    ...drained.result.sources[0]!,
    list: entries,
    texts: entries.map((one) => one.textPayload),
  };
}

describe('a record without its end', () => {
  const begin = `${t} stdout F one\n`;
  const open = `${begin}${t} stdout P par\n${t} stderr F two\n`;

  test('has one id, whether it is flushed first or its file has ended by then', () => {
    const line = `${t} stdout P par\n`;
    const flushed = drain([line], { flushFirst: true });
    const over = drain([line], { ended: true });
    expect(over.texts).toEqual(['par']);
    expect(over.list[0]?.labels).not.toHaveProperty('tailship.dev/incomplete');
    expect(over.list[0]?.insertId).toBe(flushed.list[0]?.insertId);
    expect(over.list[0]?.insertId).not.toBe(insertIdOf(idPrefix, 0));
  });

  test('has one id as a stack trace, too', () => {
    const trace = `${t} stderr F Error: no\n${t} stderr F     at run (a.js:1:2)\n`;
    const ids = [{ flushFirst: true }, { ended: true }].map((setup) =>
      drain([trace], { ...setup, joinStackTraces: true }).list.map((one) => one.insertId),
    );
    expect(ids[0]).toHaveLength(1);
    expect(ids[1]).toEqual(ids[0]);
  });

  test('is not consumed, nor is what follows it', () => {
    const { texts, consumed, lines } = drain([open]);
    expect(texts).toEqual(['one']);
    expect(consumed).toEqual([begin.length]);
    expect(lines).toBe(1);
  });

  test('is whole in the task that sees its end, with the time and id of its beginning', () => {
    const { list, consumed } = drain([`${open}${later} stdout F tial\n`]);
    expect(list.map((one) => one.textPayload)).toEqual(['one', 'two', 'partial']);
    expect(list[2]).toMatchObject({ timestamp: t, insertId: insertIdOf(idPrefix, begin.length) });
    expect(consumed).toEqual([open.length + `${later} stdout F tial\n`.length]);
  });

  test('goes on in the next file', () => {
    const { list, consumed } = drain([open, `${later} stdout F tial\n`]);
    expect(list.map((one) => one.textPayload)).toEqual(['one', 'two', 'partial']);
    expect(list[2]?.insertId).toBe(insertIdOf(idPrefix, begin.length));
    expect(consumed).toEqual([open.length, `${later} stdout F tial\n`.length]);
  });

  test('keeps the next file from being consumed too', () => {
    const { texts, consumed } = drain([open, `${later} stderr F three\n`]);
    expect(texts).toEqual(['one']);
    expect(consumed).toEqual([begin.length, 0]);
  });

  test('is flushed as it is when the container has ended', () => {
    const { list, consumed } = drain([open], { ended: true });
    expect(list.map((one) => one.textPayload)).toEqual(['one', 'two', 'par']);
    expect(list[2]?.labels).not.toHaveProperty('tailship.dev/incomplete');
    expect(list[2]?.insertId).toBe(incompleteInsertId(insertIdOf(idPrefix, begin.length), 3));
    expect(consumed).toEqual([open.length]);
  });

  test('is flushed with a mark and an id of its own when it comes first and has waited', () => {
    const { list, consumed } = drain([open], {
      flushFirst: true,
      segment: { start: begin.length },
    });
    expect(list.map((one) => one.textPayload)).toEqual(['two', 'par']);
    expect(list[1]?.labels).toMatchObject({ 'tailship.dev/incomplete': 'flushed' });
    expect(list[1]?.insertId).not.toBe(insertIdOf(idPrefix, begin.length));
    expect(consumed).toEqual([open.length]);
  });

  test('is not flushed when another record comes first', () => {
    const { texts, consumed } = drain([open], { flushFirst: true });
    expect(texts).toEqual(['one']);
    expect(consumed).toEqual([begin.length]);
  });

  test('takes a record with it that began before and ended after its beginning', () => {
    const overlap = `${t} stderr P a\n${t} stdout P b\n${t} stderr F c\n`;
    const { texts, consumed } = drain([`${begin}${overlap}`]);
    expect(texts).toEqual(['one']);
    expect(consumed).toEqual([begin.length]);
  });

  test('is cut when lines of the other stream fill the body before its end', () => {
    const filler = `${t} stderr F ${'x'.repeat(10_000)}\n`.repeat(350);
    const { list, consumed, more } = drain([`${t} stdout P first\n${filler}`]);
    expect(list.at(-1)).toMatchObject({
      textPayload: 'first',
      labels: { 'tailship.dev/incomplete': 'cut' },
    });
    expect(consumed[0]).toBeGreaterThan(limits.batchBytesSoftMax * 0.9);
    expect(more).toBe(true);
  });
});

describe('a tag that ends its line', () => {
  // conmon closes a write without a newline like that (containers/conmon#629, podman#28014).
  test.each(['stdout', 'stderr'])('ends or continues a record of %s', (stream) => {
    for (const [partial, full] of [
      ['P', 'F'],
      ['P:x', 'F:y:z'],
      ['P', 'F\r'],
    ]) {
      const log =
        `${t} ${stream} P ho\n${t} ${stream} ${partial}\n${t} ${stream} P la\n` +
        `${later} ${stream} ${full}\n${later} ${stream} F next line\n`;
      const { texts, malformedLines } = drain([log]);
      expect({ texts, malformedLines }).toEqual({
        texts: ['hola', 'next line'],
        malformedLines: 0,
      });
    }
  });

  test('is a line at the end of a file, too', () => {
    const { texts } = drain([`${t} stdout P hola\n${later} stdout F`], { ended: true });
    expect(texts).toEqual(['hola']);
    const dangling = drain([`${t} stdout P hola\n${later} stdout P`, `${later} stdout F ?\n`]);
    expect(dangling.texts).toEqual(['hola?']);
  });
});

describe('a line without a newline', () => {
  const begin = `${t} stdout F one\n`;
  const rest = `${t} stdout F tw`;

  test('waits for its newline', () => {
    const { texts, consumed } = drain([begin + rest]);
    expect(texts).toEqual(['one']);
    expect(consumed).toEqual([begin.length]);
  });

  test('is a line at the end of a file that has ended', () => {
    const { texts, consumed } = drain([begin + rest, begin]);
    expect(texts).toEqual(['one', 'tw', 'one']);
    expect(consumed).toEqual([begin.length + rest.length, begin.length]);
  });

  test.each([
    { name: 'a whole record', format: 'cri', content: `${t} stdout F tw` },
    { name: 'a partial one', format: 'cri', content: `${t} stdout P tw` },
    { name: 'no record', format: 'cri', content: 'tw' },
    { name: 'a line of a raw file', format: 'raw', content: 'tw' },
    { name: 'a line of a raw file with a return', format: 'raw', content: 'tw\r' },
  ] as const)('has one id, flushed or at the end of its file: $name', ({ format, content }) => {
    const flushed = drain([content], { format, flushFirst: true });
    const over = drain([content], { format, ended: true });
    const rotated = drain([content, ''], { format, ended: true });
    expect(flushed.list).toHaveLength(1);
    for (const { list } of [over, rotated]) {
      expect(list.map((one) => one.insertId)).toEqual([flushed.list[0]?.insertId]);
      expect(list.map((one) => one.textPayload)).toEqual([flushed.list[0]?.textPayload]);
    }
  });

  test('is flushed when it comes first and has waited; its rest is text', () => {
    const flushed = drain([begin + rest], { flushFirst: true, segment: { start: begin.length } });
    expect(flushed.list).toMatchObject([
      { textPayload: 'tw', labels: { 'tailship.dev/incomplete': 'flushed' } },
    ]);
    const start = flushed.consumed[0]!;
    const next = drain([`${begin}${rest}o\n${begin}`], { segment: { start } });
    expect(next.texts).toEqual(['o', 'one']);
    expect(next.list[0]).toMatchObject({ insertId: insertIdOf(idPrefix, start), timestamp: t });
    expect(next.list[0]?.severity).toBeUndefined();
  });
});

describe('a line that is too long', () => {
  const header = `${t} stdout F `;
  const long = `${header}${'a'.repeat(limits.lineBytesMax + 500)}`;

  test('is cut to parts that together are the line', () => {
    const { list, consumed, lines } = drain([`${long}\n${header}next\n`], { ended: true });
    const text = list.map((one) => one.textPayload ?? '').join('');
    expect(text === `${long.slice(header.length)}next`).toBe(true);
    expect(consumed).toEqual([long.length + 1 + header.length + 5]);
    expect(lines).toBe(2);
    expect(new Set(list.map((one) => one.insertId)).size).toBe(list.length);
  });

  test('is cut at the same places whatever a task sees of it', () => {
    const log = `${long}\n${header}next\n`;
    const whole = drain([log], { ended: true });
    const parts: ReadEntry[] = [];
    let start = 0;
    const spans = [limits.lineBytesMax + 100, 7, 300, long.length];
    for (const bytes of spans) {
      const end = Math.min(log.length, start + bytes);
      const { list, consumed } = drain([log], { segment: { start, end } });
      parts.push(...list);
      start = consumed[0]!;
    }
    expect(start).toBe(log.length);
    expect(parts).toEqual(whole.list);
  });

  test('is not cut inside a character', () => {
    const content = 'ж'.repeat(limits.lineBytesMax / 2 + 100);
    for (const before of ['', 'x']) {
      const { list } = drain([`${header}${before}${content}\n`], { ended: true });
      const text = list.map((one) => one.textPayload).join('');
      expect(text === before + content).toBe(true);
    }
  });

  test('of partial lines is cut at a line', () => {
    const part = 'p'.repeat(300_000);
    const partial = `${t} stdout P ${part}\n`;
    const { list, consumed } = drain([`${partial.repeat(5)}${t} stdout F end\n`]);
    const text = list.map((one) => one.textPayload ?? '').join('');
    expect(text === `${part.repeat(5)}end`).toBe(true);
    const marks = list.map((one) => one.labels?.['tailship.dev/incomplete']);
    expect(marks[0]).toBe('cut');
    expect(marks.at(-1)).toBeUndefined();
    expect(consumed).toEqual([partial.length * 5 + `${t} stdout F end\n`.length]);
  });
});

describe('a file', () => {
  const line = `${t} stdout F one\n`;

  test('that is shorter than its span ends where it ends', () => {
    const short = drain([line], { segment: { end: 10_000 } });
    expect(short).toMatchObject({ consumed: [line.length], texts: ['one'], more: false });
    const gone = drain([line], { segment: { start: 500, end: 10_000 } });
    expect(gone).toMatchObject({ consumed: [500], texts: [], readError: undefined });
  });

  test('that cannot be read says why, and what was read before it counts', () => {
    const files = openFiles([line]);
    const [segment] = files.segments();
    const folder = openSync('.', 'r');
    const segments = [segment!, { ...segment!, fd: folder, end: 100 }];
    const { result, entries } = drainHere([{ ...plainSource, segments }]);
    closeSync(folder);
    files.close();
    expect(entries.length).toBe(1);
    expect(result.sources[0]).toMatchObject({ consumed: [line.length, 0], readError: 'EISDIR' });
  });
});

describe('a full body', () => {
  test('ends where the source and the ones after it go on', () => {
    const line = `${t} stdout F ${'x'.repeat(1_000)}\n`;
    const files = openFiles([line.repeat(3_000), line]);
    const [big, small] = files.segments();
    const [first, second] = [[big!], [small!]].map((segments) => ({ ...plainSource, segments }));
    const { result, entries } = drainHere([first!, second!]);
    files.close();
    expect(result.bodyBytes).toBeGreaterThanOrEqual(limits.batchBytesSoftMax);
    expect(result.bodyBytes).toBeLessThan(limits.batchBytesSoftMax + 2_000);
    expect(result.sources[0]).toMatchObject({
      consumed: [entries.length * line.length],
      more: true,
    });
    expect(result.sources[1]).toMatchObject({ consumed: [0], more: true, entries: 0 });
  });

  test('has room for the longest record, each byte of it escaped as six', () => {
    const record = `${t} stdout F ${'\u0001'.repeat(limits.lineBytesMax - 100)}\n`;
    const { list, consumed } = drain([record.repeat(2)], { ended: true });
    expect(consumed[0]).toBeGreaterThanOrEqual(record.length);
    expect(list.length).toBeGreaterThan(1);
  });

  test('of nothing is empty', () => {
    expect(drain(['']).texts).toEqual([]);
    expect(drainHere([]).result).toMatchObject({ bodyBytes: 0, entries: 0, sources: [] });
  });
});
