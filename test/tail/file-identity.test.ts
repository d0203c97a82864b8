import { expect, test } from 'vitest';

import { firstLine, identifyFile, readFileHead } from '../../src/tail/file-identity.ts';

const owner = { podUid: 'uid-1', container: 'api', restartCount: 0 };
const birth = { bornMs: 1_700_000_000_000, changedMs: 0, inode: 7 };
const identify = (line: string, of = owner) => {
  const head = readFileHead(Buffer.from(line), 'cri', true);
  if (head === undefined) throw new Error('a complete line is a head');
  return identifyFile(head, of, birth);
};

test('`identifyFile()` gives ids that sort by the time of the first line, to the nanosecond', () => {
  const times = [
    '2024-03-05T14:07:21Z',
    '2024-03-05T14:07:21.000000001Z',
    '2024-03-05T14:07:21.1Z',
    '2024-03-05T16:07:21.2+02:00',
    '2024-03-05T08:52:22.200000001-05:15',
  ];
  const ids = times.map((time) => identify(`${time} stdout F x`).idPrefix);
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(times.length);
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]{22}$/);
});

test('`identifyFile()` tells pods, containers and restarts apart, and the same file is the same', () => {
  const line = '2024-03-05T14:07:21Z stdout F x';
  const ids = [
    identify(line),
    identify(line, { ...owner, podUid: 'uid-2' }),
    identify(line, { ...owner, container: 'sidecar' }),
    identify(line, { ...owner, restartCount: 1 }),
  ].map(({ idPrefix }) => idPrefix);
  expect(new Set(ids).size).toBe(ids.length);
  expect(identify(line)).toEqual(identify(line));
});

test('`identifyFile()` of a first line without a time falls back to its hash and the birth time', () => {
  const a = identify('no structure');
  const b = identify('no structure either');
  expect(a.idPrefix).toMatch(/^[0-9a-z]{22}$/);
  expect(a.idPrefix).not.toBe(b.idPrefix);
  expect(a.fallbackTime).toBe('2023-11-14T22:13:20.000Z');
  expect(identify('2024-13-05T14:07:21Z stdout F x').fallbackTime).toBe('2023-11-14T22:13:20.000Z');
});

test.each(['2026-02-30T00:00:00Z', '2026-01-01T24:00:00Z', '9999-12-31T23:59:59.999999999-10:00'])(
  '%s is no time that a line without one could take',
  (time) => {
    expect(identify(`${time} stdout F x`).fallbackTime).toBe('2023-11-14T22:13:20.000Z');
  },
);

test('the last second of the year 9999 is a time', () => {
  const time = '9999-12-31T23:59:59.999999999Z';
  expect(identify(`${time} stdout F x`).fallbackTime).toBe(time);
});

test('`firstLine()` waits for the line end or 256 bytes', () => {
  expect(firstLine(Buffer.from('abc'), false)).toBeUndefined();
  expect(firstLine(Buffer.from('abc'), true)?.length).toBe(3);
  expect(firstLine(Buffer.from('abc\ndef'), false)?.length).toBe(3);
  expect(firstLine(Buffer.alloc(256, 97), false)?.length).toBe(256);
  expect(firstLine(Buffer.alloc(255, 97), false)).toBeUndefined();
});
