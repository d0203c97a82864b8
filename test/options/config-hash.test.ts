// The hash by which the nodes of a rollout are told apart.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { configHash } from '../../src/options/config-hash.ts';
import { configKeys, loadConfig } from '../../src/options/config-loader.ts';
import { makeConfig } from '../support/make-config.ts';

async function hashOf(text: string, environment: Record<string, string>): Promise<string> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tailship-hash-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'tailship.yaml');
  writeFileSync(file, text);
  const input = { command: 'run', flags: { config: file }, environment } as const;
  return configHash((await loadConfig(input)).config);
}

test('configHash() is the same on two nodes with the same options, however they are given', async () => {
  const first = await hashOf('exclude: [a, b]\nconnections: 3\n', { NODE_NAME: 'node-1' });
  const second = await hashOf('exclude: [a, b]\n', {
    NODE_NAME: 'node-2',
    TAILSHIP_CONNECTIONS: '3',
  });
  expect(first).toMatch(/^[0-9a-f]{12}$/);
  expect(second).toBe(first);
});

test('configHash() changes with the value of every option but those of one node', () => {
  const config = makeConfig({});
  const same = configKeys.filter((key) => {
    const other = { ...config, [key]: `not ${JSON.stringify(config[key])}` };
    return configHash(other) === configHash(config);
  });
  expect(same.toSorted()).toEqual(['config', 'node']);
});
