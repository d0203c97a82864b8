// Everything that Cloud Logging and the way there can do wrong: nothing is lost, nothing doubled,
// and only what the API refuses for good is set aside.

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import { startAgentProcess, startEmulatorProcess, until } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { freePort } from '../support/free-port.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scene: Scene;
let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
useScene(4, (set) => {
  scene = set;
  ({ emulator, kubelet } = set);
  for (const pod of ['p', 'q', 'r']) {
    kubelet.startPod({ namespace: 'ns', pod, containers: [{ name: 'c', kind: 'text' }] });
  }
});

function startAgent(flags: readonly string[] = []): AgentProcess {
  return startAgentProcess({ ...scene.agent, flags });
}

function writeAll(lines: number): void {
  for (const container of kubelet.containers) container.writeNext(lines);
}

const allArrived = () => expectExactlyOnce({ kubelet, emulator });

describe('a pod that is deleted while its last lines are on their way', () => {
  test('is forgotten when they are acknowledged', async () => {
    const admin = await withAdmin();
    // Quick looks: many of them find no news before the answer comes.
    startAgent([...admin.flags, '--flush-interval-ms=50']);
    writeAll(20);
    await allArrived();
    await emulator.setFaults({ delayMs: 4_000 });
    const [pod] = kubelet.pods;
    pod?.container().writeNext(20);
    const inFlightBytes = async () => (await admin.status())?.inFlightBytes ?? 0;
    await until('a request waits', async () => (await inFlightBytes()) > 0);
    pod?.delete();
    await until('it is answered', async () => (await inFlightBytes()) === 0);
    await expectExactlyOnce({ kubelet, emulator }, { deletedToo: true });
    await until('the pod is forgotten', async () => {
      return (await admin.status())?.workloads.length === 2;
    });
  });
});

describe('a fault of the endpoint', () => {
  test('of half of all requests, at random, costs no line', async () => {
    const agent = startAgent(['--batch-bytes-max=16Ki']);
    await emulator.setFaults([
      { mode: 'status', status: 503, share: 0.15 },
      { mode: 'reset', share: 0.15, after: true },
      { mode: 'html', share: 0.15 },
      { delayMs: 30 },
    ]);
    writeAll(400);
    await allArrived();
    expect(await agent.stop()).toBe(0);
  });

  test('while files rotate leaves the bytes in the files', async () => {
    const agent = startAgent();
    writeAll(10);
    await allArrived();
    await emulator.setFaults({ mode: 'status', status: 503 });
    for (let round = 0; round < 3; round += 1) {
      const { requests } = await emulator.stats();
      writeAll(500);
      for (const container of kubelet.containers) await container.rotate();
      await until('it is refused', async () => (await emulator.stats()).requests > requests);
    }
    await emulator.setFaults({});
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });

  test('that takes the endpoint away and brings it back on the same port', async () => {
    const admin = await withAdmin();
    // One that no other process gets by chance while nobody listens on it.
    const port = await freePort();
    emulator = await startEmulatorProcess(port);
    startAgentProcess({ ...scene.agent, endpoint: emulator.url, flags: admin.flags });
    writeAll(10);
    await allArrived();
    await emulator.stop();
    writeAll(200);
    await until('it failed', async () => {
      const status = await admin.status();
      return status !== undefined && status.ship.consecutiveFailures > 0;
    });
    emulator = await startEmulatorProcess(port);
    // What had been answered is in the emulator that is gone: the rest must come to this one.
    await until('the rest came', async () => (await emulator.stats()).distinctEntries === 600);
    const verdict = await verifyShipped(emulator.url, kubelet.account());
    expect(verdict).toMatchObject({ lost: 30, doubled: 0, outOfOrder: 0, altered: 0, unknown: 0 });
  });
});

describe('an entry that the API refuses', () => {
  test.each([
    { name: 'with its index', details: true },
    { name: 'without saying which', details: false },
  ])('$name is set aside alone', async ({ details }) => {
    await emulator.setFaults({ mode: 'partial', pattern: 'poison', details });
    const agent = startAgent();
    writeAll(100);
    const [first, second] = kubelet.containers;
    first?.write(['poison of the first']);
    second?.write(['poison of the second']);
    writeAll(100);
    await until('the rest came', async () => (await emulator.stats()).distinctEntries === 600);
    const verdict = await verifyShipped(emulator.url, kubelet.account());
    expect(verdict).toMatchObject({ lost: 2, doubled: 0, outOfOrder: 0, altered: 0, unknown: 0 });
    expect(await agent.stop()).toBe(0);
    const letters = fs.readFileSync(path.join(scene.agent.stateDir, 'dead-letter.ndjson'), 'utf8');
    expect(letters.trimEnd().split('\n')).toHaveLength(2);
    expect(letters).toContain('poison of the first');
    expect(letters).toContain('poison of the second');
    expect(agent.log.join('\n')).toContain('SHIP_REJECTED');
  });
});
