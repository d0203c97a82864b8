// A benchmark compares peers only if all of them read the same bytes, today and tomorrow.

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeCorpus } from '../../bench/corpus.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'corpus-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, kind: 'text' | 'json') {
  const options = { kind, lineCount: 3_000, fileCount: 7, seed: 42 } as const;
  return writeCorpus({ ...options, folder: path.join(folder, name) });
}

test.each(['text', 'json'] as const)('`writeCorpus()` writes each %s line once', (kind) => {
  const { files, bytes } = write(`each-${kind}`, kind);
  const whole = files.map((file) => readFileSync(file, 'utf8')).join('');
  const numbers = [...whole.matchAll(/seq=(\d{10})/g)].map((match) => Number(match[1]));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, i) => i));
  expect(Buffer.byteLength(whole)).toBe(bytes);
  const average = bytes / 3_000;
  expect(average).toBeGreaterThan(kind === 'text' ? 180 : 280);
  expect(average).toBeLessThan(kind === 'text' ? 220 : 380);
  const contents = whole
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').slice(3).join(' '));
  if (kind === 'json') for (const content of contents) JSON.parse(content);
});

test('`writeCorpus()` writes the same bytes for the same seed', () => {
  const [one, two] = [write('one', 'text'), write('two', 'text')];
  expect(one.files.map((file) => readFileSync(file, 'utf8'))).toEqual(
    two.files.map((file) => readFileSync(file, 'utf8')),
  );
});

test('`writeCorpus()` lays the files out as the kubelet does', () => {
  const { containersDir, files } = write('layout', 'text');
  const links = readdirSync(containersDir);
  expect(links).toHaveLength(7);
  for (const link of links) expect(link).toMatch(/^[^_]+_shop_api-[0-9a-f]{64}\.log$/);
  const targets = links.map((link) => realpathSync(path.join(containersDir, link)));
  expect(targets.toSorted()).toEqual(files.map((file) => realpathSync(file)).toSorted());
  expect(files[0]).toMatch(/pods\/shop_orders-0-7c9d5f6b8-x2k4q_[-0-9a-f]{36}\/api\/0\.log$/);
});

test('`writeCorpus()` cuts long lines into the partial lines of a container runtime', () => {
  const options = { kind: 'long', lineCount: 4, fileCount: 1, seed: 42 } as const;
  const { files } = writeCorpus({ ...options, folder: path.join(folder, 'long') });
  const lines = readFileSync(files[0] ?? '', 'utf8')
    .trimEnd()
    .split('\n');
  expect(lines.map((line) => line.split(' ')[2])).toEqual(
    Array.from({ length: 4 }, () => ['P', 'P', 'F']).flat(),
  );
  for (const line of lines.filter((each) => each.includes(' P '))) {
    expect(line.slice(line.indexOf(' P ') + 3)).toHaveLength(16 * 1024);
  }
});
