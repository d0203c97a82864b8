// The node's own log files go to the logs of their names, each line once, over logrotate's
// rotations.

import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { type Scene, useScene } from '../support/scene.ts';

type Shipped = {
  readonly logName: string;
  readonly severity?: string;
  readonly labels?: object;
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> };
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
};

let scene: Scene;
let logs: string;
useScene(9, (given) => (scene = given));

beforeEach(() => {
  logs = path.join(scene.scratch.path, 'var log');
  mkdirSync(logs);
  scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
});

function file(name: string): string {
  return path.join(logs, name);
}

function agentOf(...files: string[]): Scene['agent'] {
  const journal = `--journal-dir=${path.join(scene.scratch.path, 'none')}`;
  const flags = files.map((each) => `--node-file=${each}`);
  return { ...scene.agent, flags: ['--node-logs=auto', journal, ...flags] };
}

async function shipped(logName: string): Promise<Shipped[]> {
  const answer = await fetch(`${scene.emulator.url}/emulator/entries`);
  const text = (await answer.text()).trim();
  const all = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Shipped);
  return all.filter((entry) => entry.logName === `projects/acme-logs-42/logs/${logName}`);
}

test('a text file is the log of its name, of the node, without labels', async () => {
  writeFileSync(file('audit.log'), 'one\ntwo\n');
  const agent = agentOf(`audit=${file('audit.log')}`);
  // Whoever chooses containers has not chosen against the node.
  const { code, stderr } = await runOnce({ ...agent, flags: [...agent.flags!, '--include=shop'] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const entries = await shipped('audit');
  expect(entries.map(({ textPayload }) => textPayload)).toEqual(['one', 'two']);
  expect(entries[0]?.resource).toMatchObject({
    type: 'k8s_node',
    labels: { node_name: 'gke-blue-pool-1-7f3a' },
  });
  expect(entries[0]?.labels).toBeUndefined();
});

test('the rules for containers hold for node files under the namespace _node', async () => {
  writeFileSync(file('a.log'), 'token=abc\n');
  writeFileSync(file('b.log'), 'token=abc\n');
  const agent = agentOf(`a=${file('a.log')}`, `b=${file('b.log')}`);
  const rules = ['--redact=_node/*/a=token=[a-z]+', '--exclude=_node/*/b'];
  await runOnce({ ...agent, flags: [...agent.flags!, ...rules] });
  expect((await shipped('a')).map(({ textPayload }) => textPayload)).toEqual(['[REDACTED]']);
  expect(await shipped('b')).toEqual([]);
});

test("the log of a pod's sandbox is the pod's", async () => {
  const folder = path.join(
    scene.kubelet.podsDir,
    'shop_cart-0_11111111-2222-3333-4444-555555555555',
  );
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'gvisor.log'), 'sandbox started\n');
  const { code } = await runOnce(agentOf());
  expect(code).toBe(0);
  const [entry] = await shipped('gvisor');
  expect(entry?.textPayload).toBe('sandbox started');
  expect(entry?.resource).toMatchObject({
    type: 'k8s_pod',
    labels: { namespace_name: 'shop', pod_name: 'cart-0', cluster_name: 'blue' },
  });
});

test('JSON, glog of several lines and syslog heads are taken apart', async () => {
  writeFileSync(file('a.json'), '{"message":"m","severity":"ERROR","n":1}\n');
  const glog = [
    'E1128 09:00:00.123456    1 proxier.go:12] first',
    '  second',
    'I1128 09:00:01.000000    1 a.go:1] next',
    // With a year, and of the letters that only GKE's parser knows.
    'W20241128 09:00:02.000000    1 a.go:1] dated',
    'N1128 09:00:03.000000    1 a.go:1] noted',
    'A20241128 09:00:04.000000    1 a.go:1] alarm',
    '  and why',
  ];
  writeFileSync(file('proxy.log'), `${glog.join('\n')}\n`);
  const syslog = [
    '<13>Nov 28 09:00:00 node1 startup[77]: hello there',
    'bare line',
    'Nov  5 09:00:00 node1 padded: x',
    'Nov 5 09:00:00 node1 narrow: x',
  ];
  writeFileSync(file('sys.log'), `${syslog.join('\n')}\n`);
  const files = [
    `j=${file('a.json')}:json`,
    `g=${file('proxy.log')}:glog`,
    `s=${file('sys.log')}:syslog`,
  ];
  const { code } = await runOnce(agentOf(...files));
  expect(code).toBe(0);
  expect(await shipped('j')).toMatchObject([
    { severity: 'ERROR', jsonPayload: { message: 'm', n: 1 } },
  ]);
  const [first, next, ...others] = await shipped('g');
  expect(first).toMatchObject({ severity: 'ERROR', jsonPayload: { message: 'first\n  second' } });
  expect(next).toMatchObject({ severity: 'INFO', jsonPayload: { message: 'next' } });
  expect(others).toMatchObject([
    { severity: 'WARNING', jsonPayload: { message: 'dated' } },
    { severity: 'NOTICE', jsonPayload: { message: 'noted' } },
    { severity: 'ALERT', jsonPayload: { message: 'alarm\n  and why' } },
  ]);
  const [headed, bare, ...days] = await shipped('s');
  expect(headed?.jsonPayload).toEqual({
    pri: '13',
    host: 'node1',
    ident: 'startup',
    pid: '77',
    message: 'hello there',
  });
  expect(bare?.textPayload).toBe('bare line');
  expect(days.map(({ jsonPayload }) => jsonPayload)).toEqual(
    ['padded', 'narrow'].map((ident) => ({ host: 'node1', ident, message: 'x' })),
  );
});

