// The whole agent beside an API server: labels arrive in the entries, and nothing is lost or held
// back for long when the API server is slow, gone or full of changes.

import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet, FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  makeScratch,
  runOnce,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { AgentOptions, EmulatorProcess } from '../support/agent-process.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';
import { expectExactlyOnce } from '../support/verify.ts';

const node = 'gke-blue-pool-1-7f3a';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;
let server: FakeApiServer;
let agent: AgentOptions;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
  kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 3 });
  server = new FakeApiServer();
  const flags = ['--kubernetes-api', await server.listen()];
  const stateDir = path.join(scratch.path, 'state');
  agent = { kubelet, stateDir, endpoint: emulator.url, flags };
});

afterEach(async () => {
  await stopAll();
  await server.close();
  scratch.remove();
});

/** A pod in the API server, in the kubelet, or in both, with 100 lines in its log. */
function startPod(number: number, where: 'both' | 'kubelet' = 'both'): FakePod {
  const pod = podOf(number);
  const { namespace, name, uid } = pod.metadata;
  if (where === 'both') server.put(pod);
  const started = kubelet.startPod({ namespace, pod: name, uid, containers: ['app'] });
  started.container().writeNext(100);
  return started;
}

function podOf(number: number, labels?: Record<string, string>) {
  return fakePod(number, { node, ...(labels !== undefined && { labels }) });
}

type Entry = {
  readonly resource: { readonly labels: Record<string, string> };
  readonly labels?: Record<string, string>;
};

async function entriesOf(number: number): Promise<Entry[]> {
  const { name } = podOf(number).metadata;
  return (await allEntries()).filter(({ resource }) => resource.labels['pod_name'] === name);
}

async function allEntries(): Promise<Entry[]> {
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  const entries =
    text.trim() === ''
      ? []
      : text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Entry);
  return entries;
}

const labelsOfCommonPod = {
  'compute.googleapis.com/resource_name': node,
  'k8s-pod/app': 'web',
  'k8s-pod/app_kubernetes_io/managed-by': 'Helm',
  'logging.gke.io/top_level_controller_type': 'Deployment',
  'logging.gke.io/top_level_controller_name': 'web',
};

describe('an agent with an API server', () => {
  test('labels every entry, in bodies of one container and of several', async () => {
    for (const number of [1, 2, 3]) startPod(number);
    expect((await runOnce(agent)).code).toBe(0);
    startPod(4);
    expect((await runOnce(agent)).code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
    for (const number of [1, 2, 3, 4]) {
      for (const { labels } of await entriesOf(number)) {
        expect(labels).toMatchObject(labelsOfCommonPod);
      }
    }
  });

  test('holds a new pod back until its labels come, and sends changed labels from then on', async () => {
    startAgentProcess({ ...agent, flags: [...(agent.flags ?? []), '--metadata-wait-ms=30s'] });
    await until('it watches', () => server.watchCount === 1);
    startPod(1, 'kubelet');
    startPod(2);
    await until(
      'the pod that is known is shipped',
      async () => (await entriesOf(2)).length === 100,
    );
    expect(await entriesOf(1)).toEqual([]);
    server.put(podOf(1));
    await until('the other is, too', async () => (await entriesOf(1)).length === 100);
    for (const { labels } of await entriesOf(1)) expect(labels).toMatchObject(labelsOfCommonPod);
    server.put(podOf(1, { app: 'renamed' }));
    const [container] = kubelet.containers;
    await until('an entry carries the new label', async () => {
      container?.writeNext(1);
      return (await entriesOf(1)).some(({ labels }) => labels?.['k8s-pod/app'] === 'renamed');
    });
    await expectExactlyOnce({ kubelet, emulator });
  });

  test.each([
    ['hangs', { kind: 'hang' }],
    ['refuses', { kind: 'status', status: 403 }],
  ] as const)('ships without labels, within the wait, when the server %s', async (_how, fault) => {
    server.fault = fault;
    startPod(1);
    const running = startAgentProcess({
      ...agent,
      flags: [...(agent.flags ?? []), '--metadata-wait-ms=300'],
    });
    await expectExactlyOnce({ kubelet, emulator });
    for (const { labels } of await entriesOf(1)) {
      expect(labels).toEqual({ 'compute.googleapis.com/resource_name': node });
    }
    if (fault.kind === 'status') {
      expect(running.log.join('\n')).toContain('POD_METADATA_UNAVAILABLE');
    }
  });

  test('loses nothing of pods that come and go 500 times a minute', async () => {
    startAgentProcess(agent);
    await until('it watches', () => server.watchCount === 1);
    const everyMs = 60_000 / 500;
    let number = 0;
    const started: FakePod[] = [];
    const timer = setInterval(() => {
      number += 1;
      started.push(startPod(number));
      const old = podOf(number - 5).metadata;
      if (number > 5) {
        server.remove(old.uid);
        started[number - 6]?.delete();
      }
      server.put(podOf(number, { app: 'web', round: String(number) }));
    }, everyMs);
    await until('60 pods were there', () => number >= 60);
    clearInterval(timer);
    await expectExactlyOnce({ kubelet, emulator }, { deletedToo: true });
    expect(server.counts).toMatchObject({ lists: 1, watches: 1 });
    const apps = (await allEntries()).map(({ labels }) => labels?.['k8s-pod/app']);
    expect(new Set(apps)).toEqual(new Set(['web']));
  });
});
