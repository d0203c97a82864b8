// Builds the image for real and runs it as the manifests do: read-only root, no shell, nobody's
// rights but reading, logs from a mounted directory, entries to the emulator.
//
//   apt-get install buildah debootstrap libcap2-bin
//   TAILSHIP_SLOW=1 npx vitest run test/deploy/image.slow.test.ts     as root; some minutes

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { limits } from '../../src/config.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { makeScratch, startEmulatorProcess, stopAll, until } from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import { expectExactlyOnce } from '../support/verify.ts';
import { buildImage, missingForImage } from './image-build.ts';
import type { BuiltImage } from './image-build.ts';
import { runImage } from './image-run.ts';
import type { ImageProcess, Mount } from './image-run.ts';
import type { Container, Manifest } from './manifest-types.ts';

const missing = missingForImage();
const nobody = 65_532;
const baseDir = path.resolve(import.meta.dirname, '../../deploy/base');
const MiB = 2 ** 20;

let image: BuiltImage;
let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;
let adminUrl: string;
let running: ImageProcess[];

function agentContainer(): Container {
  const text = readFileSync(path.join(baseDir, 'daemonset.yaml'), 'utf8');
  const container = (parse(text) as Manifest).spec?.template?.spec.containers[0];
  if (container === undefined) throw new Error('the DaemonSet has no container');
  return container;
}

/** The volumes of the DaemonSet, from directories of this test. */
function nodeMounts(): Mount[] {
  const directory = (name: string): string => {
    const made = path.join(scratch.path, name);
    mkdirSync(made, { recursive: true });
    return made;
  };
  const config = directory('config');
  writeFileSync(
    path.join(config, 'tailship.yaml'),
    `endpoint: ${emulator.url}\nproject: acme-logs-42\nflushIntervalMs: 50\n`,
  );
  // The links lead to the node's path, as the kubelet's do.
  const links = directory('links');
  for (const name of readdirSync(kubelet.containersDir)) {
    const target = readlinkSync(path.join(kubelet.containersDir, name));
    symlinkSync(target.replace(kubelet.podsDir, '/var/log/pods'), path.join(links, name));
  }
  return [
    { target: '/etc/tailship', source: config, readOnly: true },
    { target: '/var/log/containers', source: links, readOnly: true },
    { target: '/var/log/pods', source: kubelet.podsDir, readOnly: true },
    { target: '/var/lib/tailship', source: directory('state'), readOnly: false },
  ];
}

/** Files that nobody but their owner, who is not root either, may read without a capability. */
function hideLogs(): void {
  for (const found of readdirSync(kubelet.podsDir, { recursive: true, withFileTypes: true })) {
    const file = path.join(found.parentPath, found.name);
    chownSync(file, 1_234, 1_234);
    chmodSync(file, found.isDirectory() ? 0o700 : 0o600);
  }
}

