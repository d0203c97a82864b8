import { describe, expect, test } from 'vitest';

import { parseCriLine } from '../../src/encode/records/cri-line.ts';
import { parse } from './strict-entry.ts';

const time = '2024-03-05T14:07:21.104582937Z';

describe('parseCriLine()', () => {
  test('takes time, stream, tag and content apart', () => {
    expect(parse(`${time} stdout F cart 8812`)).toEqual({
      time,
      stream: 'stdout',
      partial: false,
      content: 'cart 8812',
    });
    expect(parse(`${time} stderr P part`)).toMatchObject({ stream: 'stderr', partial: true });
  });

  test('reads the line within a larger array', () => {
    const bytes = Buffer.from(`before\n${time} stdout F x\nafter and more`);
    const end = bytes.indexOf(10, 7);
    const line = parseCriLine(bytes, 7, end);
    expect(bytes.toString('utf8', line?.contentStart, line?.contentEnd)).toBe('x');
    const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(parseCriLine(shared.subarray(3), 4, end - 3)).toMatchObject({ time, stream: 'stdout' });
  });

  test.each([
    ['F ', ''],
    ['F  ', ' '],
    ['F     indented', '    indented'],
    ['F windows\r', 'windows'],
    ['F twice\r\r', 'twice\r'],
    ['F \r', ''],
    ['F a\rb', 'a\rb'],
    ['P cut\r', 'cut\r'],
    ['F:x:y text', 'text'],
    ['X text', 'text'],
    ['PF text', 'text'],
    [' text', 'text'],
    ['F', ''],
    ['F\r', ''],
    ['F:x:y', ''],
    ['P', ''],
    ['P:x', ''],
    ['X', ''],
  ])('keeps the content of %j as %j', (rest, content) => {
    expect(parse(`${time} stdout ${rest}`)?.content).toBe(content);
  });

  test.each([
    ['P', true],
    ['P:F', true],
    ['P:', true],
    ['F', false],
    ['F:P', false],
    ['PF', false],
    ['p', false],
    ['', false],
  ])('takes the tag %j as partial: %j', (tag, partial) => {
    expect(parse(`${time} stdout ${tag} x`)?.partial).toBe(partial);
    if (tag !== '') expect(parse(`${time} stderr ${tag}`)?.partial).toBe(partial);
  });

  test.each([
    '',
    ' ',
    'no structure here',
    time,
    `${time} `,
    `${time} stdout`,
    `${time} stdout `,
    `${time} stdout \r`,
    `${time} stdout\r`,
    `${time} stdout\tF x`,
    `${time}  stdout F x`,
    `${time} stdin F x`,
    `${time} STDOUT F x`,
    `${time} stdoutx F x`,
    ` ${time} stdout F x`,
    'yesterday stdout F x',
  ])('refuses %j', (line) => {
    expect(parse(line)).toBeUndefined();
  });

  test('sees nothing past the end of the line', () => {
    const bytes = Buffer.from(`${time} stdout F x`);
    for (let end = 0; end < bytes.length - 1; end++) {
      const isWhole = end >= `${time} stdout F`.length;
      expect(parseCriLine(bytes, 0, end) !== undefined).toBe(isWhole);
    }
  });
});
