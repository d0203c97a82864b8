// `tailship run --once`: ships what is there, says so in one line of JSON, and is done.

import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { makeScratch, runOnce, startEmulatorProcess, stopAll } from '../support/agent-process.ts';
import type { AgentOptions, EmulatorProcess } from '../support/agent-process.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

function kubeletOf(options: Partial<Parameters<typeof createFakeKubelet>[0]> = {}): FakeKubelet {
  const root = path.join(scratch.path, 'log');
  return createFakeKubelet({ root, seed: 1, ...options });
}

function agentOf(kubelet: FakeKubelet, state = 'state'): AgentOptions {
  return { kubelet, stateDir: path.join(scratch.path, state), endpoint: emulator.url };
}

const kinds = ['text', 'json', 'klog', 'trace', 'unicode', 'blank', 'mixed'] as const;

/** A container of each kind in two namespaces, with rotations behind some of them. */
async function fill(kubelet: FakeKubelet, linesEach: number): Promise<void> {
  for (const [index, kind] of kinds.entries()) {
    const pod = kubelet.startPod({
      namespace: `ns-${index % 2}`,
      pod: `pod-${kind}`,
      containers: [{ name: 'main', kind }, { name: 'sidecar' }],
    });
    pod.container('main').writeNext(linesEach);
    for (let round = 0; round < index; round += 1) {
      await pod.container('main').rotate({ cutRecord: round % 2 === 1 });
      pod.container('main').writeNext(linesEach);
    }
    pod.container('sidecar').writeNext(linesEach);
  }
}