test("each line is shipped once over logrotate's rotations, also over kills", async () => {
  const live = file('app.log');
  const words = `app=${file('*.log')}`;
  const expected: string[] = [];
  const write = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      expected.push(`line ${expected.length}`);
      appendFileSync(live, `${expected.at(-1)}\n`);
    }
  };
  const arrived = async () => (await shipped('app')).length >= expected.length;
  write(1);
  await runOnce(agentOf(words));
  let agent = startAgentProcess(agentOf(words));
  write(50);
  await until('the first lines came', arrived);
  renameSync(live, `${live}-20261128`);
  write(50);
  await agent.kill();
  write(50);
  agent = startAgentProcess(agentOf(words));
  await until('the lines after a rename came', arrived);
  copyFileSync(live, `${live}.1`);
  truncateSync(live, 0);
  write(50);
  await until('the lines after copytruncate came', arrived);
  expect(await agent.stop()).toBe(0);
  const texts = (await shipped('app')).map(({ textPayload }) => textPayload);
  expect(texts).toHaveLength(expected.length);
  expect(new Set(texts)).toEqual(new Set(expected));
});

test('what was compressed or numbered while no agent ran is read from its rotations', async () => {
  const live = file('app.log');
  const agent = agentOf(`app=${live}`);
  writeFileSync(live, 'zero\none\n');
  await runOnce(agent);
  appendFileSync(live, 'two\n');
  renameSync(live, `${live}.1`);
  writeFileSync(`${live}.2.gz`, gzipSync(readFileSync(`${live}.1`)));
  rmSync(`${live}.1`);
  writeFileSync(`${live}.1`, 'three\n');
  writeFileSync(live, 'four\n');
  const { code, stderr } = await runOnce(agent);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const texts = (await shipped('app')).map(({ textPayload }) => String(textPayload));
  // Lines of several files that are read at one time have no order.
  expect(texts).toHaveLength(5);
  expect(new Set(texts)).toEqual(new Set(['zero', 'one', 'two', 'three', 'four']));
});

test('the policy action log has the time that its lines name', async () => {
  const line = { timestamp: '2026-11-28T09:00:00.123456789Z', policy: 'deny', count: 2 };
  writeFileSync(file('policy.log'), `${JSON.stringify(line)}\nno JSON\n`);
  const { code } = await runOnce(agentOf(`policy-action=${file('policy.log')}:json`));
  expect(code).toBe(0);
  const [first, second] = await shipped('policy-action');
  expect(first).toMatchObject({
    timestamp: '2026-11-28T09:00:00.123456789Z',
    jsonPayload: { policy: 'deny', count: 2 },
  });
  expect(second?.textPayload).toBe('no JSON');
});

test('a first start begins at the end of a file, and with what appears later at its beginning', async () => {
  writeFileSync(file('old.log'), 'old\n');
  const agent = startAgentProcess(agentOf(`f=${file('*.log')}`));
  await until('it has begun', () => agent.log.some((line) => line.includes(' ships ')));
  appendFileSync(file('old.log'), 'new\n');
  writeFileSync(file('later.log'), 'later\n');
  await until('both came', async () => (await shipped('f')).length >= 2);
  const texts = (await shipped('f')).map(({ textPayload }) => textPayload);
  expect(new Set(texts)).toEqual(new Set(['later', 'new']));
  expect(await agent.stop()).toBe(0);
});
