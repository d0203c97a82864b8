// Which containers are read and how fast, from the configuration and from annotations of the pods,
// with the whole agent.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, withAdmin } from '../support/agent-status.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scratch: Scene['scratch'];
let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agent: Scene['agent'];
useScene(4, (scene) => ({ scratch, emulator, kubelet, agent } = scene));

function startPod(
  pod: string,
  lines: number,
  more: { namespace?: string; uid?: string } = {},
): FakePod {
  const started = kubelet.startPod({ namespace: 'shop', pod, containers: ['app'], ...more });
  started.container().writeNext(lines);
  return started;
}

/** How many entries came from each pod. */
async function shippedByPod(): Promise<Record<string, number>> {
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  const counts: Record<string, number> = {};
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const { resource } = JSON.parse(line) as { resource: { labels: Record<string, string> } };
    const pod = resource.labels['pod_name'] ?? '';
    counts[pod] = (counts[pod] ?? 0) + 1;
  }
  return counts;
}

describe('globs of the configuration', () => {
  test('choose what `--once` reads', async () => {
    startPod('web-0', 10);
    startPod('web-1', 10);
    startPod('db-0', 10);
    startPod('web-0', 10, { namespace: 'other' });
    const flags = ['--include=shop', '--exclude=*/db-*,shop/web-1'];
    expect((await runOnce({ ...agent, flags })).code).toBe(0);
    expect(await shippedByPod()).toEqual({ 'web-0': 10 });
  });

  test('can be changed while the agent runs; what was left out is read then, from its place', async () => {
    const config = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(config, 'exclude: []\n');
    const [web, db] = [startPod('web-0', 10), startPod('db-0', 10)];
    const { pid } = startAgentProcess({ ...agent, flags: [`--config=${config}`] });
    await expectExactlyOnce({ kubelet, emulator });
    const reload = (text: string) => {
      writeFileSync(config, text);
      process.kill(pid, 'SIGHUP');
    };
    reload('exclude: [shop/db-*]\n');
    await until('only web-0 is read', async () => {
      const before = await shippedByPod();
      db.container().writeNext(1);
      web.container().writeNext(1);
      await until(
        'web-0 moved on',
        async () => (await shippedByPod())['web-0']! > before['web-0']!,
      );
      return (await shippedByPod())['db-0'] === before['db-0'];
    });
    reload('exclude: []\n');
    await expectExactlyOnce({ kubelet, emulator });
  });
});

