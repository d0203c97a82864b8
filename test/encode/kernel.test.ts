// The kernel against the reference encoder: whatever the bytes, the drain with the kernel writes
// what the drain without it writes.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { countSeverities, drainBoth, drainHere, openFiles, plainSource } from './drain-bench.ts';
import { generateInterleaved } from './interleaved-generator.ts';
import { generateLog, seededRandom } from './line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const seed = seedOfRun();
const cases = path.join(import.meta.dirname, 'fuzz-cases');

function expectSame(content: Buffer, readBytes?: number, joinStackTraces = false): void {
  const { fast, slow, severities, answers } = drainBoth(content, { readBytes, joinStackTraces });
  for (const [index, entry] of slow.entries()) expect(fast[index]).toBe(entry);
  expect(fast.length).toBe(slow.length);
  expect(answers.fast).toEqual(answers.slow);
  expect(severities).toEqual({ fast: countSeverities(slow), slow: countSeverities(slow) });
}

/** The kernel takes all of them, and each a second time; returns the entries. */
function expectAlone(lines: readonly string[]): readonly string[] {
  const content = Buffer.from([...lines, ...lines].join(''));
  expectSame(content);
  const files = openFiles([content]);
  const { result, entries } = drainHere([{ ...plainSource, segments: files.segments() }]);
  files.close();
  expect(result.sources[0]?.fastLines).toBe(2 * lines.length);
  return entries;
}

