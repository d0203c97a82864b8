// What only a descriptor of the agent keeps, of pods that are deleted while the API is down,
// outlives the agent: killed, by a user or for want of memory, stopped past its grace period, in
// the middle of a copy.

import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

import type { FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startAgentProcess, until } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { holdsOpen, withAdmin } from '../support/agent-status.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';
import { makeMemoryCgroup, type MemoryCgroup } from '../support/memory-cgroup.ts';
import { useScene, type Scene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

const node = 'gke-blue-pool-1-7f3a';
/** As nodes have it, not the fast clock of the tests. */
const slowClock = '--flush-interval-ms=1000';

let scene: Scene;
useScene(11, (made) => (scene = made));

let server: FakeApiServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const orphansDir = () => path.join(scene.agent.stateDir, 'orphans');
const orphans = () => (fs.existsSync(orphansDir()) ? fs.readdirSync(orphansDir()) : []);
const copies = () => orphans().filter((name) => name.endsWith('.json')).length;
const mebibyte = 1024 * 1024;
const down = { mode: 'status', status: 503 } as const;

/** Takes the room of an agent that works on, until the kernel kills it. */
async function starve(agent: AgentProcess, cgroup: MemoryCgroup): Promise<void> {
  await until('it is killed', () => {
    cgroup.squeeze();
    return !agent.isRunning();
  });
}

/** Whether the agent holds a file of this pod open. */
function isOpen({ pid }: AgentProcess, { directory }: FakePod): boolean {
  return holdsOpen(pid, directory);
}

function startPods(count: number, lines: number): FakePod[] {
  return Array.from({ length: count }, (_, index) => {
    const pod = scene.kubelet.startPod({ namespace: 'ns', pod: `p-${index}`, containers: ['c'] });
    pod.container().writeNext(lines);
    return pod;
  });
}

async function areOpen(agent: AgentProcess, pods: readonly FakePod[]): Promise<void> {
  // Twice: a file is opened for a moment to see what it is.
  let looks = 0;
  await until('all logs are open', () => {
    looks = pods.every((pod) => isOpen(agent, pod)) ? looks + 1 : 0;
    return looks === 2;
  });
}

/** Ships what is there with the endpoint well again, and looks for all of it. */
async function expectAllAfterRestart(flags: readonly string[] = []): Promise<void> {
  await scene.emulator.setFaults({});
  const agent = startAgentProcess({ ...scene.agent, flags });
  await expectExactlyOnce(scene, { deletedToo: true });
  // Of a copy, the record goes first and its bytes after it.
  await until('the copies are removed', () => orphans().length === 0);
  expect(await agent.stop()).toBe(0);
}

async function labelsOfEntries(): Promise<Record<string, string>[]> {
  const text = await (await fetch(`${scene.emulator.url}/emulator/entries`)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { resource, labels } = JSON.parse(line) as Record<string, { labels?: object }>;
    return { ...resource?.labels, ...labels } as Record<string, string>;
  });
}