describe('a rate limit', () => {
  test('slows one container down, loses nothing of it, and leaves the others alone', async () => {
    // At this rate they take much longer than a loaded machine takes for the others.
    const loudLines = 20_000;
    const bytesPerSecond = 64 * 1024;
    const loudBytes = startPod('loud', loudLines).container().fileBytes;
    startPod('quiet', 100);
    const startedMs = performance.now();
    const flags = [`--rate-limit=shop/loud=${bytesPerSecond}`];
    const running = startAgentProcess({ ...agent, flags });
    await until('all of the quiet one came', async () => (await shippedByPod())['quiet'] === 100);
    const before = (await shippedByPod())['loud'] ?? 0;
    await until(
      'some more of the loud one',
      async () => ((await shippedByPod())['loud'] ?? 0) > before + 200,
    );
    const shipped = (await shippedByPod())['loud'] ?? 0;
    const seconds = (performance.now() - startedMs) / 1_000;
    expect(shipped).toBeLessThan(loudLines);
    // The first second's share is read at once; lines are not all of one length.
    const bytesMax = bytesPerSecond * (seconds + 1);
    expect(shipped * (loudBytes / loudLines)).toBeLessThan(bytesMax * 1.1);
    await running.stop();
    // Without the limit the rest comes at once, from where the first agent stopped.
    expect((await runOnce(agent)).code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
  });

  test('does not keep `--once` from its end', async () => {
    startPod('loud', 2_000);
    expect((await runOnce({ ...agent, flags: ['--rate-limit=*=1Ki'] })).code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
  });
});

describe('annotations of the pods', () => {
  test('hide a pod before its first line is read, and show it when they go', async () => {
    const server = new FakeApiServer();
    const node = 'gke-blue-pool-1-7f3a';
    const url = await server.listen();
    try {
      const flags = [`--kubernetes-api=${url}`, '--pod-annotations', '--metadata-wait-ms=30s'];
      startAgentProcess({ ...agent, flags });
      await until('it watches', () => server.watchCount === 1);
      const hidden = fakePod(1, { node, annotations: { 'tailship.dev/exclude': 'true' } });
      const shown = fakePod(2, { node });
      for (const { metadata } of [hidden, shown]) {
        startPod(metadata.name, 50, { uid: metadata.uid });
      }
      server.put(hidden);
      server.put(shown);
      await until('the other came', async () => (await shippedByPod())[shown.metadata.name] === 50);
      expect(await shippedByPod()).toEqual({ [shown.metadata.name]: 50 });
      server.put(fakePod(1, { node }));
      await expectExactlyOnce({ kubelet, emulator });
    } finally {
      await server.close();
    }
  });

  test('are obeyed from a reload on that switches them on', async () => {
    const server = new FakeApiServer();
    const node = 'gke-blue-pool-1-7f3a';
    const url = await server.listen();
    try {
      const config = path.join(scratch.path, 'tailship.yaml');
      writeFileSync(config, 'podAnnotations: false\n');
      const hidden = fakePod(1, { node, annotations: { 'tailship.dev/exclude': 'true' } });
      const other = fakePod(2, { node });
      server.put(hidden);
      server.put(other);
      const flags = [`--kubernetes-api=${url}`, '--metadata-wait-ms=30s', `--config=${config}`];
      const { pid, log } = startAgentProcess({ ...agent, flags });
      const { name } = hidden.metadata;
      const loud = startPod(name, 50, { uid: hidden.metadata.uid }).containers[0];
      const quiet = startPod(other.metadata.name, 50, { uid: other.metadata.uid }).containers[0];
      const shipped = async () => await shippedByPod();
      await until('it is read without them', async () => (await shipped())[name] === 50);
      writeFileSync(config, 'podAnnotations: true\n');
      process.kill(pid, 'SIGHUP');
      await until('the reload is told', () =>
        log.some((line) => /now in force|pod-?annotations/i.test(line)),
      );
      loud?.writeNext(50);
      quiet?.writeNext(50);
      const other100 = async () => (await shipped())[other.metadata.name] === 100;
      await until('the other came', other100);
      expect((await shipped())[name]).toBe(50);
    } finally {
      await server.close();
    }
  });

  test('slow a pod down, and no longer when they go while it is read', async () => {
    const server = new FakeApiServer();
    const node = 'gke-blue-pool-1-7f3a';
    const url = await server.listen();
    try {
      const { metadata } = fakePod(1, { node });
      server.put(fakePod(1, { node, annotations: { 'tailship.dev/rate-limit': '1Ki' } }));
      const flags = [`--kubernetes-api=${url}`, '--pod-annotations', '--metadata-wait-ms=30s'];
      startAgentProcess({ ...agent, flags });
      startPod(metadata.name, 3_000, { uid: metadata.uid });
      await until('some came', async () => ((await shippedByPod())[metadata.name] ?? 0) > 0);
      server.put(fakePod(1, { node }));
      await expectExactlyOnce({ kubelet, emulator });
    } finally {
      await server.close();
    }
  });

  test('of Fluent Bit parse, hide, and are told once where a parser is not known', async () => {
    const server = new FakeApiServer();
    const node = 'gke-blue-pool-1-7f3a';
    const url = await server.listen();
    try {
      const wishes: Record<string, string>[] = [
        { 'fluentbit.io/parser_stdout-app': 'logfmt' },
        { 'fluentbit.io/exclude': 'true' },
        { 'fluentbit.io/parser': 'of-mine' },
        { 'fluentbit.io/parser': 'of-mine' },
      ];
      const pods = wishes.map((annotations, at) => fakePod(at, { node, annotations }));
      for (const pod of pods) server.put(pod);
      const admin = await withAdmin();
      const flags = [`--kubernetes-api=${url}`, '--pod-annotations', '--metadata-wait-ms=30s'];
      const running = startAgentProcess({ ...agent, flags: [...flags, ...admin.flags] });
      for (const { metadata } of pods) {
        const pod = startPod(metadata.name, 0, { uid: metadata.uid });
        pod
          .container()
          .write([
            { text: 'level=warn msg="a b" n=1' },
            { text: 'level=warn msg=c', stream: 'stderr' },
          ]);
      }
      const all = await until('all came', async () => {
        const entries = await entriesOf(emulator.url);
        return entries.length === 6 ? entries : undefined;
      });
      const [parsed] = all.filter(({ jsonPayload }) => jsonPayload !== undefined);
      expect(parsed?.jsonPayload).toMatchObject({ msg: 'a b', n: '1' });
      expect(await shippedByPod()).not.toHaveProperty(pods[1]?.metadata.name ?? '');
      const told = running.warnings().filter((line) => line.includes('of-mine'));
      expect(told).toHaveLength(1);
      expect((await admin.status())?.unknownParsers).toBe(2);
    } finally {
      await server.close();
    }
  });
});
