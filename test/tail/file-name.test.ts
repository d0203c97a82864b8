import { expect, test } from 'vitest';

import { compareFileNames, parseFileName, sameRotation } from '../../src/tail/file-name.ts';

const order = (names: string[], liveName: string): string[] =>
  names
    .flatMap((fileName) => {
      const name = parseFileName(fileName, liveName);
      return name === undefined ? [] : [{ fileName, name }];
    })
    .sort((a, b) => compareFileNames(a.name, b.name))
    .map(({ fileName }) => fileName);

test('`parseFileName()` puts restarts and rotations in write order and leaves the rest out', () => {
  const names = [
    '1.log',
    '0.log',
    '10.log',
    '0.log.20240305-140721',
    '0.log.20240304-235959.gz',
    '1.log.20240306-000000',
    '0.log.20240305-140722.tmp',
    '0.log.20240305-140722.gz.tmp',
    '0.log.gz',
    '0.log.tmp',
    'x.log',
    '0.log.bak',
  ];
  expect(order(names, '1.log')).toEqual([
    '0.log.20240304-235959.gz',
    '0.log.20240305-140721',
    '0.log',
    '1.log.20240306-000000',
    '1.log',
    '10.log',
  ]);
});

test('`parseFileName()` reads the numbered rotations of docker, where a higher number is older', () => {
  const live = 'abc-json.log';
  const names = [live, `${live}.1`, `${live}.2.gz`, `${live}.10.gz`, 'other-json.log', `${live}.x`];
  expect(order(names, live)).toEqual([`${live}.10.gz`, `${live}.2.gz`, `${live}.1`, live]);
});

test('`sameRotation()` is true of a rotation and its compressed form only', () => {
  const parse = (fileName: string) => {
    const name = parseFileName(fileName, '0.log');
    if (name === undefined) throw new Error(fileName);
    return name;
  };
  const plain = parse('0.log.20240305-140721');
  expect(sameRotation(plain, parse('0.log.20240305-140721.gz'))).toBe(true);
  expect(sameRotation(plain, parse('0.log.20240305-140722.gz'))).toBe(false);
  expect(sameRotation(plain, parse('1.log.20240305-140721.gz'))).toBe(false);
  expect(sameRotation(parse('0.log'), parse('0.log'))).toBe(false);
});
