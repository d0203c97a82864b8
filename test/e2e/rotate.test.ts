// A running agent under everything that kubelet, runtime and users do to log files.

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/fake-kubelet.ts';
import type { FakeKubelet, FakePod } from '../../src/emulator/fake-kubelet.ts';
import { writeAtRate } from '../../src/emulator/paced-writer.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
} from '../support/agent-process.ts';
import type { AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import { expectExactlyOnce } from '../support/verify.ts';

vi.setConfig({ testTimeout: 60_000 });

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;
let agent: AgentProcess;

function start(options: { readonly style?: 'containerd' | 'crio' } = {}): FakePod {
  const root = path.join(scratch.path, 'log');
  kubelet = createFakeKubelet({ root, seed: 3, filesMax: 5, ...options });
  const stateDir = path.join(scratch.path, 'state');
  agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url });
  return kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b'] });
}

/** Also what was in files that have been deleted since: the agent had them open. */
async function allArrived(): Promise<void> {
  await expectExactlyOnce({ kubelet, emulator }, { deletedToo: true });
}

/** Writes and waits until the agent has shipped it, so that it holds the file. */
async function settle(pod: FakePod): Promise<void> {
  for (const container of pod.containers) container.writeNext(20);
  await allArrived();
}

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

describe('rotation', () => {
  test('under load loses nothing, though files live for a second only', async () => {
    start();
    kubelet.startPod({ namespace: 'ns', pod: 'q', containers: ['a', 'b'] });
    const containers = kubelet.containers;
    const { rotations } = await writeAtRate({
      linesPerSecond: 8_000,
      seconds: 6,
      containers: () => containers,
      rotateBytes: 50_000,
      rotateCheckMs: 1_000,
    });
    expect(rotations).toBeGreaterThan(12);
    await allArrived();
    expect(agent.log).toEqual([]);
  });

  test.each(['containerd', 'crio'] as const)(
    'by %s with a long gap, and a record cut in two',
    async (style) => {
      const pod = start({ style });
      await settle(pod);
      const container = pod.container('a');
      for (let round = 0; round < 3; round += 1) {
        container.writeNext(10);
        await container.rotate({
          cutRecord: true,
          inGap: async () => {
            container.writeNext(round);
            await sleep(1_500);
            container.write([{ text: 'in the gap', partial: true }]);
          },
        });
        container.writeNext(10);
      }
      await allArrived();
      expect(agent.log).toEqual([]);
    },
  );

  test('whose reopening fails goes on in the file that got its name back', async () => {
    const pod = start();
    await settle(pod);
    const container = pod.container('a');
    await container.rotateStart();
    container.writeNext(10);
    await sleep(1_200);
    container.rotateUndo();
    container.writeNext(10);
    await allArrived();
    await container.rotate();
    container.writeNext(10);
    await allArrived();
    expect(agent.log).toEqual([]);
  });

  test('with slow compression is not disturbed by the .tmp and the .gz', async () => {
    const pod = start();
    await settle(pod);
    const container = pod.container('a');
    for (let round = 0; round < 3; round += 1) {
      container.writeNext(300);
      await container.rotate({ gzipPauseMs: 40 });
    }
    await allArrived();
    const { entries, distinctEntries } = await emulator.stats();
    expect(entries).toBe(distinctEntries);
    expect(agent.log).toEqual([]);
  });
});

describe('truncation', () => {
  test('copytruncate makes it begin anew, again and again', async () => {
    const pod = start();
    for (let round = 0; round < 4; round += 1) {
      await settle(pod);
      pod.container('a').copyTruncate({ keepCopy: round % 2 === 0 });
      // Longer than before at the agent's next look: only the content tells that it is another
      // file.
      pod.container('a').writeNext(round === 1 ? 60 : 3);
    }
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });

  test('of a file whose name CRI-O gives to a new one', async () => {
    const pod = start({ style: 'crio' });
    for (let round = 0; round < 3; round += 1) {
      await settle(pod);
      pod.container('a').replaceFile();
    }
    await settle(pod);
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });
});

describe('deletion', () => {
  test('of a file that is open loses nothing of it', async () => {
    const pod = start();
    await settle(pod);
    await emulator.setFaults({ mode: 'status', status: 503, forMs: 1_500 });
    for (const container of pod.containers) container.writeNext(500);
    await sleep(300);
    pod.delete();
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });

  test('of short-lived pods right after their last line', async () => {
    await settle(start());
    for (let run = 0; run < 20; run += 1) {
      const pod = kubelet.startPod({ namespace: 'jobs', pod: `job-${run}`, containers: ['c'] });
      pod.container().writeNext(10);
      await sleep(300);
      pod.container().writeNext(10);
      pod.delete();
    }
    await allArrived();
    expect((await emulator.stats()).distinctEntries).toBe(20 * 20 + 2 * 20);
  });

  test('of a pod that comes again under its name, as of a StatefulSet', async () => {
    let pod = start();
    for (let run = 0; run < 3; run += 1) {
      await settle(pod);
      pod.delete();
      pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b'] });
      pod.container('a').writeNext(5);
    }
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });
});

describe('restarts', () => {
  test('of a crash loop are all shipped, in order', async () => {
    const pod = start();
    const container = pod.container('a');
    await settle(pod);
    for (let run = 0; run < 12; run += 1) {
      container.writeNext(15);
      await sleep(300);
      container.write([{ text: 'died in the middle of', partial: true }]);
      pod.restartContainer(container);
    }
    container.writeNext(5);
    await allArrived();
    expect(agent.log).toEqual([]);
  });
});

describe('a file that cannot be read', () => {
  test.skipIf(process.getuid?.() === 0)('is read as soon as it may be', async () => {
    const pod = start();
    const { logPath } = pod.container('a');
    fs.chmodSync(logPath, 0);
    pod.container('a').writeNext(5);
    await sleep(1_500);
    fs.chmodSync(logPath, 0o644);
    await allArrived();
    expect(agent.log.join('\n')).toContain('FILE_UNREADABLE');
  });

  test('because its link leads nowhere yet is read when it does', async () => {
    const pod = start();
    const { logPath } = pod.container('a');
    fs.renameSync(logPath, `${logPath}.away`);
    pod.container('a').writeNext(5);
    await sleep(1_500);
    fs.renameSync(`${logPath}.away`, logPath);
    await allArrived();
    expect(agent.log).toEqual([]);
  });
});
