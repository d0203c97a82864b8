// Memory under an outage: what the agent holds does not grow with what waits in the files, and it
// fits into a real memory cgroup.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import { rssOf, withAdmin } from '../support/agent-status.ts';
import { makeMemoryCgroup } from '../support/memory-cgroup.ts';
import { expectExactlyOnce } from '../support/verify.ts';

const seconds = Number(process.env['TAILSHIP_OUTAGE_SECONDS'] ?? 30);
const linesPerSecond = 40_000;
const lineBytes = 250;
const mebibyte = 1024 * 1024;

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
  kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 8, filesMax: 50 });
  for (let pod = 0; pod < 10; pod += 1) {
    kubelet.startPod({
      namespace: 'ns',
      pod: `p-${pod}`,
      containers: [{ name: 'c', kind: 'text' }],
    });
  }
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
}, 120_000);

/** Writes about 10 MB/s through an outage; returns what the agent's memory was, sampled. */
async function outage(pid: number): Promise<number[]> {
  const samples: number[] = [];
  const all = kubelet.containers;
  await emulator.setFaults({ mode: 'status', status: 503 });
  const writing = writeAtRate({
    linesPerSecond,
    seconds,
    containers: () => all,
    tickMs: 50,
    rotateBytes: 10 * mebibyte,
    rotateCheckMs: 2_000,
  });
  while ((await Promise.race([writing, sleep(250)])) === undefined) samples.push(rssOf(pid));
  return samples;
}

test(
  'an outage under 10 MB/s leaves the memory flat, and is caught up with at full speed',
  { timeout: 900_000 },
  async () => {
    const admin = await withAdmin();
    const stateDir = path.join(scratch.path, 'state');
    const agent = startAgentProcess({
      kubelet,
      stateDir,
      endpoint: emulator.url,
      flags: [...admin.flags, '--flush-interval-ms=1000'],
    });
    await until('the agent runs', () => admin.status());
    const samples = await outage(agent.pid);
    const half = Math.floor(samples.length / 2);
    const [first, second] = [Math.max(...samples.slice(0, half)), Math.max(...samples.slice(half))];
    expect(await admin.probe('/livez')).toBe(200);
    const startMs = performance.now();
    await emulator.setFaults({});
    const isDone = async () => {
      const status = await admin.status();
      return status?.behindBytes === 0 && status.lines >= linesPerSecond * seconds;
    };
    await until('it caught up', isDone, { withinMs: 600_000, everyMs: 200 });
    const catchUpSeconds = (performance.now() - startMs) / 1_000;
    const status = await admin.status();
    const mebibytes = (bytes: number) => Math.round(bytes / mebibyte);
    process.stdout.write(
      `outage of ${seconds} s: RSS at most ${mebibytes(first)}, then ${mebibytes(second)} MiB; ` +
        `after it ${mebibytes(status?.rssBytes ?? 0)} MiB; caught up with ` +
        `${mebibytes(linesPerSecond * seconds * lineBytes)} MiB in ${catchUpSeconds.toFixed(1)} s\n`,
    );
    expect(second).toBeLessThan(first + 24 * mebibyte);
    expect(Math.max(first, second)).toBeLessThan(220 * mebibyte);
    await expectExactlyOnce({ kubelet, emulator }, { withinMs: 120_000 });
  },
);

const cgroup = makeMemoryCgroup(200 * mebibyte);
afterAll(() => cgroup?.remove());

test.skipIf(cgroup === undefined)(
  'an outage is survived in a cgroup of 200 MiB',
  { timeout: 900_000 },
  async () => {
    const { under = [] } = cgroup ?? {};
    const stateDir = path.join(scratch.path, 'state');
    const agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, under });
    const samples = await outage(agent.pid);
    await emulator.setFaults({});
    await expectExactlyOnce({ kubelet, emulator }, { withinMs: 600_000 });
    expect(agent.isRunning()).toBe(true);
    const rssMax = Math.max(...samples);
    process.stdout.write(
      `in a cgroup of 200 MiB: RSS at most ${Math.round(rssMax / mebibyte)} MiB\n`,
    );
    expect(rssMax).toBeLessThan(200 * mebibyte);
    expect(await agent.stop()).toBe(0);
  },
);
