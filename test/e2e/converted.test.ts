// A configuration of fluentd is converted and run, with the real process: its entries are those
// that the filters ask for.

import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runOnce } from '../support/agent-process.ts';
import { entriesOf } from '../support/agent-status.ts';
import { type Scene, useScene } from '../support/scene.ts';

let scene: Scene;
useScene(72, (next) => {
  scene = next;
});

const root = path.resolve(import.meta.dirname, '../..');

test('what `tailship convert -` prints does what the filters of fluentd did', async () => {
  const conf = path.join(root, 'test/convert/configurations/fluentd-rules.conf');
  const yaml = execFileSync(
    process.execPath,
    [path.join(root, 'src/main.ts'), 'convert', 'fluentd', '-'],
    {
      input: readFileSync(conf),
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const config = path.join(scene.scratch.path, 'tailship.yaml');
  writeFileSync(config, yaml);
  const { kubelet, emulator, agent } = scene;
  for (const [namespace, pod] of [
    ['shop', 'shop-1'],
    ['dev', 'shop-2'],
    ['ns', 'fluentd-x'],
  ] as const) {
    const { logPath } = kubelet.startPod({ namespace, pod, containers: ['app'] }).container();
    const lines = ['ERROR 500 card 1234-5678', 'INFO 200 GET /healthz', 'INFO 200 login user=joe'];
    const time = '2026-07-01T10:00:00.00000000';
    const cri = lines.map((line, at) => `${time}${at}Z stdout F ${line}\n`);
    appendFileSync(logPath, cri.join(''));
  }
  const { code, stderr } = await runOnce({ ...agent, flags: ['--config', config] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const entries = await entriesOf(emulator.url);
  expect(entries).toHaveLength(2);
  expect(entries).toMatchObject([
    {
      severity: 'ERROR',
      labels: { env: 'prod', team: 'x' },
      jsonPayload: { message: 'card XXXX', code: 500, team: 'core' },
    },
    { severity: 'INFO', jsonPayload: { message: 'login user=-', code: 200, team: 'core' } },
  ]);
});
