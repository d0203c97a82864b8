// A running agent under everything that kubelet, runtime and users do to log files.

import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet, FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;
let agent: AgentProcess;

type StartOptions = {
  readonly style?: 'containerd' | 'crio';
  readonly under?: readonly string[];
  readonly flags?: readonly string[];
};

function start({ style = 'containerd', under = [], flags = [] }: StartOptions = {}): FakePod {
  const root = path.join(scratch.path, 'log');
  kubelet = createFakeKubelet({ root, seed: 3, filesMax: 5, style });
  const stateDir = path.join(scratch.path, 'state');
  agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, under, flags });
  return kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b'] });
}

/** Also what was in files that have been deleted since: the agent had them open. */
async function allArrived(): Promise<void> {
  await expectExactlyOnce({ kubelet, emulator }, { deletedToo: true });
}

/** Waits until as many lines are there as were written, but for those that nobody ended yet. */
async function linesArrived({ unended = 0 } = {}): Promise<void> {
  const lines = accountLines(kubelet.account()) - unended;
  await until('the lines came', async () => (await emulator.stats()).distinctEntries >= lines);
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
    // About fifteen; each file once at least, however late the writer was.
    expect(rotations).toBeGreaterThanOrEqual(containers.length);
    await allArrived();
    expect(agent.warnings()).toEqual([]);
  });

  test.each(['containerd', 'crio'] as const)(
    'by %s with a long gap, and a record cut in two',
    async (style) => {
      // A gap may be longer on a loaded machine than a record is waited for by default.
      const pod = start({ style, flags: ['--partial-flush-ms=600000'] });
      await settle(pod);
      const container = pod.container('a');
      for (let round = 0; round < 3; round += 1) {
        container.writeNext(10);
        await container.rotate({
          cutRecord: true,
          inGap: async () => {
            container.writeNext(round);
            // So the agent has looked while there was no live file.
            await linesArrived({ unended: 1 });
            container.write([{ text: 'in the gap', partial: true }]);
          },
        });
        container.writeNext(10);
      }
      await allArrived();
      expect(agent.warnings()).toEqual([]);
    },
  );

  test('whose reopening fails goes on in the file that got its name back', async () => {
    const pod = start();
    await settle(pod);
    const container = pod.container('a');
    await container.rotateStart();
    container.writeNext(10);
    await linesArrived();
    container.rotateUndo();
    container.writeNext(10);
    await allArrived();
    await container.rotate();
    container.writeNext(10);
    await allArrived();
    expect(agent.warnings()).toEqual([]);
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
    expect(agent.warnings()).toEqual([]);
  });
});

describe('truncation', () => {
  test('copytruncate makes it start over, again and again', async () => {
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
    const { requests } = await emulator.stats();
    for (const container of pod.containers) container.writeNext(500);
    await until('it was refused', async () => (await emulator.stats()).requests > requests);
    pod.delete();
    await allArrived();
    expect(agent.isRunning()).toBe(true);
  });

  test('of short-lived pods right after their last line', async () => {
    await settle(start());
    for (let run = 0; run < 20; run += 1) {
      const pod = kubelet.startPod({ namespace: 'jobs', pod: `job-${run}`, containers: ['c'] });
      pod.container().writeNext(10);
      await linesArrived();
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
    // The last line of each run waits a second for the rest of it.
    for (let run = 0; run < 6; run += 1) {
      container.writeNext(15);
      await linesArrived({ unended: run });
      container.write([{ text: 'died in the middle of', partial: true }]);
      pod.restartContainer(container);
    }
    container.writeNext(5);
    await allArrived();
    expect(agent.warnings()).toEqual([]);
  });
});

describe('a file that cannot be read', () => {
  test('is read as soon as it may be', async () => {
    // Root may read everything, unless this is taken from it.
    const isRoot = process.getuid?.() === 0;
    const words = ['setpriv', '--bounding-set=-dac_override,-dac_read_search'];
    const pod = start({ under: isRoot ? words : [] });
    const { logPath } = pod.container('a');
    fs.chmodSync(logPath, 0);
    pod.container('a').writeNext(5);
    await until('it is told', () => agent.log.join('\n').includes('FILE_UNREADABLE'));
    expect((await emulator.stats()).distinctEntries).toBe(0);
    fs.chmodSync(logPath, 0o644);
    await allArrived();
  });

  test('because its link leads nowhere yet is read when it does', async () => {
    const pod = start();
    const { logPath } = pod.container('a');
    fs.renameSync(logPath, `${logPath}.away`);
    pod.container('a').writeNext(5);
    // Links are looked at together.
    pod.container('b').writeNext(5);
    await until('b came', async () => (await emulator.stats()).distinctEntries === 5);
    fs.renameSync(`${logPath}.away`, logPath);
    await allArrived();
    expect(agent.warnings()).toEqual([]);
  });
});