describe('the kernel', () => {
  test(`writes what the reference writes for random lines, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 300; round++) {
      const { bytes } = generateLog(random, 60);
      expectSame(bytes, random.pick([300, 4_096, 128 * 1024]), random.oneIn(3));
    }
  });

  test(`writes what the reference writes for records of two streams among each other, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 300; round++) {
      const bytes = generateInterleaved(random, 60);
      expectSame(bytes, random.pick([300, 4_096, 128 * 1024]), !random.oneIn(3));
    }
  });

  test('joins the partial lines of one stream alone, where they follow each other', () => {
    const line = (content: string) => `2024-03-05T14:07:21Z stdout ${content}\n`;
    const pairs = (count: number) =>
      `${line('P one, ')}${line('P two, ')}${line('F three')}`.repeat(count);
    const files = openFiles([`${pairs(50)}${line('P {"a":')}${line('F 1}\r')}`]);
    const { entries, result } = drainHere([{ ...plainSource, segments: files.segments() }]);
    files.close();
    expect(entries).toHaveLength(51);
    expect(entries[49]).toContain('"textPayload":"one, two, three"');
    expect(entries[50]).toContain('"jsonPayload":{"a":1}');
    expect(result.sources[0]).toMatchObject({ lines: 152, entries: 51, fastLines: 152 });
  });

  test.each([
    ['partial lines', ['out P a', 'err F x', 'out P b', 'err P y', 'out F c', 'err F z'], 3, false],
    [
      'the lines of stack traces',
      [
        'err F panic: boom',
        'out F x',
        'err F ',
        'out F x',
        'err F goroutine 1 [running]:',
        'out F x',
      ],
      4,
      true,
    ],
    [
      'stack traces of partial lines',
      ['out P panic: ', 'out F boom', 'out P ', 'out F ', 'out F goroutine 1 [running]:'],
      1,
      true,
    ],
    [
      'stack traces of both streams',
      [
        'err F panic: boom',
        'out P panic: ',
        'err F ',
        'out F boom',
        'out F ',
        'err F end',
        'out F x',
      ],
      4,
      true,
    ],
  ])('joins %s alone, also among those of the other stream', (_name, lines, count, joins) => {
    const time = '2024-03-05T14:07:21Z';
    const one = lines.map((line) => `${time} std${line}\n`).join('');
    const end = `${time} stdout F end\n${time} stderr F end\n`;
    const files = openFiles([one.repeat(50) + end]);
    const source = { ...plainSource, joinStackTraces: joins, segments: files.segments() };
    const { entries, result } = drainHere([source]);
    const slow = drainHere([source], { useKernel: false });
    files.close();
    const lineCount = 50 * lines.length + 2;
    expect(entries).toEqual(slow.entries);
    expect(entries).toHaveLength(50 * count + 2);
    expect(result.sources[0]).toMatchObject({ lines: lineCount, fastLines: lineCount });
  });

  test('joins stack traces alone, where their lines follow each other and another one ends them', () => {
    const contents = [
      'plain Errors',
      'Error: x',
      '    at a (b.js:1:1)',
      '{"message":"Error: y"}',
      'end',
    ];
    const text = contents.map((content) => `2024-03-05T14:07:21Z stdout F ${content}\n`).join('');
    const files = openFiles([text]);
    const source = { ...plainSource, joinStackTraces: true, segments: files.segments() };
    const { entries, result } = drainHere([source]);
    files.close();
    expect(entries).toHaveLength(4);
    expect(result.sources[0]).toMatchObject({ lines: 5, entries: 4, fastLines: 5 });
  });

  test('takes large objects alone', () => {
    const object = (keys: number, value: string) =>
      `{${Array.from({ length: keys }, (_, key) => `"k${key}":${value}`).join(',')}}`;
    const objects = [
      object(3_000, '1'),
      object(900, `"${'x'.repeat(90)}"`),
      object(300, '[[[1]]]'),
      object(5_000, '1'),
      `{"a":[${'1,'.repeat(20_000)}1]}`,
    ];
    expectAlone(objects.map((line) => `2024-03-05T14:07:21Z stdout F ${line}\n`));
  });

  test('takes labels alone, and leaves those that have no room', () => {
    const labels = (count: number, value: string) =>
      Array.from({ length: count }, (_, index) => `"l${index}":${value}`).join(' ,');
    const long = `"${'k'.repeat(513)}":"v"`;
    const objects = [
      `{${labels(63, '"v"')}}`,
      `{${labels(64, '"v"')}}`,
      `{${labels(65, '12')}, "o" : {"a":[1,"]}"]}}`,
      `{${labels(999, `"${'v'.repeat(20)}"`)}}`,
      `{${long}}`,
      `{${long},${labels(70, 'true')}}`,
      '"none"',
    ];
    const lines = objects.map(
      (object) =>
        `2024-03-05T14:07:21Z stdout F {"m":1,"logging.googleapis.com/labels":${object},"n":2}\n`,
    );
    const entries = expectAlone(lines);
    expect(Object.keys((JSON.parse(entries[3]!) as { labels: object }).labels)).toHaveLength(64);
  });

  test('takes numbers as severities, ids of the record, and a message with any escape alone', () => {
    const objects = [
      '{"severity":400,"a":1}',
      '{"severity":999,"message":"m"}',
      '{"logging.googleapis.com/insertId":"own","a":1,"logging.googleapis.com/labels":{"b":"c"}}',
      '{"logging.googleapis.com/insertId":"","a":1}',
      '{"logging.googleapis.com/insertId":5,"message":"m"}',
      '{"severity":"INFO","message":"\\/a\\/b\\u0041\\u00e9\\u9375\\ud83d\\ude00\\u001f\\u000a\\u0022\\u005c\\b\\f\\r\\t\\""}',
    ];
    const lines = objects.map((object) => `2024-03-05T14:07:21Z stdout F ${object}\n`);
    const entries = expectAlone(lines);
    expect(JSON.parse(entries[2]!)).toMatchObject({ insertId: 'own', labels: { b: 'c' } });
    expect(JSON.parse(entries[5]!)).toMatchObject({
      textPayload: '/a/bAé鍵😀\u001f\n"\\\b\f\r\t"',
    });
  });

  test('leaves out the members alone whose keys come again, at any depth', () => {
    const twenty = Array.from({ length: 40 }, (_, key) => `"k${key % 20}":${key}`).join(',');
    const many = Array.from({ length: 9_000 }, (_, key) => `"k${key % 2_000}":${key}`).join(' , ');
    const objects = [
      '{"a":1,"b":2,"a":3,"message":"m"}',
      '{"message":"x","message":"y"}',
      '{"severity":"INFO","a":{"b":[1,{"c":1,"c":2}],"b":2},"severity":"ERROR"}',
      '{ "a" : {"a":1, "a":{"a":2}} , "a":\t{"b":1 ,"b":2}\r}',
      '{"":1,"":2,"x":{"":3},"":{"":4,"":5}}',
      `{"0123456789abcdef":1,"01234567-9abcdef":2,"0123456789abcdef":3,"x":{${twenty}},${twenty}}`,
      `{${'"k":1,'.repeat(20_000)}"k":{"k":2}}`,
      `{${many}}`,
    ];
    const lines = objects.map((object) => `2024-03-05T14:07:21Z stdout F ${object}\n`);
    expectAlone(lines);
  });

  test('writes what the reference writes for every case that the fuzzer found', () => {
    const names = readdirSync(cases).filter((name) => name.endsWith('.log'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expectSame(readFileSync(path.join(cases, name)));
  });
});