function startAgent(capabilities: readonly string[]): ImageProcess {
  const agent = runImage(image, {
    args: agentContainer().args ?? [],
    mounts: nodeMounts(),
    environment: { TAILSHIP_ADMIN_ADDRESS: new URL(adminUrl).host, TAILSHIP_NODE: 'node-1' },
    user: 0,
    capabilities,
  });
  running.push(agent);
  return agent;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function statusNow(): Promise<AgentStatus> {
  return (await (await fetch(`${adminUrl}/api/status`)).json()) as AgentStatus;
}

async function isUp(): Promise<true | undefined> {
  const answer = await fetch(`${adminUrl}/livez`).catch(() => undefined);
  return answer?.status === 200 || undefined;
}

describe.skipIf(missing !== '')(`the image (missing here: ${missing || 'nothing'})`, () => {
  beforeAll(() => {
    image = buildImage();
  }, 1_200_000);

  afterAll(() => image.remove(), 120_000);

  beforeEach(async () => {
    scratch = makeScratch();
    emulator = await startEmulatorProcess();
    kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 1 });
    adminUrl = `http://127.0.0.1:${await freePort()}`;
    running = [];
  });

  afterEach(async () => {
    await Promise.all(running.map((each) => each.stop()));
    kubelet.close();
    await stopAll();
    scratch.remove();
  });

  test('is small, and has no shell', () => {
    console.log(`the image has ${(image.bytes / MiB).toFixed(0)} MiB`);
    expect(image.bytes).toBeLessThan(200 * MiB);
    for (const shell of ['bin/sh', 'usr/bin/sh', 'bin/bash', 'usr/bin/bash', 'bin/busybox']) {
      expect(existsSync(path.join(image.rootDir, shell))).toBe(false);
    }
  });

  test('ships as the DaemonSet runs it: read-only root, the right to read, nothing else', async () => {
    const { capabilities } = agentContainer().securityContext ?? {};
    expect(capabilities).toEqual({ drop: ['ALL'], add: ['DAC_READ_SEARCH'] });
    for (let pod = 0; pod < 20; pod += 1) {
      const options = { namespace: 'ns', pod: `pod-${pod}`, containers: ['main'] };
      kubelet.startPod(options).container().writeNext(10);
    }
    hideLogs();
    const agent = startAgent(['DAC_READ_SEARCH']);
    await until('the agent is up', isUp);
    await expectExactlyOnce({ kubelet, emulator });
    const idle = await statusNow();
    for (const container of kubelet.containers) container.writeNext(5_000);
    await expectExactlyOnce({ kubelet, emulator });
    const busy = await statusNow();
    const mib = (bytes: number): string => (bytes / MiB).toFixed(0);
    console.log(`RSS ${mib(idle.rssBytes)} MiB idle, ${mib(busy.rssBytes)} MiB after a burst`);
    // The compile cache is found: without it types are stripped in two threads, 50 MB more.
    expect(idle.rssBytes).toBeLessThan(limits.baseRssBytes + 24 * MiB);
    expect((await fetch(`${adminUrl}/readyz`)).status).toBe(200);
    expect(await agent.stop()).toBe(0);
    expect(agent.output.filter((line) => line.includes('"ERROR"'))).toEqual([]);
    expect(existsSync(path.join(scratch.path, 'state/checkpoints.sqlite'))).toBe(true);
  }, 120_000);

  test('reads nothing without that right, says so, and stays up', async () => {
    kubelet
      .startPod({ namespace: 'ns', pod: 'p', containers: ['main'] })
      .container()
      .writeNext(10);
    hideLogs();
    const agent = startAgent([]);
    await until('the agent is up', isUp);
    await until('the agent says why', () => {
      return agent.output.some((line) => /LINK_REFUSED|FILE_UNREADABLE/.test(line)) || undefined;
    });
    expect((await emulator.stats()).entries).toBe(0);
  });

  test('ships as the sidecar runs it: a user without any right, plain lines', async () => {
    const logs = path.join(scratch.path, 'app');
    const state = path.join(scratch.path, 'state');
    for (const directory of [logs, state]) mkdirSync(directory);
    chownSync(state, nobody, nobody);
    writeFileSync(path.join(logs, 'app.log'), 'one\ntwo\n');
    const agent = runImage(image, {
      args: ['run', '--format', 'raw', '--raw-path', '/logs/*.log', '--endpoint', emulator.url],
      mounts: [
        { target: '/logs', source: logs, readOnly: true },
        { target: '/var/lib/tailship', source: state, readOnly: false },
      ],
      environment: { TAILSHIP_ADMIN_ADDRESS: new URL(adminUrl).host, TAILSHIP_POD: 'app-0' },
      user: nobody,
      capabilities: [],
    });
    running.push(agent);
    await until('both lines have arrived', async () => {
      return (await emulator.stats()).distinctEntries === 2 || undefined;
    }).catch((error: unknown) => {
      throw new Error(agent.output.join('\n'), { cause: error });
    });
    expect(await agent.stop()).toBe(0);
  });
});
