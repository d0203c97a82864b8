// What rules make of the records, with the whole agent.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, withAdmin, type Shown } from '../support/agent-status.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';
import { type Scene, useScene } from '../support/scene.ts';

let scratch: Scene['scratch'];
let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agent: Scene['agent'];
useScene(6, (scene) => ({ scratch, emulator, kubelet, agent } = scene));

type RuledEntry = Shown & {
  readonly logName: string;
  readonly labels?: Readonly<Record<string, string>>;
};

function startContainer(pod = 'web-0', namespace = 'shop') {
  return kubelet.startPod({ namespace, pod, containers: ['app'] }).container();
}

function writeRules(yaml: string): string[] {
  const config = path.join(scratch.path, 'tailship.yaml');
  writeFileSync(config, yaml);
  return [`--config=${config}`];
}

async function shipped(): Promise<RuledEntry[]> {
  return (await entriesOf(emulator.url)) as RuledEntry[];
}

describe('what all entries of a container share', () => {
  test('labels, project, log name and resource are those of its rules', async () => {
    startContainer().write(['one', '{"message":"two","n":1}', '{"severity":"ERROR"}']);
    startContainer('db-0', 'data').write(['three']);
    const flags = writeRules(`
rules:
  - match: 'shop/*/*'
    labels: { team: core, tier: front }
    project: other-project
    logName: shop/app
  - match: { pod: web-0 }
    labels: { tier: back }
    resource: { cluster_name: elsewhere }
`);
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    const entries = await shipped();
    const ofShop = entries.filter(({ resource }) => resource.labels['pod_name'] === 'web-0');
    expect(ofShop).toHaveLength(3);
    for (const entry of ofShop) {
      expect(entry.logName).toBe('projects/other-project/logs/shop%2Fapp');
      expect(entry.labels).toMatchObject({ team: 'core', tier: 'back' });
      expect(entry.resource.labels['cluster_name']).toBe('elsewhere');
    }
    const [other] = entries.filter(({ resource }) => resource.labels['pod_name'] === 'db-0');
    expect(other?.logName).toMatch(/\/logs\/stdout$/);
    expect(other?.logName).not.toContain('other-project');
    expect(other?.labels).not.toHaveProperty('team');
  });

  test('labels may be those of the pod, and rules may ask for its labels', async () => {
    const server = new FakeApiServer();
    const url = await server.listen();
    const labels = { app: 'web', 'app.kubernetes.io/part-of': 'store' };
    const annotations = { 'example.com/owner': 'ann' };
    const pod = fakePod(1, { node: 'gke-blue-pool-1-7f3a', labels, annotations });
    server.put(pod);
    const { name, uid } = pod.metadata;
    kubelet
      .startPod({ namespace: 'shop', pod: name, uid, containers: ['app'] })
      .container()
      .write(['one']);
    const flags = writeRules(`
kubernetesApi: ${url}
rules:
  - match: { labels: { app: 'w*' } }
    labels:
      part: { podLabel: app.kubernetes.io/part-of }
      owner: { annotation: example.com/owner }
      none: { podLabel: absent }
      some: { annotation: absent, default: x }
  - match: { labels: { app: db } }
    labels: { wrong: 'yes' }
`);
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    await server.close();
    const [entry] = await shipped();
    expect(entry?.labels).toMatchObject({ part: 'store', owner: 'ann', some: 'x' });
    expect(Object.keys(entry?.labels ?? {})).not.toContain('none');
    expect(Object.keys(entry?.labels ?? {})).not.toContain('wrong');
  });
});

describe('several projects', () => {
  const rules = `
rules:
  - { match: denied, project: denied-project }
  - { match: other, project: other-project }
`;

  test.each([
    ['a 403', { mode: 'status', status: 403 } as const],
    ['a used-up quota', { mode: 'status', status: 429, retryAfterSeconds: 30 } as const],
  ])('%s of one delays no other', async (_, fault) => {
    await emulator.setFaults({ ...fault, pattern: 'of denied' });
    const denied = ['a', 'b', 'c', 'd'].map((pod) => startContainer(pod, 'denied'));
    const write = (round: number) => {
      for (const container of denied) {
        container.write(Array.from({ length: 1_500 }, () => `${'x'.repeat(400)} of denied`));
      }
      startContainer(`o${round}`, 'other').write([`round ${round} of other`]);
      startContainer(`s${round}`).write([`round ${round} of shop`]);
    };
    const texts = async () => (await shipped()).map(({ textPayload = '' }) => textPayload);
    const hasCome = async (text: string) => (await texts()).some((each) => each.endsWith(text));
    write(1);
    startAgentProcess({ ...agent, flags: [...writeRules(rules), '--flush-interval-ms=100'] });
    for (const round of [1, 2]) {
      if (round > 1) write(round);
      await until(
        `round ${round} came`,
        async () =>
          (await hasCome(`round ${round} of other`)) && (await hasCome(`round ${round} of shop`)),
      );
    }
    expect(await hasCome('of denied')).toBe(false);
  });

  test('what was refused comes when the project takes it', async () => {
    await emulator.setFaults({ mode: 'status', status: 403, pattern: 'of denied', times: 2 });
    startContainer('a', 'denied').write(['one of denied']);
    startContainer().write(['one of shop']);
    expect((await runOnce({ ...agent, flags: writeRules(rules) })).code).toBe(0);
    const entries = await shipped();
    const projects = entries.map(({ logName }) => logName.split('/')[1]);
    expect(new Set(projects)).toEqual(new Set(['acme-logs-42', 'denied-project']));
  });
});

test('rules change by a reload, whole or not at all', async () => {
  const container = startContainer();
  const admin = await withAdmin();
  const flags = [...writeRules('rules: []'), ...admin.flags];
  const { pid, log } = startAgentProcess({ ...agent, flags });
  await until('it runs', async () => (await admin.status()) !== undefined);
  const reload = async (yaml: string, result: 'accepted' | 'refused') => {
    const before = (await admin.status())?.configReloads[result] ?? 0;
    writeRules(yaml);
    process.kill(pid, 'SIGHUP');
    await until(
      `the file is ${result}`,
      async () => ((await admin.status())?.configReloads[result] ?? 0) > before,
    );
  };
  const ship = async (text: string) => {
    container.write([text]);
    const number = (await shipped()).length + 1;
    await until(`${text} came`, async () => (await shipped()).length >= number);
    return (await shipped()).at(-1);
  };
  expect(await ship('x=1 level=error')).toMatchObject({ severity: 'INFO' });
  await reload('rules: [{ parse: logfmt, severity: level, labels: { team: core } }]', 'accepted');
  const shaped = { severity: 'ERROR', labels: { team: 'core' } };
  expect(await ship('x=2 level=error')).toMatchObject(shaped);
  // The first rule is valid, but what is with it is not.
  await reload('rules: [{ set: { a: b } }, { drop: "(" }]', 'refused');
  const kept = await ship('x=3 level=error');
  expect(kept).toMatchObject(shaped);
  expect(kept?.jsonPayload).not.toHaveProperty('a');
  expect(log.some((line) => line.includes('rules[1].drop in '))).toBe(true);
  await reload('rules: []', 'accepted');
  const plain = await ship('x=4 level=error');
  expect(plain).toMatchObject({ severity: 'INFO' });
  expect(plain?.labels ?? {}).not.toHaveProperty('team');
});
