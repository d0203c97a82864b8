// Sources whose records are redacted or sampled: what is in the body, what is counted, and how
// far the files are consumed.

import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { RecordRule, Source } from '../../src/encode/drain-task.ts';
import { insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { severityIndex, severityNames, type Severity } from '../../src/log-severity.ts';
import { countSeverities, drainHere, idPrefix, openFiles, plainSource } from './drain-bench.ts';

const hidden = '[REDACTED]';

type ReadEntry = {
  readonly textPayload?: string;
  readonly severity?: string;
  readonly insertId: string;
};

function drain(
  content: string,
  rule: Partial<RecordRule>,
  setup: Partial<Omit<Source, 'segments'>> = {},
) {
  const files = openFiles([content]);
  const recordRule = { redact: [], shares: undefined, ...rule };
  const segments = files.segments({ ended: setup.ended === true });
  const source = { ...plainSource, ended: false, ...setup, recordRule, segments };
  const { result, entries } = drainHere([source]);
  files.close();
  const [answer] = result.sources;
  expect(answer?.severities).toEqual(countSeverities(entries));
  const list = entries.map((text) => JSON.parse(text) as ReadEntry);
  return { ...answer!, result, list, texts: list.map((one) => one.textPayload) };
}

function shares(given: Partial<Record<Severity, number>>): RecordRule['shares'] {
  return severityNames.map((name) => given[name] ?? 1);
}

function line(text: string, { stream = 'stdout', tag = 'F' } = {}): string {
  return `2024-03-05T14:07:21Z ${stream} ${tag} ${text}\n`;
}

describe('redaction', () => {
  const rule = { redact: ['key=\\w+'] };

  test('is counted by entries, and leaves the others alone', () => {
    const content = line('key=a and key=b') + line('nothing') + line('{"m":"key=c"}');
    const { texts, redacted, entries, fastLines, consumed } = drain(content, rule);
    expect(texts).toEqual([`${hidden} and ${hidden}`, 'nothing', undefined]);
    expect({ redacted, entries, fastLines }).toEqual({ redacted: 2, entries: 3, fastLines: 0 });
    expect(consumed).toEqual([content.length]);
  });

  test('finds what is cut in partial lines', () => {
    const content = line('a ke', { tag: 'P' }) + line('y=sec', { tag: 'P' }) + line('ret b');
    expect(drain(content, rule).texts).toEqual([`a ${hidden} b`]);
  });

  test('looks at a joined stack trace as one', () => {
    const content = `${line('java.lang.Error: key=a')}${line('\tat a.B.c(B.java:1)')}${line('end')}`;
    const { texts } = drain(content, { redact: ['key=\\w+\\n\\s*at'] }, { joinStackTraces: true });
    expect(texts[0]).toBe(`java.lang.Error: ${hidden} a.B.c(B.java:1)`);
  });

  test('reaches lines that are not of the format', () => {
    const { texts, malformedLines } = drain(`no CRI, key=a\n${line('ok')}`, rule);
    expect(texts).toEqual([`no CRI, ${hidden}`, 'ok']);
    expect(malformedLines).toBe(1);
  });

  test('reaches the parts of a line that is too long', () => {
    const long = line(`key=a ${'x'.repeat(limits.lineBytesMax)} key=b`);
    const shipped = drain(long, rule, { ended: true }).texts.join('');
    expect(shipped).not.toContain('key');
    expect(shipped.split(hidden).length).toBe(3);
  });

  test('is taken back with the records after an open one', () => {
    const content =
      line('start') + line('open', { tag: 'P' }) + line('key=a', { stream: 'stderr' });
    const { redacted, consumed } = drain(content, rule);
    expect(redacted).toBeUndefined();
    expect(consumed).toEqual([line('start').length]);
  });
});

describe('sampling', () => {
  const lines = Array.from({ length: 400 }, (_, index) =>
    line(JSON.stringify({ severity: ['DEBUG', 'INFO', 'ERROR'][index % 3], message: `m${index}` })),
  );
  const content = lines.join('');

  test('leaves out records of the named severities alone, and counts them', () => {
    const {
      list,
      sampledOut,
      entries,
      lines: taken,
      consumed,
    } = drain(content, {
      shares: shares({ DEBUG: 0, INFO: 0.5 }),
    });
    const counts = countSeverities(list.map((one) => JSON.stringify(one))) ?? [];
    expect(counts[severityIndex('DEBUG')]).toBe(0);
    expect(counts[severityIndex('ERROR')]).toBe(133);
    expect(counts[severityIndex('INFO')]).toBeGreaterThan(40);
    expect(counts[severityIndex('INFO')]).toBeLessThan(95);
    expect({ taken, left: entries + (sampledOut ?? 0) }).toEqual({ taken: 400, left: 400 });
    expect(consumed).toEqual([content.length]);
  });

  test('keeps what it keeps as it was', () => {
    const all = drain(content, { shares: shares({}) }).list;
    const some = drain(content, { shares: shares({ DEBUG: 0.5, INFO: 0.5, ERROR: 0.5 }) }).list;
    const byId = new Map(all.map((one) => [one.insertId, one]));
    expect(some.length).toBeLessThan(all.length);
    for (const one of some) expect(one).toEqual(byId.get(one.insertId));
  });

  test('decides by the place of a line, whatever task reads it', () => {
    const rule = { shares: shares({ DEBUG: 0.5, INFO: 0.5, ERROR: 0.5 }) };
    const whole = drain(content, rule).list.map((one) => one.insertId);
    const files = openFiles([content]);
    const parts: string[] = [];
    for (let start = 0; start < content.length;) {
      const segments = files.segments({ start, end: Math.min(start + 1_000, content.length) });
      const recordRule = { redact: [], ...rule };
      const [source] = [{ ...plainSource, ended: false, recordRule, segments }];
      const open = source.segments.map((segment) => ({ ...segment, ended: false }));
      const { entries, result } = drainHere([{ ...source, segments: open }]);
      for (const text of entries) parts.push((JSON.parse(text) as ReadEntry).insertId);
      start = result.sources[0]!.consumed[0]!;
    }
    files.close();
    expect(parts).toEqual(whole);
  });

  test('of all that is there makes no body, and consumes the file', () => {
    const none = shares({ DEBUG: 0, INFO: 0, ERROR: 0 });
    const { result, consumed, sampledOut, entries } = drain(content, { shares: none });
    expect(result.bodyBytes).toBe(0);
    expect(consumed).toEqual([content.length]);
    expect({ sampledOut, entries }).toEqual({ sampledOut: 400, entries: 0 });
  });

  test('decides on a joined record once, by where it begins', () => {
    const begin = line('a', { stream: 'stderr' });
    const record = line('one ', { tag: 'P' }) + line('two');
    const { list } = drain(begin + record, { shares: shares({ INFO: 0.999_999 }) });
    expect(list.map((one) => one.insertId)).toContain(insertIdOf(idPrefix, begin.length));
    expect(drain(begin + record, { shares: shares({ INFO: 0 }) })).toMatchObject({
      texts: ['a'],
      sampledOut: 1,
    });
  });
});
