import { expect, it } from 'vitest';
import {
  compareInstants,
  formatInstant,
  parseInstant,
} from '../../src/emulator/protocol/timestamp.ts';

const good: readonly (readonly [text: string, shown: string])[] = [
  ['2024-03-05T14:07:21Z', '2024-03-05T14:07:21Z'],
  ['2024-03-05T14:07:21.1Z', '2024-03-05T14:07:21.100Z'],
  ['2024-03-05T14:07:21.000100Z', '2024-03-05T14:07:21.000100Z'],
  ['2024-03-05T14:07:21.000000001Z', '2024-03-05T14:07:21.000000001Z'],
  ['2024-03-05T14:07:21.000000000Z', '2024-03-05T14:07:21Z'],
  ['2024-03-05T00:07:21.5+02:00', '2024-03-04T22:07:21.500Z'],
  ['2024-02-28T23:30:00-01:00', '2024-02-29T00:30:00Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['1969-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.999999999Z'],
  ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999999Z'],
];

it.each(good)('parseInstant() reads %s, and formatInstant() writes it as %s', (text, shown) => {
  const instant = parseInstant(text);
  expect(instant && formatInstant(instant)).toBe(shown);
  expect(instant?.seconds).toBe(Math.floor(Date.parse(text) / 1000));
});

const bad = [
  '',
  'Z',
  '2024-03-05',
  '2024-03-05 14:07:21Z',
  '2024-03-05t14:07:21z',
  '2024-03-05T14:07:21',
  '2024-03-05T14:07:21.Z',
  '2024-03-05T14:07:21.1234567890Z',
  '2024-03-05T14:07:21,5Z',
  '2024-03-05T14:07:60Z',
  '2024-03-05T24:00:00Z',
  '2024-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2024-13-01T00:00:00Z',
  '2024-00-01T00:00:00Z',
  '2024-01-00T00:00:00Z',
  '2024-03-05T14:07:21+0200',
  '2024-03-05T14:07:21+24:00',
  '0001-01-01T00:00:00+00:01',
  '9999-12-31T23:59:59-00:01',
  '10000-01-01T00:00:00Z',
  '2024-03-05T14:07:21ZZ',
  '2024-03-05T14:07:21. Z',
  '2024-03-05T14:07:21.+1Z',
];

it.each(bad)('parseInstant() refuses "%s", also after a good time of the same second', (text) => {
  expect(parseInstant(text)).toBeUndefined();
  parseInstant('2024-03-05T14:07:21Z');
  expect(parseInstant(text)).toBeUndefined();
});

it('compareInstants() orders to the nanosecond, across offsets', () => {
  const texts = [
    '2024-03-05T14:07:21.999999999+01:00',
    '2024-03-05T13:07:22Z',
    '2024-03-05T13:07:22.000000001Z',
  ];
  const instants = texts.map((text) => parseInstant(text) ?? { seconds: NaN, nanos: NaN });
  expect(instants.toReversed().toSorted(compareInstants)).toEqual(instants);
});
