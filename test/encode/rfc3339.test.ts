import { describe, expect, test } from 'vitest';

import { instantOf, isMoreThanADayAfter, parseInstant } from '../../src/encode/rfc3339.ts';
import type { Instant } from '../../src/encode/rfc3339.ts';

describe('parseInstant()', () => {
  test.each([
    ['2024-03-05T14:07:21Z', 1709647641, 0],
    ['2024-03-05T14:07:21.1Z', 1709647641, 100_000_000],
    ['2024-03-05T14:07:21.000009Z', 1709647641, 9_000],
    ['2024-03-05T14:07:21.104582937Z', 1709647641, 104_582_937],
    ['2024-03-05T16:07:21.104582937+02:00', 1709647641, 104_582_937],
    ['2024-03-01T00:00:00.000000001+05:45', 1709230500, 1],
    ['2024-02-29T23:59:59-23:59', 1709337539, 0],
    ['2000-02-29T00:00:00Z', 951782400, 0],
    ['1969-12-31T23:59:59.5Z', -1, 500_000_000],
    ['0001-01-01T00:00:00Z', -62135596800, 0],
    ['9999-12-31T23:59:59.999999999Z', 253402300799, 999_999_999],
  ])('reads %s', (text, seconds, nanos) => {
    expect(parseInstant(text)).toEqual({ text, seconds, nanos });
  });

  test('cuts fraction digits past the ninth off, and keeps the zone', () => {
    expect(parseInstant('2024-03-05T14:07:21.1045829379999+01:00')).toMatchObject({
      text: '2024-03-05T14:07:21.104582937+01:00',
      nanos: 104_582_937,
    });
  });

  test.each([
    '',
    '2024-03-05',
    '2024-03-05T14:07:21',
    '2024-03-05 14:07:21Z',
    '2024-03-05t14:07:21z',
    '2024-03-05T14:07Z',
    '2024-03-05T14:07:21.Z',
    '2024-03-05T14:07:21,5Z',
    '2024-03-05T14:07:60Z',
    '2024-03-05T14:60:00Z',
    '2024-03-05T24:00:00Z',
    '2024-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '2024-03-05T14:07:21+0200',
    '2024-03-05T14:07:21+02',
    '2024-03-05T14:07:21+24:00',
    '2024-03-05T14:07:21+02:60',
    '2024-03-05T14:07:21 +02:00',
    '2024-03-05T14:07:21ZZ',
    '12024-03-05T14:07:21Z',
    '2024-03-05T14:07:2１Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
  ])('refuses %j', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  test('agrees with Date on every day of four centuries', () => {
    const wrong: string[] = [];
    for (let day = Date.UTC(1800, 0, 1); day < Date.UTC(2200, 0, 1); day += 86_400_000) {
      const text = new Date(day).toISOString();
      if (parseInstant(text)?.seconds !== day / 1000) wrong.push(text);
    }
    expect(wrong).toEqual([]);
  });
});

describe('instantOf()', () => {
  test.each([
    [1709285415, 0, '2024-03-01T09:30:15Z'],
    [1709285415, 1, '2024-03-01T09:30:15.000000001Z'],
    [1709285415, 250_000_000, '2024-03-01T09:30:15.25Z'],
    [-1, 999_999_999, '1969-12-31T23:59:59.999999999Z'],
    [-62135596800, 0, '0001-01-01T00:00:00Z'],
    [253402300799, 999_999_999, '9999-12-31T23:59:59.999999999Z'],
  ])('writes %d s and %d ns', (seconds, nanos, text) => {
    expect(instantOf(seconds, nanos)).toEqual({ seconds, nanos, text });
    expect(parseInstant(text)).toEqual({ seconds, nanos, text });
  });

  test.each([
    [NaN, 0],
    [1.5, 0],
    [Infinity, 0],
    [-62135596801, 0],
    [253402300800, 0],
    [0, -1],
    [0, 1e9],
    [0, 0.5],
    [0, NaN],
  ])('refuses %d s and %d ns', (seconds, nanos) => {
    expect(instantOf(seconds, nanos)).toBeUndefined();
  });
});

test('isMoreThanADayAfter() counts nanoseconds', () => {
  const at = (text: string) => parseInstant(text) as Instant;
  const line = at('2024-03-05T14:07:21.5Z');
  expect(isMoreThanADayAfter(at('2024-03-06T14:07:21.5Z'), line)).toBe(false);
  expect(isMoreThanADayAfter(at('2024-03-06T14:07:21.500000001Z'), line)).toBe(true);
  expect(isMoreThanADayAfter(at('2024-03-06T14:07:22Z'), line)).toBe(true);
  expect(isMoreThanADayAfter(at('2024-01-01T00:00:00Z'), line)).toBe(false);
});
