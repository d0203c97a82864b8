import { describe, expect, test } from 'vitest';

import { parseDockerLine } from '../../src/encode/records/docker-line.ts';

function parse(line: string) {
  const bytes = Buffer.from(`before\n${line}\n`);
  const parsed = parseDockerLine(bytes, 7, bytes.length - 1);
  return parsed && { ...parsed, content: Buffer.from(parsed.content).toString() };
}

const time = '2024-03-05T14:07:21.104582937Z';
const lineOf = (log: string, more: object = {}) =>
  JSON.stringify({ log, stream: 'stderr', time, ...more });

describe('parseDockerLine()', () => {
  test.each([
    ['text\n', 'text', false],
    ['windows\r\n', 'windows', false],
    ['\n', '', false],
    ['two\n\n', 'two\n', false],
    ['part', 'part', true],
    ['cut\r', 'cut\r', true],
    ['', '', true],
    ['é"\\\u0001\u2028😀\n', 'é"\\\u0001\u2028😀', false],
  ])('the log %j has the content %j, partial: %j', (log, content, partial) => {
    const attrs = { tag: 'x' };
    expect(parse(lineOf(log, { attrs }))).toEqual({ time, stream: 'stderr', partial, content });
  });

  test('a lone surrogate becomes U+FFFD', () => {
    const line = `{"log":"a\\ud800b\\n","stream":"stdout","time":"${time}"}`;
    expect(parse(line)?.content).toBe('a\ufffdb');
  });

  test.each([
    '',
    'text',
    '{}',
    lineOf('x\n').slice(0, -1),
    lineOf('x\n', { stream: 'stdin' }),
    lineOf('x\n', { stream: 1 }),
    lineOf('x\n', { time: 'now' }),
    lineOf('x\n', { time: undefined }),
    lineOf('x\n', { log: 5 }),
    `${lineOf('x\n')} x`,
  ])('refuses %j', (line) => {
    expect(parse(line)).toBeUndefined();
  });
});
