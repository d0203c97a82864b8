// Pods that are bad for others or for themselves: short-lived, deleted while nobody takes their
// lines, flooding, or the agent's own.

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { entriesOf, withAdmin } from '../support/agent-status.ts';
import type { Shown } from '../support/agent-status.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';
import { runShortLivedPods } from './short-lived-pods.ts';
import { countHeldUpMs } from '../support/own-time.ts';

let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agentOptions: Scene['agent'];
useScene(7, (scene) => ({ emulator, kubelet, agent: agentOptions } = scene));

function startAgent(flags: readonly string[] = []): AgentProcess {
  return startAgentProcess({ ...agentOptions, flags });
}

function podOf({ resource }: Shown): string | undefined {
  return resource.labels['pod_name'];
}

test('200 pods that live for 300 ms lose none of their lines', async () => {
  const admin = await withAdmin();
  const agent = startAgent(admin.flags);
  kubelet
    .startPod({ namespace: 'ns', pod: 'steady', containers: ['c'] })
    .container()
    .writeNext(1);
  await expectExactlyOnce({ kubelet, emulator });
  const options = { kubelet, emulator, admin, pods: 200, lines: 20, atOnce: 10 };
  const { arrived, altered, outOfOrder, longestLifeMs } = await runShortLivedPods(options);
  process.stdout.write(`200 pods, the longest lived for ${longestLifeMs.toFixed(0)} ms\n`);
  expect({ arrived, altered, outOfOrder }).toEqual({ arrived: 4_000, altered: 0, outOfOrder: 0 });
  expect(agent.warnings()).toEqual([]);
});

describe('the budget for deleted files', () => {
  test('drops the oldest, counts the bytes by pod, and says so in the log of the container', async () => {
    const admin = await withAdmin();
    const agent = startAgent([...admin.flags, '--held-bytes-max=50000']);
    const pods = ['old', 'new'].map((pod) =>
      kubelet.startPod({ namespace: 'ns', pod, containers: [{ name: 'c', kind: 'text' }] }),
    );
    for (const pod of pods) pod.container().writeNext(5);
    await until('all came', async () => (await emulator.stats()).distinctEntries === 10);
    await emulator.setFaults({ mode: 'status', status: 503 });
    // What is read before the endpoint's fault is known waits in the slots: more than they hold.
    const [old, young] = pods;
    const filler = kubelet.startPod({ namespace: 'ns', pod: 'filler', containers: ['c'] });
    filler.container().writeNext(30_000);
    let since = { inFlight: -1, requests: 0 };
    const isFull = async () => {
      const inFlight = (await admin.status())?.inFlightBytes ?? 0;
      const { requests } = await emulator.stats();
      if (inFlight === 0 || inFlight !== since.inFlight) since = { inFlight, requests };
      // It has run since, as what it tries again shows.
      return requests >= since.requests + 3;
    };
    await until('the slots are full: nothing more is read', isFull, { everyMs: 700 });
    const sizeOf = (file: string) => fs.statSync(file).size;
    old?.container().writeNext(400);
    young?.container().writeNext(200);
    const oldBytes = sizeOf(old?.container().logPath ?? '');
    const fileOf = async (pod: string) => {
      const workload = (await admin.status())?.workloads.find((each) => each.pod === pod);
      return workload?.files[0];
    };
    await until('both are seen', async () => {
      const [first, second] = await Promise.all([fileOf('old'), fileOf('new')]);
      return first?.size === oldBytes && (second?.size ?? 0) > (second?.offset ?? 0);
    });
    old?.delete();
    await until('it is gone', async () => {
      const status = await admin.status();
      const workload = status?.workloads.find(({ pod }) => pod === 'old');
      // It may have been dropped by now, too.
      return status !== undefined && (workload?.files ?? []).every(({ isDeleted }) => isDeleted);
    });
    young?.delete();
    const lost = await until('bytes were dropped', async () => {
      const status = await admin.status();
      const bytes = status?.lostBytesByReason['held_bytes'] ?? 0;
      return bytes > 0 ? status : undefined;
    });
    const workload = lost.lostByContainer?.find(({ pod }) => pod === 'old');
    expect(workload?.lostBytes).toBe(lost.lostBytesByReason['held_bytes']);
    // The endpoint is down; a restart would not mend it, and would lose what is held.
    expect(await admin.probe('/livez')).toBe(200);
    await emulator.setFaults({});
    const notice = await until('the notice came', async () =>
      (await entriesOf(emulator.url)).find(({ jsonPayload }) => jsonPayload?.['lostBytes']),
    );
    expect(podOf(notice)).toBe('old');
    expect(notice.severity).toBe('WARNING');
    expect(notice.jsonPayload).toMatchObject({
      lostBytes: workload?.lostBytes,
      offset: oldBytes - (workload?.lostBytes ?? 0),
      file: '0.log',
      reason: 'held_bytes',
    });
    await until(
      'the rest came',
      async () => {
        const {
          written,
          lostByKubelet,
          lost: missing,
        } = await verifyShipped(emulator.url, kubelet.account());
        return written - lostByKubelet - missing === 30_000 + 10 + 200;
      },
      { everyMs: 300 },
    );
    expect(agent.log.join('\n')).toContain('LINES_LOST');
  });
});