describe('run --once', () => {
  test('ships live, rotated and compressed files exactly once, and sums it up', async () => {
    const kubelet = kubeletOf({ filesMax: 9 });
    await fill(kubelet, 300);
    const { code, summary, stdout, stderr } = await runOnce(agentOf(kubelet));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.trimEnd()).not.toContain('\n');
    const lines = accountLines(kubelet.account());
    expect(summary).toMatchObject({ entries: lines, retries: 0, deadLettered: 0 });
    expect(summary['lines']).toBeGreaterThanOrEqual(lines);
    const bytes = kubelet.account().containers.reduce((sum, each) => sum + each.fileBytes, 0);
    expect(summary['bytes']).toBe(bytes);
    expect(summary['files']).toBe(14 + 21);
    expect(summary['batches']).toBeGreaterThan(0);
    expect(summary['cpuSeconds']).toBeGreaterThan(0);
    expect(summary['wallSeconds']).toBeGreaterThan(0);
    await expectExactlyOnce({ kubelet, emulator });
  });

  test('ships nothing a second time, and the same entries from an empty state', async () => {
    const kubelet = kubeletOf();
    await fill(kubelet, 50);
    await runOnce(agentOf(kubelet));
    const before = await emulator.stats();
    const again = await runOnce(agentOf(kubelet));
    expect(again.code).toBe(0);
    expect(again.summary).toMatchObject({ lines: 0, bytes: 0, entries: 0, batches: 0 });
    const second = await runOnce(agentOf(kubelet, 'other-state'));
    expect(second.summary['entries']).toBe(before.distinctEntries);
    const after = await emulator.stats();
    expect(after.distinctEntries).toBe(before.distinctEntries);
    expect(after.entries).toBe(2 * before.entries);
  });

  test('goes on where it was after rotation and compression between two runs', async () => {
    const kubelet = kubeletOf();
    const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['c'] });
    const container = pod.container();
    for (let round = 0; round < 4; round += 1) {
      container.writeNext(100);
      const { summary } = await runOnce(agentOf(kubelet));
      expect(summary['entries']).toBe(100);
      await container.rotate();
    }
    await expectExactlyOnce({ kubelet, emulator });
  });

  test.each(['containerd', 'crio'] as const)(
    'joins what %s cut in pieces, stdout and stderr apart',
    async (style) => {
      const kubelet = kubeletOf({ style, utcOffsetMinutes: 120 });
      const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['c'] });
      const container = pod.container();
      const bytes = [1, 8_185, 8_186, 8_187, 16_377, 16_378, 16_379, 40_000, 200_000];
      for (const length of bytes) {
        const text = 'é1'.repeat(length / 3 + 1);
        container.write([{ text }, { text, stream: 'stderr' }], { interleave: true });
        container.writeNext(3);
      }
      container.write([{ text: 'never ended', partial: true }]);
      expect((await runOnce(agentOf(kubelet))).code).toBe(0);
      await expectExactlyOnce({ kubelet, emulator });
    },
  );

  test('a text of 900 KB arrives in parts that make it whole again', async () => {
    const kubelet = kubeletOf();
    const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['c'] });
    pod.container().write(['before', { text: 'long line '.repeat(90_000) }, 'after']);
    expect((await runOnce(agentOf(kubelet))).code).toBe(0);
    const verdict = await expectExactlyOnce({ kubelet, emulator });
    expect(verdict.entries).toBeGreaterThan(3 + 2);
  });

  test('equal times come back in the order of the lines', async () => {
    const startMs = Date.UTC(2024, 2, 5, 14, 7, 21);
    const kubelet = kubeletOf({ startMs, stepNanos: 0 });
    const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b'] });
    for (let round = 0; round < 3; round += 1) {
      for (const container of pod.containers) container.writeNext(3_000);
      for (const container of pod.containers) await container.rotate();
    }
    expect((await runOnce(agentOf(kubelet))).code).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
  });

  test('ships the runs of a restarted container, and of a pod that came again', async () => {
    const kubelet = kubeletOf();
    const options = { namespace: 'ns', pod: 'db-0', containers: ['c'] } as const;
    const pod = kubelet.startPod(options);
    pod.container().writeNext(20);
    pod.restartContainer(pod.container());
    pod.container().writeNext(20);
    await runOnce(agentOf(kubelet));
    pod.delete();
    kubelet.startPod(options).container().writeNext(20);
    await runOnce(agentOf(kubelet));
    await expectExactlyOnce({ kubelet, emulator });
    expect((await emulator.stats()).distinctEntries).toBe(60);
  });

  test('with no log at all it says so and exits 1: the directory is hardly the right one', async () => {
    const { code, summary, stderr } = await runOnce(agentOf(kubeletOf()));
    expect(code).toBe(1);
    expect(stderr).toContain('"code":"CONTAINERS_MISSING"');
    expect(summary).toMatchObject({ files: 0, lines: 0, entries: 0, batches: 0 });
  });

  test('a link that leads outside of the roots is refused and nothing of it is shipped', async () => {
    const kubelet = kubeletOf();
    const secret = path.join(scratch.path, 'secret.log');
    fs.writeFileSync(secret, '2024-03-05T14:07:21Z stdout F secret\n');
    fs.symlinkSync(secret, path.join(kubelet.containersDir, `p_ns_c-${'a'.repeat(64)}.log`));
    const { code, summary, stderr } = await runOnce(agentOf(kubelet));
    expect(code).toBe(0);
    expect(summary['entries']).toBe(0);
    expect(stderr).toContain('LINK_REFUSED');
  });

  test('what may not be opened is told, and the code is 1; the rest is shipped', async () => {
    const kubelet = kubeletOf();
    const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b', 'c'] });
    for (const container of pod.containers) container.writeNext(5);
    await pod.container('b').rotate();
    pod.container('b').writeNext(5);
    const directory = path.dirname(pod.container('b').logPath);
    const rotated = fs.readdirSync(directory).find((name) => name.startsWith('0.log.')) ?? '';
    const hidden = [pod.container('a').logPath, path.join(directory, rotated)];
    for (const each of hidden) fs.chmodSync(each, 0);
    // Root may read everything, unless this is taken from it.
    const words = ['setpriv', '--bounding-set=-dac_override,-dac_read_search'];
    const under = process.getuid?.() === 0 ? words : [];
    const first = await runOnce({ ...agentOf(kubelet), under });
    expect(first).toMatchObject({ code: 1, summary: { entries: 10 } });
    expect(first.stderr).toContain('2 files could not be opened');
    for (const each of hidden) fs.chmodSync(each, 0o644);
    expect(await runOnce({ ...agentOf(kubelet), under })).toMatchObject({ code: 0 });
    expect((await emulator.stats()).distinctEntries).toBe(20);
  });
});
