// The walk of a line, as ARCHITECTURE.md shows it, goes through files that exist, each once.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
/** Before the walk was written down, a line passed so many files. */
const filesBefore = 28;

/** The files of each step; a bare name is in the folder of the last path of its step. */
function readWalk(): string[][] {
  const text = readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8');
  const section = /^## The walk of a line$(.*?)^## /ms.exec(text)?.[1] ?? '';
  const steps = [...section.matchAll(/^\d+\. (.*)$/gm)].map(([, step = '']) => step);
  return steps.map((step) => {
    let folder = '';
    return [...step.matchAll(/`([\w/-]+\.ts)`/g)].map(([, name = '']) => {
      if (name.includes('/')) folder = path.dirname(name);
      return name.includes('/') ? name : path.join(folder, name);
    });
  });
}

test('the walk of a line has ten steps, through files that exist', () => {
  const steps = readWalk();
  expect(steps).toHaveLength(10);
  const files = steps.flat();
  expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  expect(steps.filter((step) => step.length === 0)).toEqual([]);
});

test('it enters no file twice but the pipeline, and fewer than it did', () => {
  const files = readWalk().flat();
  const twice = files.filter((file, index) => files.indexOf(file) !== index);
  expect(twice).toEqual(['src/pipeline.ts']);
  expect(new Set(files).size).toBeLessThan(filesBefore);
});
