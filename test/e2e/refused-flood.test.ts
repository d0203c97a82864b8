// A pod whose entries the API refuses, tens of thousands of them: the others must not notice, and
// the refused ones must not take hours to be set aside.

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, withAdmin } from '../support/agent-status.ts';
import type { Shown } from '../support/agent-status.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { countHeldUpMs } from '../support/own-time.ts';

let scene: Scene;
useScene(11, (set) => {
  scene = set;
});

const refusedCount = 60_000;
const quietCount = 10;
/** Alone it is several thousand a second. */
const perSecondMin = 1_000;

function lettersOf(stateDir: string): number {
  const files = ['dead-letter.ndjson', 'dead-letter.ndjson.1'].map((name) =>
    path.join(stateDir, name),
  );
  const there = files.filter((file) => fs.existsSync(file));
  return there.reduce((sum, file) => sum + fs.readFileSync(file, 'utf8').split('\n').length - 1, 0);
}

function p99Of(shown: readonly Shown[]): number {
  const latencies = shown
    .map(({ timestamp, receiveTimestamp }) => Date.parse(receiveTimestamp) - Date.parse(timestamp))
    .toSorted((a, b) => a - b);
  return latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
}

test.each([
  { name: 'each alone', details: true },
  { name: 'with the whole request, without a word which', details: false },
])('60,000 entries refused $name stop nobody', async ({ name, details }) => {
  const { emulator, kubelet, agent: options } = scene;
  await emulator.setFaults({ mode: 'partial', pattern: 'poison', details });
  const startPod = (pod: string) =>
    kubelet.startPod({ namespace: 'ns', pod, containers: [{ name: 'c', kind: 'text' }] });
  const flood = startPod('flood').container();
  const quiet = Array.from({ length: quietCount }, (_, index) => startPod(`quiet-${index}`));
  const admin = await withAdmin();
  const flags = [...admin.flags, '--flush-interval-ms=500'];
  const agent = startAgentProcess({ ...options, flags });
  const heldUpMs = countHeldUpMs(agent.pid, emulator.pid);
  for (const pod of quiet) pod.container().writeNext(1);
  const isQuiet = ({ resource }: Shown) => resource.labels['pod_name'] !== 'flood';
  const quietCameMs = await until('the quiet came', async () => {
    const shown = (await entriesOf(emulator.url)).filter(isQuiet);
    return shown.length === quietCount ? performance.now() : undefined;
  });
  flood.write(Array.from({ length: refusedCount }, (_, index) => `poison ${index}`));
  let rounds = 1;
  const doneMs = await until('all refused entries are dead letters', async () => {
    for (const pod of quiet) pod.container().writeNext(1);
    rounds += 1;
    await sleep(200);
    const { refused = 0 } = (await admin.status())?.deadLetteredByReason ?? {};
    return refused >= refusedCount ? performance.now() : undefined;
  });
  const shown = await until('all of the quiet came', async () => {
    const found = (await entriesOf(emulator.url)).filter(isQuiet);
    return found.length === quietCount * rounds ? found : undefined;
  });
  const tookMs = doneMs - quietCameMs;
  const perSecond = refusedCount / (tookMs / 1_000);
  const p99 = p99Of(shown);
  process.stdout.write(
    `refused ${name}: ${perSecond.toFixed(0)} a second, p99 of the quiet ${p99} ms\n`,
  );
  // The file has a bound: what no longer fits is counted.
  const dropped = (await admin.status())?.droppedByReason ?? {};
  expect(dropped).toMatchObject({ dead_letter_unwritten: 0 });
  const evicted = dropped['dead_letter_evicted'] ?? 0;
  expect(lettersOf(options.stateDir) + evicted).toBe(refusedCount);
  expect(tookMs).toBeLessThan((refusedCount / perSecondMin) * 1_000 + heldUpMs());
  expect(p99).toBeLessThan(5_000 + heldUpMs());
  expect((await emulator.stats()).distinctEntries).toBe(quietCount * rounds);
  expect(await agent.stop()).toBe(0);
});

test.each([400, 413])(
  'entries that something on the way answers with a page and %i stop nobody, and are kept',
  async (status) => {
    const { emulator, kubelet, agent: options } = scene;
    await emulator.setFaults({ mode: 'html', status, pattern: 'poison' });
    const startPod = (pod: string) =>
      kubelet.startPod({ namespace: 'ns', pod, containers: [{ name: 'c', kind: 'text' }] });
    const flood = startPod('flood').container();
    const quiet = Array.from({ length: quietCount }, (_, index) => startPod(`quiet-${index}`));
    const agent = startAgentProcess({ ...options, flags: ['--flush-interval-ms=500'] });
    const heldUpMs = countHeldUpMs(agent.pid, emulator.pid);
    for (const pod of quiet) pod.container().writeNext(1);
    const come = async (count: number) => {
      const shown = await entriesOf(emulator.url);
      const found = shown.filter(({ resource }) => resource.labels['pod_name'] !== 'flood');
      return found.length === count ? found : undefined;
    };
    await until('the quiet came', () => come(quietCount));
    flood.write(Array.from({ length: 10_000 }, (_, index) => `poison ${index}`));
    // Longer than the first back-offs; the last of them is waited for below.
    const rounds = 30;
    for (let round = 1; round < rounds; round += 1) {
      for (const pod of quiet) pod.container().writeNext(1);
      await sleep(150);
    }
    const shown = await until('all of the quiet came', () => come(quietCount * rounds));
    const p99 = p99Of(shown);
    const { requests } = await emulator.stats();
    process.stdout.write(
      `${status} with a page: p99 of the quiet ${p99} ms, ${requests} requests\n`,
    );
    expect(p99).toBeLessThan(5_000 + heldUpMs());
    expect(requests).toBeLessThan(rounds * quietCount);
    expect(lettersOf(options.stateDir)).toBe(0);
    await emulator.setFaults({});
    await until(
      'the kept came',
      async () => (await emulator.stats()).distinctEntries === quietCount * rounds + 10_000,
      { everyMs: 500 },
    );
  },
);