describe('a pod deleted while the API is down', () => {
  /** An agent that knows the pod, and its 50 unread lines that it had 3 s to save. */
  async function deleteUnread(
    api: readonly string[],
    under: readonly string[] = [],
  ): Promise<AgentProcess> {
    const known = fakePod(1, { node });
    server?.put(known);
    const { namespace, name, uid } = known.metadata;
    const pod = scene.kubelet.startPod({ namespace, pod: name, uid, containers: ['app'] });
    const agent = startAgentProcess({ ...scene.agent, flags: [slowClock, ...api], under });
    pod.container().writeNext(1);
    await expectExactlyOnce(scene);
    await scene.emulator.setFaults(down);
    pod.container().writeNext(50);
    await areOpen(agent, [pod]);
    pod.delete();
    server?.remove(uid);
    const deletedMs = performance.now();
    await until('three seconds are over', () => performance.now() - deletedMs >= 3_000);
    return agent;
  }

  async function expectOwnLabels(): Promise<void> {
    const { name, namespace } = fakePod(1, { node }).metadata;
    const labels = await labelsOfEntries();
    expect(labels).toHaveLength(51);
    for (const each of labels) {
      expect(each).toMatchObject({ pod_name: name, namespace_name: namespace });
      expect(each).toMatchObject({ container_name: 'app', 'k8s-pod/app': 'web' });
    }
  }

  test('is shipped whole, with its labels, by an agent whose predecessor was killed 3 s later', async () => {
    server = new FakeApiServer();
    const api = ['--kubernetes-api', await server.listen()];
    const agent = await deleteUnread(api);
    await agent.kill();
    expect(copies()).toBe(1);
    await expectAllAfterRestart(api);
    await expectOwnLabels();
  });

  test('is shipped whole, with its labels, though the kernel killed the agent for want of memory', async (context) => {
    const cgroup = makeMemoryCgroup(192 * mebibyte);
    if (cgroup === undefined) {
      context.skip('needs root, and a machine with memory cgroups');
      return;
    }
    context.onTestFinished(() => cgroup.remove());
    server = new FakeApiServer();
    const api = ['--kubernetes-api', await server.listen()];
    const agent = await deleteUnread(api, cgroup.under);
    expect({ isRunning: agent.isRunning(), kills: cgroup.oomKills() }).toEqual({
      isRunning: true,
      kills: 0,
    });
    await starve(agent, cgroup);
    expect({ kills: cgroup.oomKills(), code: await agent.stop() }).toEqual({
      kills: 1,
      code: null,
    });
    expect(copies()).toBe(1);
    await expectAllAfterRestart(api);
    await expectOwnLabels();
  });

  test('is one of 100 of a node that is drained', async () => {
    const pods = startPods(100, 20);
    await scene.emulator.setFaults(down);
    const agent = startAgentProcess({ ...scene.agent, flags: [slowClock] });
    await areOpen(agent, pods);
    for (const pod of pods) pod.delete();
    await until('all are copied', () => copies() === 100);
    await agent.kill();
    await expectAllAfterRestart();
  });

  test('is kept when the agent is stopped past its grace period', async () => {
    // Long enough for a loaded machine to delete a pod before it ends.
    const graceMs = 3_000;
    const pods = startPods(3, 40);
    await scene.emulator.setFaults(down);
    const agent = startAgentProcess({
      ...scene.agent,
      flags: [`--grace-ms=${graceMs}`, slowClock],
    });
    await areOpen(agent, pods);
    pods[0]?.delete();
    const stopped = agent.stop();
    // A drain goes on while the agent stops.
    pods[1]?.delete();
    expect(agent.isRunning()).toBe(true);
    expect(await stopped).toBe(0);
    pods[2]?.container().writeNext(5);
    await expectAllAfterRestart();
  });

  test('whose lines were acknowledged in part, and rotated, goes on where it was', async () => {
    const [pod] = startPods(1, 3_000);
    if (pod === undefined) return;
    const agent = startAgentProcess({ ...scene.agent, flags: ['--batch-bytes-max=64Ki'] });
    await until('some are there', async () => (await scene.emulator.stats()).distinctEntries > 500);
    await scene.emulator.setFaults(down);
    await pod.container().rotate();
    pod.container().writeNext(500);
    await areOpen(agent, [pod]);
    await until('the new file is open', () => {
      return fs.readdirSync(`/proc/${agent.pid}/fd`).some((fd) => {
        try {
          return fs.readlinkSync(`/proc/${agent.pid}/fd/${fd}`).endsWith('/0.log');
        } catch {
          return false;
        }
      });
    });
    pod.delete();
    await until('it is copied', () => copies() >= 1);
    const deletedMs = performance.now();
    await until('three seconds are over', () => performance.now() - deletedMs >= 3_000);
    await agent.kill();
    await expectAllAfterRestart();
  });

  test('is read from its copy when the API is up again, which gives its blocks back', async () => {
    const [pod] = startPods(1, 2_000);
    if (pod === undefined) return;
    await scene.emulator.setFaults(down);
    const admin = await withAdmin();
    const agent = startAgentProcess({ ...scene.agent, flags: admin.flags });
    await areOpen(agent, [pod]);
    pod.delete();
    await until('the original is closed', () => copies() === 1 && !isOpen(agent, pod));
    const { orphans: sums } = (await admin.status()) ?? {};
    expect(sums?.copiedBytes).toBeGreaterThan(100_000);
    expect(sums?.heldBytes).toBe(sums?.copiedBytes);
    await scene.emulator.setFaults({});
    await expectExactlyOnce(scene, { deletedToo: true });
    await until('the copy is removed', () => orphans().length === 0);
    expect(agent.isRunning()).toBe(true);
  });
});

