// The limits of limits.test.ts in the sizes that users reported.

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCpuMeter } from '../../src/command/process-cost.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { AgentOptions, AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import { descriptorsOf, rssOf, withAdmin } from '../support/agent-status.ts';
import { runShortLivedPods } from './short-lived-pods.ts';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
  kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 6 });
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
}, 120_000);

function startAgent(options: Pick<AgentOptions, 'flags' | 'under'> = {}): AgentProcess {
  const stateDir = path.join(scratch.path, 'state');
  return startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, ...options });
}

function startPods(count: number): void {
  for (let pod = 0; pod < count; pod += 1) {
    kubelet.startPod({ namespace: 'ns', pod: `pod-${pod}`, containers: ['c'] });
  }
}

/** Milliseconds until so many entries are there. */
async function arrived(entries: number, withinMs = 120_000): Promise<number> {
  const startMs = performance.now();
  const isThere = async () => (await emulator.stats()).distinctEntries >= entries;
  await until(`${entries} entries came`, isThere, { withinMs, everyMs: 20 });
  return performance.now() - startMs;
}

test(
  '10,000 files are read with `ulimit -n 1024`, the busy ones without delay',
  { timeout: 300_000 },
  async () => {
    startPods(10_000);
    for (const container of kubelet.containers) container.writeNext(1);
    const agent = startAgent({
      under: ['prlimit', '--nofile=1024'],
      flags: ['--flush-interval-ms=1000'],
    });
    await arrived(10_000);
    await sleep(5_000); // They fall asleep after some looks.
    const busy = kubelet.containers.slice(5_000, 5_050);
    let lines = 10_000;
    let slowestMs = 0;
    for (let round = 0; round < 10; round += 1) {
      for (const container of busy) container.writeNext(10);
      lines += 500;
      slowestMs = Math.max(slowestMs, await arrived(lines));
    }
    process.stdout.write(
      `10,000 files, slowest round of 50 busy ones: ${slowestMs.toFixed(0)} ms\n`,
    );
    expect(slowestMs).toBeLessThan(5_000);
    expect(descriptorsOf(agent.pid)).toBeLessThanOrEqual(1_024);
  },
);

test('5,000 idle files cost less than 1 % of a core', async () => {
  startPods(5_000);
  for (const container of kubelet.containers) container.writeNext(1);
  const agent = startAgent({ flags: ['--flush-interval-ms=1000'] });
  await arrived(5_000);
  await sleep(6_000);
  const cpuSeconds = startCpuMeter(() => [agent.pid]);
  await sleep(20_000);
  const share = cpuSeconds() / 20;
  process.stdout.write(`5,000 idle files: ${(share * 100).toFixed(2)} % of a core\n`);
  expect(share).toBeLessThan(0.01);
});

test(
  '2,000 pods that live for 300 ms lose none of their 40,000 lines',
  { timeout: 300_000 },
  async () => {
    const admin = await withAdmin();
    startAgent({ flags: admin.flags });
    const result = await runShortLivedPods({
      admin,
      kubelet,
      emulator,
      pods: 2_000,
      lines: 20,
      atOnce: 20,
    });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result.arrived).toBe(40_000);
  },
);

test(
  'a line of 1 GiB without an end holds nobody up and fits into memory',
  { timeout: 600_000 },
  async () => {
    startPods(4);
    const [endless, ...others] = kubelet.containers;
    const agent = startAgent();
    const { logPath } = endless ?? { logPath: '' };
    fs.appendFileSync(logPath, '2024-01-01T00:00:00Z stdout F ');
    // Refused at once, so that the emulator need not keep a gigabyte.
    await emulator.setFaults({ mode: 'partial', pattern: 'xxxxxxxxxx' });
    const chunk = Buffer.alloc(8 * 1024 * 1024, 'x');
    let rssMax = 0;
    for (let written = 0; written < 1024 ** 3; written += chunk.length) {
      fs.appendFileSync(logPath, chunk);
      for (const other of others) other.writeNext(1);
      rssMax = Math.max(rssMax, rssOf(agent.pid));
      await sleep(10);
    }
    const lagMs = await arrived(3 * 128);
    process.stdout.write(
      `1 GiB line: RSS ${(rssMax / 2 ** 20).toFixed(0)} MiB, lag ${lagMs.toFixed(0)} ms\n`,
    );
    expect(rssMax).toBeLessThan(250 * 1024 * 1024);
    expect(lagMs).toBeLessThan(5_000);
  },
);
