// An agent that is killed at any moment loses no line, and what it sends again is the same entry.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { seedOfRun } from '../support/seed.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agent: Scene['agent'];
useScene(2, (scene) => ({ emulator, kubelet, agent } = scene));

function startPods(count: number): void {
  for (let index = 0; index < count; index += 1) {
    kubelet.startPod({ namespace: 'ns', pod: `pod-${index}`, containers: ['c'] });
  }
}

describe('an agent that is killed', () => {
  test('in the middle of shipping sends the rest at the next start', async () => {
    startPods(4);
    for (const container of kubelet.containers) container.writeNext(5_000);
    // Small bodies, so that some are answered and some are not: in the end all requests hang.
    await emulator.setFaults({ mode: 'hang', everyNth: 8 });
    const first = startAgentProcess({ ...agent, flags: ['--batch-bytes-max=64Ki'] });
    await until('some entries came', async () => (await emulator.stats()).distinctEntries > 1_000);
    await first.kill();
    await emulator.setFaults({});
    const lines = accountLines(kubelet.account());
    expect((await emulator.stats()).distinctEntries).toBeLessThan(lines);
    const { code } = await runOnce(agent);
    expect(code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
    expect((await emulator.stats()).distinctEntries).toBe(lines);
  });

  test('again and again while lines are written and files rotate', async () => {
    const random = createRandom(seedOfRun());
    startPods(5);
    const containers = kubelet.containers;
    let running = startAgentProcess(agent);
    const writing = writeAtRate({
      linesPerSecond: 2_000,
      seconds: 6,
      containers: () => containers,
      rotateBytes: 100_000,
      rotateCheckMs: 1_500,
    });
    while ((await Promise.race([writing, sleep(300 + random.below(900))])) === undefined) {
      await running.kill();
      running = startAgentProcess(agent);
    }
    await expectExactlyOnce({ kubelet, emulator });
    const lines = accountLines(kubelet.account());
    expect((await emulator.stats()).distinctEntries).toBe(lines);
    expect(await running.stop()).toBe(0);
    expect((await writing).rotations).toBeGreaterThan(0);
  });

  test('while the kubelet rotates and compresses behind its back finds its place again', async () => {
    startPods(1);
    const [container] = kubelet.containers;
    container?.writeNext(1_000);
    const first = startAgentProcess(agent);
    await expectExactlyOnce({ kubelet, emulator });
    container?.writeNext(500);
    await first.kill();
    for (let round = 0; round < 3; round += 1) {
      container?.writeNext(100);
      await container?.rotate({ cutRecord: true });
    }
    container?.writeNext(100);
    const requests = (await emulator.stats()).entries;
    startAgentProcess(agent);
    await expectExactlyOnce({ kubelet, emulator });
    // It went on in the middle of the compressed file: at most what the kill had left was sent
    // again.
    const sentAgain = (await emulator.stats()).entries - requests;
    expect(sentAgain).toBeLessThanOrEqual(500 + 400 + 3 + 500);
  });
});

describe('an agent that is asked to stop', () => {
  test('finishes, exits 0, and the next one sends nothing twice', async () => {
    startPods(3);
    for (const container of kubelet.containers) container.writeNext(2_000);
    const first = startAgentProcess(agent);
    await until('some entries came', async () => (await emulator.stats()).distinctEntries > 0);
    expect(await first.stop()).toBe(0);
    const { code } = await runOnce(agent);
    expect(code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
    const { entries, distinctEntries } = await emulator.stats();
    expect(entries).toBe(distinctEntries);
  });

  test('exits 0 when there is nothing to ship and when the endpoint is away', async () => {
    startPods(1);
    kubelet.containers[0]?.writeNext(10);
    const nobody = startAgentProcess({
      ...agent,
      endpoint: 'http://127.0.0.1:9',
      flags: ['--grace-ms=200'],
    });
    await until('it complained', () =>
      nobody.log.some((line) => line.includes('SHIP_UNREACHABLE')),
    );
    expect(await nobody.stop()).toBe(0);
    const { summary } = await runOnce(agent);
    expect(summary['entries']).toBe(10);
  });

  test('a second agent on the same state directory exits at once with the reason', async () => {
    startPods(1);
    const first = startAgentProcess(agent);
    kubelet.containers[0]?.writeNext(10);
    await expectExactlyOnce({ kubelet, emulator });
    const second = await runOnce(agent);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('STATE_LOCKED');
    expect(await first.stop()).toBe(0);
  });
});