describe('the log of the agent itself', () => {
  test('is read slowly, that of others is not', async () => {
    startAgent(['--own-pod=tailship-1']);
    const startMs = performance.now();
    for (const pod of ['tailship-1', 'other']) {
      const started = kubelet.startPod({
        namespace: 'ns',
        pod,
        containers: [{ name: 'c', kind: 'text' }],
      });
      started.container().writeNext(5_000);
    }
    const counts = async () => {
      const shown = await entriesOf(emulator.url);
      const own = shown.filter((entry) => podOf(entry) === 'tailship-1').length;
      return { own, other: shown.length - own };
    };
    const { own } = await until('the other came', async () => {
      const now = await counts();
      return now.other === 5_000 ? now : undefined;
    });
    const seconds = (performance.now() - startMs) / 1_000;
    const { fileBytes, account } = kubelet.containers[0]!;
    const ownBytesMax = limits.ownLogBytesPerSecond * (seconds + 2) + limits.quantumBytes;
    expect(own * (fileBytes / account.lines)).toBeLessThan(ownBytesMax);
    await until('it goes on', async () => (await counts()).own > own);
  });

  test('does not feed itself when every entry is refused', async () => {
    await emulator.setFaults({ mode: 'status', status: 400 });
    const own = kubelet.startPod({ namespace: 'ns', pod: 'tailship-1', containers: ['c'] });
    const agent = startAgent(['--own-pod=tailship-1']);
    own.container().writeNext(1);
    let told = 0;
    let endMs = Number.POSITIVE_INFINITY;
    while (performance.now() < endMs) {
      // It feeds itself, if it does, from its first line on.
      if (told > 0) endMs = Math.min(endMs, performance.now() + 4_000);
      // What the kubelet does with the agent's stderr.
      own.container().write(agent.log.slice(told));
      told = agent.log.length;
      await sleep(50);
    }
    expect(told).toBeLessThan(10);
    expect((await emulator.stats()).requests).toBeLessThan(60);
    expect(agent.isRunning()).toBe(true);
  });
});

/** Milliseconds between a line's time and its arrival, ascending. */
function latenciesOf(shown: readonly Shown[], isOf: (entry: Shown) => boolean): number[] {
  return shown
    .filter(isOf)
    .map(({ timestamp, receiveTimestamp }) => Date.parse(receiveTimestamp) - Date.parse(timestamp))
    .toSorted((a, b) => a - b);
}

