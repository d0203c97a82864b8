// Stack traces that are joined, and files that are not CRI.

import { describe, expect, test } from 'vitest';

import type { Source } from '../../src/encode/drain-task.ts';
import { incompleteInsertId, insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { drainHere, idPrefix, openFiles, plainSource } from './drain-bench.ts';

type ReadEntry = {
  readonly textPayload?: string;
  readonly timestamp: string;
  readonly severity?: string;
  readonly insertId: string;
  readonly labels?: Readonly<Record<string, string>>;
};

function drain(content: string, setup: Partial<Omit<Source, 'segments'>> = {}) {
  const files = openFiles([content]);
  const segments = files.segments({ ended: setup.ended === true });
  const { result, entries } = drainHere([{ ...plainSource, ended: false, ...setup, segments }]);
  files.close();
  const list = entries.map((text) => JSON.parse(text) as ReadEntry);
  return { ...result.sources[0]!, list, texts: list.map((one) => one.textPayload) };
}

function line(text: string, { stream = 'stdout', tag = 'F' } = {}): string {
  return `2024-03-05T14:07:21Z ${stream} ${tag} ${text}\n`;
}

describe('a stack trace', () => {
  const joined = { joinStackTraces: true };
  const first = line('java.lang.IllegalStateException: no');
  const frames = line('\tat a.B.c(B.java:1)') + line('\tat a.B.d(B.java:2)');
  const text = 'java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)';

  test('is one entry of its stream, with the id of its first line', () => {
    const other = line('in between', { stream: 'stderr' });
    const before = line('start');
    const { list, consumed, lines } = drain(before + first + other + frames + line('end'), joined);
    expect(list.map((one) => one.textPayload)).toEqual(['start', 'in between', text, 'end']);
    const id = insertIdOf(idPrefix, before.length);
    expect(list[2]?.insertId).toBe(incompleteInsertId(id, text.length));
    expect(consumed).toEqual([(before + first + other + frames + line('end')).length]);
    expect(lines).toBe(6);
  });

  test('has one id, whether it was flushed or the line after it came', () => {
    const flushed = drain(first + frames, { ...joined, flushFirst: true });
    const followed = drain(first + frames + line('end'), joined);
    expect(followed.texts).toEqual([text, 'end']);
    expect(followed.list[0]?.insertId).toBe(flushed.list[0]?.insertId);
  });

  test('has one id, whether its unfinished last line was flushed or its file has ended', () => {
    const open = `${first}${frames}${line('\tat a.B.e(B.java:3)').slice(0, -1)}`;
    const flushed = drain(open, { ...joined, flushFirst: true });
    const over = drain(open, { ...joined, ended: true });
    expect(flushed.texts).toEqual([text]);
    expect(over.texts).toEqual([text, '\tat a.B.e(B.java:3)']);
    expect(over.list[0]?.insertId).toBe(flushed.list[0]?.insertId);
  });

  test('has one id, whether it was flushed with a partial line or its log has ended', () => {
    const open = `${first}${frames}${line('\tat a.B.e(', { tag: 'P' })}`;
    const flushed = drain(open, { ...joined, flushFirst: true });
    const over = drain(open, { ...joined, ended: true });
    expect([flushed.texts, over.texts]).toEqual([
      [`${text}\n\tat a.B.e(`],
      [`${text}\n\tat a.B.e(`],
    ]);
    expect(over.list[0]?.insertId).toBe(flushed.list[0]?.insertId);
  });

  test('is lines where joining is off', () => {
    expect(drain(first + frames).list.length).toBe(3);
  });

  test('is not consumed while it may go on', () => {
    const before = line('start');
    const { texts, consumed } = drain(before + first + frames, joined);
    expect(texts).toEqual(['start']);
    expect(consumed).toEqual([before.length]);
  });

  test('is flushed at the end of the container, or when it has waited', () => {
    const ended = drain(first + frames, { ...joined, ended: true });
    expect(ended.texts).toEqual([text]);
    const flushed = drain(first + frames, { ...joined, flushFirst: true });
    expect(flushed.texts).toEqual([text]);
    expect(flushed.list[0]?.insertId).not.toBe(insertIdOf(idPrefix, 0));
    expect(ended.list[0]?.insertId).toBe(flushed.list[0]?.insertId);
    expect(flushed.list[0]?.labels).toEqual({ 'k8s-pod/app': 'web' });
  });

  test('ends at once where its language says so', () => {
    const python = [
      'Traceback (most recent call last):',
      '  File "a.py", line 1',
      '    x()',
      'ValueError: no',
    ];
    const { texts, consumed } = drain(python.map((one) => line(one)).join(''), joined);
    expect(texts).toEqual([python.join('\n')]);
    expect(consumed[0]).toBeGreaterThan(0);
  });

  test('takes partial lines too', () => {
    const split =
      line('\tat a.B.c(B.', { tag: 'P' }) + line('java:1)') + line('\tat a.B.d(B.java:2)');
    expect(drain(first + split + line('end'), joined).texts).toEqual([text, 'end']);
    const open = line('\tat a.B.c(B.java:1)', { tag: 'P' });
    expect(drain(first + open, { ...joined, ended: true }).texts).toEqual([
      'java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)',
    ]);
  });

  test('of too many lines is ended', () => {
    const { list } = drain(first + line('\tat x').repeat(2_500) + line('end'), joined);
    expect(list[0]?.textPayload?.split('\n').length).toBe(1_000);
    expect(
      list.map((one) => one.textPayload?.split('\n').length).reduce((sum, count) => sum! + count!),
    ).toBe(2_502);
  });
});

describe('a file of docker', () => {
  const format = 'docker';
  const docker = (log: string, stream = 'stdout') =>
    `${JSON.stringify({ log, stream, time: '2024-03-05T14:07:21.5Z' })}\n`;

  test('is read line by line, partial lines joined', () => {
    const written = [docker('one\n'), docker('par'), docker('err\n', 'stderr'), docker('tial\n')];
    const content = [...written, 'garbage\n'].join('');
    const { list, malformedLines, lines, fastLines } = drain(content, { format });
    expect(list.map((one) => one.textPayload)).toEqual(['one', 'err', 'partial', 'garbage']);
    expect(list[1]).toMatchObject({ severity: 'ERROR', timestamp: '2024-03-05T14:07:21.5Z' });
    expect({ malformedLines, lines, fastLines }).toEqual({
      malformedLines: 1,
      lines: 5,
      fastLines: 0,
    });
  });
});

describe('a raw file', () => {
  test('is text, line by line', () => {
    const { texts, malformedLines } = drain('one\ntwo\r\nthr', { format: 'raw' });
    expect(texts).toEqual(['one', 'two']);
    expect(malformedLines).toBe(0);
  });
});
