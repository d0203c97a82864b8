// The kernel against the reference over whole ranges: every length at every alignment, every byte,
// every border of UTF-8.

import { describe, expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';
import type { Drained } from './drain-bench.ts';

const header = Buffer.from('2024-03-05T14:07:21.104582937Z stdout F ');

/** Drains contents as lines, with and without the kernel; they must agree. */
function drainBoth(contents: readonly (string | Buffer)[]): Drained {
  const newline = Buffer.from('\n');
  const pieces = contents.flatMap((content) => [header, Buffer.from(content as string), newline]);
  const files = openFiles([Buffer.concat(pieces)]);
  const sources = [{ ...plainSource, segments: files.segments() }];
  const fast = drainHere(sources);
  const slow = drainHere(sources, { useKernel: false });
  files.close();
  expect(fast.entries.length).toBe(slow.entries.length);
  for (const [index, entry] of slow.entries.entries()) expect(fast.entries[index]).toBe(entry);
  return fast;
}

function fastLines({ result }: Drained): number {
  return result.sources[0]!.fastLines;
}

/** A content of every length up to 64 around `middle`. The lengths before move the alignment. */
function atEveryPlace(middle: string | Buffer): Buffer[] {
  const contents: Buffer[] = [];
  for (let before = 0; before <= 64; before++) {
    for (const after of [0, 1, 15, 16, 17]) {
      contents.push(
        Buffer.concat([
          Buffer.alloc(before, 'a'),
          Buffer.from(middle as string),
          Buffer.alloc(after, 'b'),
        ]),
      );
    }
  }
  return contents;
}

/** UTF-8 of a code point, without asking whether it may be one. */
function encode(point: number, length: number): Buffer {
  const lead = [0, 0, 0xc0, 0xe0, 0xf0][length]!;
  const bytes = [lead | (point >> (6 * (length - 1)))];
  for (let rest = length - 2; rest >= 0; rest--) bytes.push(0x80 | ((point >> (6 * rest)) & 0x3f));
  return Buffer.from(bytes);
}

describe('text', () => {
  test('of every length up to 64 is the kernel’s', () => {
    const contents = Array.from({ length: 65 }, (_, length) => 'x'.repeat(length));
    expect(fastLines(drainBoth(contents))).toBe(65);
  });

  test('with a byte that is escaped, at every place', () => {
    for (const byte of ['"', '\\', '\t', '\u0000', '\u001f', '\r', '\r\r', '\u007f']) {
      const contents = atEveryPlace(byte);
      expect(fastLines(drainBoth(contents))).toBe(contents.length);
    }
  });

  test('with every byte', () => {
    drainBoth(
      Array.from({ length: 256 }, (_, byte) => Buffer.from([0x61, byte === 0x0a ? 0 : byte, 0x62])),
    );
  });

  test('with every first code point and last code point of each length of UTF-8', () => {
    const borders = [
      0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x3ffff, 0x40000,
      0xfffff, 0x100000, 0x10ffff,
    ];
    for (const point of borders) {
      const contents = atEveryPlace(String.fromCodePoint(point));
      expect(fastLines(drainBoth(contents))).toBe(contents.length);
    }
  });

  test('with what only looks like UTF-8 is repaired by the kernel, at every place', () => {
    const wrong = [
      encode(0x7f, 2),
      encode(0x7ff, 3),
      encode(0xffff, 4),
      encode(0xd800, 3),
      encode(0xdfff, 3),
      encode(0x110000, 4),
      encode(0x13ffff, 4),
      Buffer.from([0x80]),
      Buffer.from([0xbf, 0xbf]),
      Buffer.from([0xfe]),
      Buffer.from([0xff]),
      Buffer.from([0xf8, 0x88, 0x80, 0x80, 0x80]),
      Buffer.from([0xc3, 0x28]),
      Buffer.from([0xe2, 0x82]),
      Buffer.from([0xf0, 0x9f, 0x98]),
      Buffer.from([0xe2, 0x28, 0xa1]),
      Buffer.from([0xf0, 0x28, 0x8c, 0xbc]),
    ];
    for (const bytes of wrong) expect(fastLines(drainBoth(atEveryPlace(bytes)))).toBe(325);
  });

  test('with what only looks like UTF-8 after, between and before what is, and what is escaped', () => {
    const parts = [
      'c3',
      'e282',
      'f09f98',
      '80',
      'ff',
      'f09f9880',
      'e98db5',
      'c3a9',
      '22',
      '01',
      '61',
    ];
    for (const first of parts) {
      const contents: Buffer[] = [];
      for (const second of parts) {
        for (const third of parts) {
          const middle = Buffer.from(first + second + third, 'hex');
          for (const before of [0, 11, 12, 13, 14, 15, 16]) {
            contents.push(
              Buffer.concat([Buffer.alloc(before, 'a'), middle, Buffer.alloc(20, 'b')]),
            );
            contents.push(Buffer.concat([Buffer.from('é'.repeat(before)), middle]));
          }
        }
      }
      expect(fastLines(drainBoth(contents))).toBe(contents.length);
    }
  });

  test('that is mostly no UTF-8 is the reference’s when it may come near the limit', () => {
    const drained = drainBoth(
      [59_000, 61_000, 179_000].map((length) => Buffer.alloc(length, 0xff)),
    );
    expect(fastLines(drained)).toBe(1);
  });

  test('with every pair of bytes from 0x80 up', () => {
    for (let first = 0x80; first < 0x100; first += 3) {
      const contents: Buffer[] = [];
      for (let second = 0x80; second < 0x100; second++) {
        contents.push(Buffer.from([0x61, first, second, 0x80, 0x62]), Buffer.from([first, second]));
      }
      drainBoth(contents);
    }
  });

  test('of long runs of UTF-8', () => {
    const contents = ['ж', '鍵', '😀', 'жa', 'a鍵 ', '😀ж鍵"'].flatMap((one) =>
      [1, 5, 16, 33, 100].map((count) => one.repeat(count)),
    );
    expect(fastLines(drainBoth(contents))).toBe(contents.length);
  });
});

describe('JSON', () => {
  test('with strings of every length, twice, so that the shape is known', () => {
    const contents = Array.from({ length: 140 }, (_, length) =>
      JSON.stringify({
        key: 'x'.repeat(length % 70),
        n: length,
        last: 'y'.repeat((length * 7) % 40),
      }),
    );
    expect(fastLines(drainBoth(contents))).toBe(contents.length);
  });

  test('with keys of every length', () => {
    const contents = Array.from({ length: 140 }, (_, length) =>
      JSON.stringify({ ['k'.repeat(length % 70)]: 1, [`${'k'.repeat(length % 70)}2`]: 'v' }),
    );
    expect(fastLines(drainBoth(contents))).toBe(contents.length);
  });

  test('with UTF-8 and escapes in values, at every place', () => {
    for (const middle of ['ж', '😀', '\\n', '\\\\', '\\"', '\\u00e9', '\\ud83d\\ude00', '\\/']) {
      const contents = atEveryPlace(middle).map((value) => `{"a":"${value.toString()}","b":2}`);
      expect(fastLines(drainBoth(contents))).toBe(contents.length);
    }
  });

  test('that is cut short anywhere is text', () => {
    const whole = '{"a":"b","c":[1,{"d":null}],"e":true,"f":-1.5e3}';
    const contents = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
    expect(fastLines(drainBoth([...contents, ...contents]))).toBe(2 * contents.length);
  });

  test('with one byte changed is what the reference says', () => {
    const whole = '{"a":"b","severity":"WARN","c":[1,{"d":null}],"message":"m","f":-1.5e3}';
    for (const byte of ['"', '\\', ',', ':', '}', ']', '0', ' ', '\t', 'x']) {
      const contents = Array.from(
        { length: whole.length },
        (_, at) => whole.slice(0, at) + byte + whole.slice(at + 1),
      );
      drainBoth([whole, ...contents]);
    }
  });

  test('of two members of one name is one of the last of them, whatever is between them', () => {
    const others = Array.from({ length: 60 }, (_, index) => `"k${index}":${index}`).join(',');
    expect(fastLines(drainBoth([`{"a":1,${others},"a":2}`, `{"x":{"a":1,"a":2}}`]))).toBe(2);
    expect(fastLines(drainBoth([`{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}`]))).toBe(1);
    const lengths = Array.from({ length: 41 }, (_, length) => 'k'.repeat(length));
    const doubles = lengths.map((key) => `{"${key}":1,"${key}x":2, "x${key}":3 ,"${key}":4}`);
    expect(fastLines(drainBoth(doubles))).toBe(doubles.length);
  });

  test('as deep as may be', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}1${']'.repeat(depth - 1)}}`;
    const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const contents = [63, 64, 65, 66].flatMap((depth) => [nested(depth), objects(depth)]);
    drainBoth([...contents, ...contents]);
  });

  test('near the sizes where the reference has to measure', () => {
    const sizes = [39_000, 41_000, 41_301, 41_302, 43_000, 179_990, 181_000, 255_000];
    drainBoth(sizes.flatMap((size) => [`{"a":"${'x'.repeat(size)}"}`, 'x'.repeat(size)]));
  });
});
