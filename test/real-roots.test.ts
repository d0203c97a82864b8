import { mkdirSync, mkdtempSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';

import { isUnder, realRoots } from '../src/real-roots.ts';

test('`realRoots()` resolves what exists, and keeps what does not', () => {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'tailship-roots-')));
  const [pods, link, missing] = ['pods', 'link', 'missing'].map((name) => path.join(root, name));
  mkdirSync(pods!);
  symlinkSync(pods!, link!);
  expect(realRoots([pods!, link!, missing!])).toEqual([pods, pods, missing]);
});

test.each([
  ['/var/log/pods', true],
  ['/var/log/pods/a/0.log', true],
  ['/var/log/pods2/0.log', false],
  ['/var/log', false],
  ['/data/docker/x.log', true],
])('`isUnder()` says whether %s lies below a root: %s', (file, expected) => {
  expect(isUnder(file, ['/var/log/pods', '/data'])).toBe(expected);
  expect(isUnder(file, ['/'])).toBe(true);
  expect(isUnder(file, [])).toBe(false);
});