test('nothing is copied while all is well', async () => {
  const admin = await withAdmin();
  startAgentProcess({ ...scene.agent, flags: [...admin.flags, slowClock] });
  for (let round = 0; round < 2; round += 1) {
    const pods = startPods(5, 200);
    await expectExactlyOnce(scene, { deletedToo: true });
    for (const pod of pods) pod.container().writeNext(20);
    await expectExactlyOnce(scene, { deletedToo: true });
    for (const pod of pods) pod.delete();
  }
  const status = await until('the last one is gone', async () => {
    const now = await admin.status();
    return now?.workloads.length === 0 ? now : undefined;
  });
  expect(status.orphans).toEqual({ copiedBytes: 0, heldBytes: 0, failures: 0, damaged: 0 });
  expect(fs.existsSync(orphansDir())).toBe(false);
});

describe('a copy', () => {
  /** A killed agent that has left the copies of two pods. */
  async function leaveCopies(): Promise<void> {
    const pods = startPods(2, 50);
    await scene.emulator.setFaults(down);
    const agent = startAgentProcess(scene.agent);
    await areOpen(agent, pods);
    for (const pod of pods) pod.delete();
    await until('both are copied', () => copies() === 2);
    await agent.kill();
  }

  test.each([
    ['bytes', '.log', 'damaged'],
    ['record', '.json', undefined],
  ])('with damaged %s is set aside and told, the others are shipped', async (_, suffix, reason) => {
    await leaveCopies();
    const name = orphans().find((each) => each.endsWith(suffix)) ?? '';
    const file = path.join(orphansDir(), name);
    const bytes = fs.readFileSync(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    fs.writeFileSync(file, bytes);
    await scene.emulator.setFaults({});
    const admin = await withAdmin();
    const agent = startAgentProcess({ ...scene.agent, flags: admin.flags });
    await until('the whole one is there', async () => {
      return (await scene.emulator.stats()).distinctEntries >= 50;
    });
    await until('the damaged one is told', () => /ORPHAN_CORRUPT/.test(agent.log.join('\n')));
    const status = await until('it is counted', async () => {
      const now = await admin.status();
      return now?.orphans?.damaged === 1 ? now : undefined;
    });
    if (reason !== undefined) expect(status.lostBytesByReason[reason]).toBeGreaterThan(1_000);
    await until('only what was set aside is left', () => {
      return orphans().length > 0 && orphans().every((each) => each.includes('.corrupt-'));
    });
    expect(await agent.stop()).toBe(0);
  });

  test('that a kill has left unfinished is removed', async () => {
    await leaveCopies();
    fs.writeFileSync(path.join(orphansDir(), 'x-1.log'), 'half of it');
    fs.writeFileSync(path.join(orphansDir(), 'x-1.json.tmp'), '{');
    await expectAllAfterRestart();
  });

  test('older than --held-age-max-ms is dropped and counted', async () => {
    await leaveCopies();
    const leftMs = performance.now();
    await until('they are a second old', () => performance.now() - leftMs > 1_000);
    const admin = await withAdmin();
    startAgentProcess({ ...scene.agent, flags: ['--held-age-max-ms=1000', ...admin.flags] });
    await until('both are counted', async () => {
      return ((await admin.status())?.lostBytesByReason['held_age'] ?? 0) > 1_000;
    });
    await until('the disk has their room back', () => orphans().length === 0);
  });
});
