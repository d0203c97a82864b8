import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeScratchDirectory, removeAbandoned } from '../src/scratch-directory.ts';
import { useScratch } from './support/scene.ts';

const scratch = useScratch();
const prefix = 'kept-';

test('removes what a process left that runs no more, and nothing else', () => {
  const own = path.basename(makeScratchDirectory(scratch.path, prefix));
  const [, pid = '', start = '', namespace = ''] = /^kept-(\d+)-(\d+)-(\d+)-/.exec(own) ?? [];
  expect(Number(pid)).toBe(process.pid);
  const abandoned = [
    `${prefix}${pid}-${Number(start) + 1}-${namespace}-abcdef`,
    `${prefix}999999999-${start}-${namespace}-abcdef`,
  ];
  const old = [`${prefix}1-1-1-abcdef`, `${prefix}Abc123`];
  const foreign = ['kept-notes', 'kept-', 'other-1-1-1-abcdef'];
  for (const name of [...abandoned, ...old, ...foreign]) {
    fs.mkdirSync(path.join(scratch.path, name));
    fs.writeFileSync(path.join(scratch.path, name, 'file'), '');
  }
  const link = `${prefix}999999998-1-${namespace}-abcdef`;
  fs.symlinkSync(scratch.path, path.join(scratch.path, link));
  const left = (): string[] => fs.readdirSync(scratch.path).toSorted();
  // Whether those of another container are of a process that runs cannot be seen.
  removeAbandoned(scratch.path, prefix);
  expect(left()).toEqual([own, link, ...old, ...foreign].toSorted());
  const yesterday = Date.now() / 1_000 - 25 * 3_600;
  for (const name of [own, ...old, ...foreign]) {
    fs.utimesSync(path.join(scratch.path, name), yesterday, yesterday);
  }
  removeAbandoned(scratch.path, prefix);
  expect(left()).toEqual([own, link, ...foreign].toSorted());
});
