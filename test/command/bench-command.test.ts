// `tailship bench` runs on the nodes of users: that it changes nothing there matters more than its
// figures.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeCorpus } from '../../bench/corpus.ts';
import { startMeasured } from '../../bench/measure.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-command-test-'));
const output = mkdtempSync(path.join(os.tmpdir(), 'bench-command-output-'));
afterAll(() => {
  for (const each of [folder, output]) rmSync(each, { recursive: true, force: true });
});
/** Their cost must show beside that of a start, which wavers by 0.1 s on a loaded machine. */
const lineCount = 200_000;
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
  const options = { kind: 'mixed', lineCount, fileCount: 5, seed: 1 } as const;
  const corpus = writeCorpus({ folder, ...options });
  const before = snapshot();
  const places = ['--containers-dir', corpus.containersDir, '--log-root', corpus.logRoot];
  const words = [mainFile, 'bench', '--json', ...places];
  const outputFile = path.join(output, 'figures.json');
  const script = `exec "$@" >"$0"`;
  const args = ['-c', script, outputFile, process.execPath, ...words];
  const { cpuSeconds } = await startMeasured({ file: 'bash', args }).finished;
  const figures = JSON.parse(readFileSync(outputFile, 'utf8')) as {
    bytesPerSecond: number;
    bytesPerLine: number;
    tailship: { lines: number; microsPerLine: number };
  };
  expect(figures.tailship.lines).toBe(lineCount);
  expect(figures.bytesPerLine).toBeCloseTo(corpus.bytes / lineCount, 5);
  expect(figures.bytesPerSecond).toBe(0);
  expect(figures.tailship.microsPerLine).toBeGreaterThan(0);
  expect(figures.tailship.microsPerLine * lineCount).toBeLessThan(cpuSeconds * 1e6);
  expect(snapshot()).toEqual(before);
}, 240_000);
