// The share of a core that `tailship bench` predicts is that of the agents that run there before
// and after it, also where wake-ups are all that it costs.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { startCpuMeter } from '../../src/command/process-cost.ts';
import { startAgentProcess, startCommand } from '../support/agent-process.ts';
import { useScene, type Scene } from '../support/scene.ts';

const settleMs = 15_000;
const windowMs = 20_000;

let scene: Scene;
useScene(55, (set) => {
  scene = set;
});

/** Of an agent of its own, after its start-up. */
async function runningShare(): Promise<number> {
  const agent = startAgentProcess({ ...scene.agent, flags: ['--flush-interval-ms=1000'] });
  await sleep(settleMs);
  const [cpuSeconds, startMs] = [startCpuMeter(() => [agent.pid]), performance.now()];
  await sleep(windowMs);
  const share = (cpuSeconds() * 1_000) / (performance.now() - startMs);
  await agent.stop();
  return share;
}

test.each([
  ['300 containers that write a line each three seconds', 300, 100],
  ['10 containers that write 200 lines a second each', 10, 2_000],
])('for %s it is within 1.5 times', async (_, containerCount, linesPerSecond) => {
  for (let index = 0; index < containerCount; index += 1) {
    scene.kubelet.startPod({ namespace: 'ns', pod: `pod-${index}`, containers: ['c'] });
  }
  const containers = [...scene.kubelet.containers];
  for (const container of containers) container.writeNext(20);
  let next = 0;
  const writesPerTick = Math.max(1, linesPerSecond / 100);
  const writer = setInterval(() => {
    for (let count = 0; count < writesPerTick; count += 1) {
      containers[next % containers.length]?.writeNext(1);
      next += 1;
    }
  }, 10);
  try {
    const before = await runningShare();
    const { containersDir, podsDir } = scene.kubelet;
    const places = [`--containers-dir=${containersDir}`, `--log-root=${podsDir}`];
    const bench = startCommand(['bench', '--json', ...places]);
    expect(await bench.ended).toBe(0);
    const { share } = (JSON.parse(bench.lines.at(-1) ?? '') as { tailship: { share: number } })
      .tailship;
    const after = await runningShare();
    const running = (before + after) / 2;
    const [predicted, ...measured] = [share, before, after].map((part) => (part * 100).toFixed(2));
    console.log(`predicted ${predicted} %, running before and after ${measured.join(' and ')} %`);
    expect(share / running).toBeGreaterThan(1 / 1.5);
    expect(share / running).toBeLessThan(1.5);
  } finally {
    clearInterval(writer);
  }
});
