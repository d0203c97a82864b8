import { describe, expect, test } from 'vitest';

import { traceStart, traceStep } from '../../src/encode/traces/stack-trace.ts';
import { traces } from './trace-lines.ts';

/** The records that the lines of one stream make, each with its lines joined by `\n`. */
function join(lines: readonly string[]): string[] {
  const records: string[] = [];
  let state = traceStart;
  for (const line of lines) {
    const step = traceStep(state, Buffer.from(line));
    state = step.state;
    if (step.join) records.push(`${records.pop()}\n${line}`);
    else records.push(line);
  }
  return records;
}

describe('traceStep()', () => {
  test.each(Object.entries(traces))(
    'joins %s, and neither the line before nor after',
    (_, text) => {
      expect(join(['before', ...text.split('\n'), 'after it: x', 'after'])).toEqual([
        'before',
        text,
        'after it: x',
        'after',
      ]);
    },
  );

  test.each(Object.entries(traces))('keeps two of %s apart', (_, text) => {
    expect(join([...text.split('\n'), ...text.split('\n')])).toEqual([text, text]);
  });

  test('joins every language after every other', () => {
    const texts = Object.values(traces);
    for (const one of texts) {
      for (const other of texts) {
        expect(join([...one.split('\n'), ...other.split('\n')])).toEqual([one, other]);
      }
    }
  });

  test('leaves the exit status of a Go panic alone', () => {
    const lines = [...traces['Go panic'].split('\n'), 'exit status 2'];
    expect(join(lines)).toEqual([traces['Go panic'], 'exit status 2']);
  });

  test.each([
    ['It sounds tympanic: a word', '', 'glad'],
    ['error: something', '\tat nowhere'],
    ['\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'],
    ['a.b.FirstException: one', 'ordinary'],
    ['goroutine 1 [running]:', 'main.main()'],
    ['Traceback', '  File "x"'],
    ['', '', ''],
  ])('leaves ordinary lines alone: %j', (...lines) => {
    expect(join(lines)).toEqual(lines);
  });

  test('never joins a JSON object, and goes on as if no trace had been', () => {
    const object = '{"message":"a.b.C: x Exception:"}';
    const lines = ['java.lang.Error: x', object, '\tat a.B.c(B.java:1)', object, object];
    expect(join(lines)).toEqual(lines);
    const broken = '  {"code": "Exception:';
    expect(join([broken, '\tat a.B.c(B.java:1)'])).toHaveLength(1);
  });

  test.each(['', ' ', '\t', '\r', '\n', ' \r\t'])('joins no JSON object behind %j', (space) => {
    const lines = [`${space}{"a":"x.Exception:"}`, '\tat a.B.c(B.java:1)'];
    expect(join(lines)).toEqual(lines);
  });

  test('takes linear time on what only looks like a trace', () => {
    const pieces = [
      'Error (',
      "exception '",
      '(',
      ' ',
      'a.',
      '.rb:1',
      '#1 (',
      '\t',
      "'x' ",
      '^',
      ':',
    ];
    const starts = [
      '',
      'Error: x',
      'Unhandled exception:',
      'panic: x',
      'Traceback (most recent call last):',
    ];
    for (const start of starts) {
      for (const piece of pieces) {
        const line = piece.repeat(1_000_000 / piece.length);
        // Quadratic time would be minutes; the processor's is no matter of what else runs.
        const from = process.cpuUsage();
        join([start, line, `#0 ${line}`, ` ${line}`]);
        const { user, system } = process.cpuUsage(from);
        expect((user + system) / 1_000).toBeLessThan(1_000);
      }
    }
  });
});
