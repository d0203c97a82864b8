// What is hidden in the lines and which of them are left out, with the whole agent.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { severityNames } from '../../src/log-severity.ts';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, withAdmin } from '../support/agent-status.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';

let scratch: Scene['scratch'];
let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agent: Scene['agent'];
useScene(5, (scene) => ({ scratch, emulator, kubelet, agent } = scene));

function startContainer(pod = 'web-0') {
  return kubelet.startPod({ namespace: 'shop', pod, containers: ['app'] }).container();
}

/** Texts without the number that the fake kubelet begins each with. */
async function shippedTexts(): Promise<(string | undefined)[]> {
  const shipped = await entriesOf(emulator.url);
  return shipped.map(({ textPayload }) => textPayload?.replace(/^seq=\d+ /, ''));
}

describe('--redact', () => {
  test('hides what it matches in its containers, and in no others', async () => {
    startContainer('web-0').write(['login key=abc ok', '{"message":"key=abc","n":1}', 'plain']);
    startContainer('db-0').write(['login key=abc ok']);
    const flags = ['--redact=shop/web-*=key=\\w+'];
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    const shipped = await entriesOf(emulator.url);
    const ofWeb = shipped.filter(({ resource }) => resource.labels['pod_name'] === 'web-0');
    expect(ofWeb.map(({ textPayload, jsonPayload }) => textPayload ?? jsonPayload)).toEqual([
      'seq=1 login [REDACTED] ok',
      { message: '[REDACTED]', n: 1, seq: 2 },
      'seq=3 plain',
    ]);
    expect(await shippedTexts()).toContain('login key=abc ok');
  });

  test('can be changed while the agent runs, and an invalid pattern changes nothing', async () => {
    const config = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(config, 'redact: []\n');
    const container = startContainer();
    const admin = await withAdmin();
    const flags = [`--config=${config}`, ...admin.flags];
    const { pid } = startAgentProcess({ ...agent, flags });
    await until('it runs', async () => (await admin.status()) !== undefined);
    const reload = async (text: string, result: 'accepted' | 'refused') => {
      const before = (await admin.status())?.configReloads[result] ?? 0;
      writeFileSync(config, text);
      process.kill(pid, 'SIGHUP');
      await until(
        `the file is ${result}`,
        async () => ((await admin.status())?.configReloads[result] ?? 0) > before,
      );
    };
    const ship = async (text: string, expected: string) => {
      container.write([text]);
      await until(`${expected} came`, async () => (await shippedTexts()).includes(expected));
    };
    await ship('first key=a', 'first key=a');
    await reload('redact: ["shop=key=\\\\w{1,9}"]\n', 'accepted');
    await ship('second key=a', 'second [REDACTED]');
    await reload('redact: ["shop=("]\n', 'refused');
    await ship('third key=a', 'third [REDACTED]');
    expect((await admin.status())?.redacted).toBe(2);
    await reload('redact: []\n', 'accepted');
    await ship('fourth key=a', 'fourth key=a');
  });
});

describe('--sample', () => {
  test('ships the same lines whatever reads them, and counts the others', async () => {
    startContainer().writeNext(600);
    const flags = ['--sample=shop:INFO=0.5'];
    const admin = await withAdmin();
    const running = startAgentProcess({ ...agent, flags: [...flags, ...admin.flags] });
    await until('all is read', async () => (await admin.status())?.lines === 600);
    await until('all is acknowledged', async () => (await admin.status())?.behindBytes === 0);
    const status = await admin.status();
    expect(status?.entries).toBe(600 - (status?.sampledOut ?? 0));
    expect(status).toMatchObject({ lostBytesByReason: {}, readErrors: 0 });
    await running.stop();
    const first = (await entriesOf(emulator.url)).map(({ insertId }) => insertId);
    expect(first.length).toBe(status?.entries);
    expect(first.length).toBeGreaterThan(150);
    expect(first.length).toBeLessThan(450);
    // Another agent that knows no positions sends the same entries again, and no others.
    const stateDir = path.join(scratch.path, 'other-state');
    expect((await runOnce({ ...agent, stateDir, flags })).code).toBe(0);
    const second = (await entriesOf(emulator.url)).map(({ insertId }) => insertId);
    expect(new Set(second)).toEqual(new Set(first));
    // What was left out is read all the same: the next agent does not send it.
    expect((await runOnce(agent)).code).toBe(0);
    expect(new Set((await entriesOf(emulator.url)).map(({ insertId }) => insertId))).toEqual(
      new Set(first),
    );
  });

  test('moves on over a file of which it ships nothing, and back to all at a reload', async () => {
    const container = startContainer();
    container.writeNext(500);
    const none = severityNames.map((name) => `shop:${name}=0`);
    const flags = [`--sample=${none.join(',')}`];
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    expect(await entriesOf(emulator.url)).toEqual([]);
    const config = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(config, `sample: ${JSON.stringify(none)}\n`);
    const admin = await withAdmin();
    const { pid } = startAgentProcess({ ...agent, flags: [`--config=${config}`, ...admin.flags] });
    container.writeNext(100);
    await until('they are left out', async () => (await admin.status())?.sampledOut === 100);
    await until('their bytes are done', async () => (await admin.status())?.behindBytes === 0);
    const before = (await admin.status())?.configHash;
    writeFileSync(config, 'sample: []\n');
    process.kill(pid, 'SIGHUP');
    await until(
      'it is taken over',
      async () => (await admin.status())?.configReloads.accepted === 1,
    );
    expect((await admin.status())?.configHash).not.toBe(before);
    container.write(['the last line']);
    await until('it comes', async () => (await shippedTexts()).includes('the last line'));
    expect((await entriesOf(emulator.url)).length).toBe(1);
  });

  test('leaves severities alone that nobody named', async () => {
    const line = (severity: string) => JSON.stringify({ severity, message: 'm', n: 1 });
    startContainer().write(severityNames.map(line));
    const flags = ['--sample=*:DEBUG=0,*:INFO=0', '--sample=other:ERROR=0'];
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    const shipped = (await entriesOf(emulator.url)).map(({ severity = 'DEFAULT' }) => severity);
    const expected = severityNames.filter((name) => name !== 'DEBUG' && name !== 'INFO');
    expect(shipped.toSorted()).toEqual(expected.toSorted());
  });

  test('is lowered by the annotation of a pod, from its first line until it goes', async () => {
    const server = new FakeApiServer();
    const url = await server.listen();
    try {
      const flags = [`--kubernetes-api=${url}`, '--pod-annotations', '--metadata-wait-ms=30s'];
      startAgentProcess({ ...agent, flags });
      await until('it watches', () => server.watchCount === 1);
      const node = 'gke-blue-pool-1-7f3a';
      const annotations = { 'tailship.dev/sample': 'INFO=0' };
      const { metadata } = fakePod(1, { node, annotations });
      const options = { namespace: 'shop', pod: metadata.name, uid: metadata.uid };
      const container = kubelet.startPod({ ...options, containers: ['app'] }).container();
      container.write(['hidden', JSON.stringify({ severity: 'ERROR', message: 'shown' })]);
      server.put(fakePod(1, { node, annotations }));
      await until('the error came', async () => (await entriesOf(emulator.url)).length > 0);
      server.put(fakePod(1, { node }));
      await until('text is shipped again', async () => {
        container.write(['later']);
        return (await shippedTexts()).includes('later');
      });
      expect(await shippedTexts()).not.toContain('hidden');
    } finally {
      await server.close();
    }
  });
});