describe('a flood', () => {
  test('leaves 99 quiet containers a p99 of 5 s', async () => {
    const flood = kubelet.startPod({
      namespace: 'ns',
      pod: 'flood',
      containers: [{ name: 'c', kind: 'text' }],
    });
    const quiet = Array.from({ length: 99 }, (_, index) =>
      kubelet.startPod({ namespace: 'ns', pod: `quiet-${index}`, containers: ['c'] }).container(),
    );
    // An endpoint that takes less than the flood brings, so that it is always behind and at risk.
    await emulator.setFaults({ delayMs: 300 });
    const agent = startAgent(['--flush-interval-ms=1000']);
    const heldUpMs = countHeldUpMs(agent.pid, emulator.pid);
    const container = flood.container();
    const endMs = performance.now() + 5_000;
    for (let round = 0; performance.now() < endMs; round += 1) {
      container.writeNext(6_000);
      if (round % 6 === 5) for (const each of quiet) each.writeNext(1);
      if (round % 10 === 9) await container.rotate();
      await sleep(100);
    }
    await emulator.setFaults({});
    const lines = quiet[0]?.account.lines ?? 0;
    expect(lines).toBeGreaterThan(1);
    const isQuiet = (entry: Shown) => podOf(entry) !== 'flood';
    await until(
      'the quiet came',
      async () => (await entriesOf(emulator.url)).filter(isQuiet).length === 99 * lines,
      { everyMs: 1_000 },
    );
    const latencies = latenciesOf(await entriesOf(emulator.url), isQuiet);
    const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
    process.stdout.write(`flood: p99 of the quiet ${p99} ms\n`);
    expect(p99).toBeLessThan(5_000 + heldUpMs());
  });

  test('of a sparse file of 13 GiB leaves 50 small ones below 5 s', async () => {
    const huge = kubelet.startPod({ namespace: 'ns', pod: 'huge', containers: ['c'] });
    const small = Array.from({ length: 50 }, (_, index) =>
      kubelet
        .startPod({
          namespace: 'ns',
          pod: `small-${index}`,
          // No zero among their characters: those are refused.
          containers: [{ name: 'c', kind: 'text' }],
        })
        .container(),
    );
    huge.container().writeNext(1_000);
    fs.truncateSync(huge.container().logPath, 13 * 1024 ** 3);
    // Refused at once, so that the emulator need not keep gigabytes of zeros.
    await emulator.setFaults({ mode: 'partial', pattern: '\\u0000' });
    const agent = startAgent();
    const heldUpMs = countHeldUpMs(agent.pid, emulator.pid);
    for (let round = 0; round < 10; round += 1) {
      for (const each of small) each.writeNext(1);
      await sleep(300);
    }
    const isSmall = (entry: Shown) => podOf(entry) !== 'huge';
    await until(
      'the small came',
      async () => (await entriesOf(emulator.url)).filter(isSmall).length === 500,
      { everyMs: 300 },
    );
    const slowest = latenciesOf(await entriesOf(emulator.url), isSmall).at(-1) ?? Number.NaN;
    process.stdout.write(`13 GiB: slowest of the small ${slowest} ms\n`);
    expect(slowest).toBeLessThan(5_000 + heldUpMs());
    expect(agent.isRunning()).toBe(true);
  });
});

describe('SIGTERM', () => {
  test('is not ready at once, finishes what is in flight, and exits 0', async () => {
    const admin = await withAdmin();
    kubelet
      .startPod({ namespace: 'ns', pod: 'p', containers: ['c'] })
      .container()
      .writeNext(500);
    const agent = startAgent(admin.flags);
    await expectExactlyOnce({ kubelet, emulator });
    expect(await admin.probe('/readyz')).toBe(200);
    await emulator.setFaults({ delayMs: 4_000 });
    kubelet.containers[0]?.writeNext(500);
    await until('it is in flight', async () => ((await admin.status())?.inFlightBytes ?? 0) > 0);
    const exit = agent.stop();
    expect(
      await until(
        'it is not ready',
        async () => {
          const code = await admin.probe('/readyz');
          return code === 200 ? undefined : (code ?? 0);
        },
        { everyMs: 5 },
      ),
    ).toBe(503);
    expect(await exit).toBe(0);
    await expectExactlyOnce({ kubelet, emulator });
    const { entries, distinctEntries } = await emulator.stats();
    expect((await runOnce(agentOptions)).summary['lines']).toBe(0);
    expect(entries).toBe(distinctEntries);
  });

  test('gives up after the grace period when the endpoint hangs, and loses nothing', async () => {
    await emulator.setFaults({ mode: 'hang' });
    kubelet
      .startPod({ namespace: 'ns', pod: 'p', containers: ['c'] })
      .container()
      .writeNext(500);
    const agent = startAgent(['--grace-ms=500']);
    await until('a request hangs', async () => (await emulator.stats()).requests > 0);
    const startMs = performance.now();
    expect(await agent.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(limits.shipHeadersMs / 2);
    await emulator.setFaults({});
    await runOnce(agentOptions);
    await expectExactlyOnce({ kubelet, emulator });
  });
});
