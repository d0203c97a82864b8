// `tailship bench` runs on the nodes of users: that it changes nothing there matters more than its figures.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { writeCorpus } from '../../bench/corpus.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-command-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const mainFile = path.resolve(import.meta.dirname, '../../src/main.ts');

function snapshot(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const { mtimeMs, size, mode } = statSync(path.join(folder, name));
      const isFile = statSync(path.join(folder, name)).isFile();
      const text = isFile ? readFileSync(path.join(folder, name), 'latin1') : '';
      return [name, mtimeMs, size, mode, text.length].join(' ');
    });
}

test('`tailship bench` says what a line costs and leaves the log files as they are', async () => {
  const options = { kind: 'mixed', lineCount: 20_000, fileCount: 5, seed: 1 } as const;
  const corpus = writeCorpus({ folder, ...options });
  const before = snapshot();
  const places = ['--containers-dir', corpus.containersDir, '--log-root', corpus.logRoot];
  const run = promisify(execFile)(process.execPath, [mainFile, 'bench', '--json', ...places]);
  const figures = JSON.parse((await run).stdout) as {
    bytesPerSecond: number;
    bytesPerLine: number;
    tailship: { lines: number; microsPerLine: number };
  };
  expect(figures.tailship.lines).toBe(20_000);
  expect(figures.bytesPerLine).toBeCloseTo(corpus.bytes / 20_000, 5);
  expect(figures.bytesPerSecond).toBe(0);
  expect(figures.tailship.microsPerLine).toBeLessThan(100);
  expect(snapshot()).toEqual(before);
}, 240_000);
