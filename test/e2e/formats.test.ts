// Formats other than CRI, through the real agent and emulator.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { startEmulator, type Emulator } from '../../src/emulator/server/server.ts';
import { runOnceProcess } from '../support/run-once.ts';

let root: string;
let emulator: Emulator;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'formats-'));
  emulator = await startEmulator({ port: 0 });
});
afterEach(async () => {
  await emulator.close();
  rmSync(root, { recursive: true, force: true });
});

async function entries(): Promise<Record<string, unknown>[]> {
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('raw lines become entries of the pod that was named, JSON is taken apart, CR LF is a line end', async () => {
  writeFileSync(join(root, 'app.log'), 'one\r\n{"severity":"ERROR","message":"two","n":2}\nthree');
  const summary = await runOnceProcess(root, emulator.url, [
    '--format',
    'raw',
    '--raw-path',
    join(root, '*.log'),
    '--pod',
    'web-0',
    '--namespace',
    'shop',
    '--container',
    'app',
  ]);
  expect(summary).toMatchObject({ lines: 3, entries: 3 });
  const arrived = await entries();
  expect(arrived).toMatchObject([
    { textPayload: 'one', severity: 'INFO' },
    { jsonPayload: { message: 'two', n: 2 }, severity: 'ERROR' },
    { textPayload: 'three', severity: 'INFO' },
  ]);
  for (const { resource } of arrived) {
    expect(resource).toMatchObject({
      type: 'k8s_container',
      labels: { namespace_name: 'shop', pod_name: 'web-0', container_name: 'app' },
    });
  }
});

test('docker json-file lines are joined by the missing newline and named by the link', async () => {
  const id = 'ab'.repeat(32);
  const directory = join(root, 'docker', id);
  mkdirSync(directory, { recursive: true });
  mkdirSync(join(root, 'containers'));
  const line = (log: string, second: number, stream = 'stdout') =>
    `${JSON.stringify({ log, stream, time: `2024-03-05T14:07:0${second}.5Z` })}\n`;
  writeFileSync(
    join(directory, `${id}-json.log`),
    line('first\n', 1) +
      line('half ', 2) +
      line('err\n', 3, 'stderr') +
      line('whole\n', 4) +
      line('{"severity":"WARNING","message":"m","k":1}\n', 5),
  );
  const link = join(root, 'containers', `web-0_shop_app-${id}.log`);
  symlinkSync(join(directory, `${id}-json.log`), link);
  await runOnceProcess(root, emulator.url, [
    '--containers-dir',
    join(root, 'containers'),
    '--log-root',
    join(root, 'docker'),
  ]);
  const arrived = await entries();
  expect(arrived).toMatchObject([
    { textPayload: 'first', timestamp: '2024-03-05T14:07:01.500Z' },
    { textPayload: 'half whole', timestamp: '2024-03-05T14:07:02.500Z' },
    { textPayload: 'err', severity: 'ERROR', timestamp: '2024-03-05T14:07:03.500Z' },
    { jsonPayload: { message: 'm', k: 1 }, severity: 'WARNING' },
  ]);
  expect(arrived[0]?.['resource']).toMatchObject({
    labels: { pod_name: 'web-0', container_name: 'app' },
  });
});

test('a file whose name and path name no pod ships as the node’s, with its path as a label', async () => {
  mkdirSync(join(root, 'pods', 'odd'), { recursive: true });
  mkdirSync(join(root, 'containers'));
  const path = join(root, 'pods', 'odd', 'thing.log');
  writeFileSync(path, '2024-03-05T14:07:21.5Z stdout F x\n');
  symlinkSync(path, join(root, 'containers', 'thing.log'));
  await runOnceProcess(root, emulator.url, [
    '--containers-dir',
    join(root, 'containers'),
    '--log-root',
    join(root, 'pods'),
    '--node',
    'node-1',
  ]);
  expect(await entries()).toMatchObject([
    {
      textPayload: 'x',
      resource: { type: 'k8s_node', labels: { node_name: 'node-1' } },
      labels: { 'tailship.dev/path': path },
    },
  ]);
});
