// The journal under time: how soon an entry is there, and that a large back-log delays no
// container.

import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import {
  hasSystemd,
  journalPath,
  JournalWriter,
  kubeletEntries,
  writeJournal,
} from '../support/journal-writer.ts';
import { type Scene, useScene } from '../support/scene.ts';

type Shipped = {
  readonly receiveTimestamp: string;
  readonly textPayload?: string;
  readonly jsonPayload?: { readonly MESSAGE?: string };
};

const defaults = ['--flush-interval-ms=250', '--node-logs=auto'];

let scene: Scene;
useScene(17, (given) => (scene = given));

function journalDir(): string {
  return path.join(scene.scratch.path, 'journal');
}

function agentOf(...flags: string[]): Scene['agent'] {
  return { ...scene.agent, flags: [...defaults, `--journal-dir=${journalDir()}`, ...flags] };
}

/** Milliseconds from the time in each message to its arrival, in ascending order. */
async function delaysOf(prefix: string): Promise<number[]> {
  const answer = await fetch(`${scene.emulator.url}/emulator/entries`);
  const lines = (await answer.text()).trim().split('\n');
  const delays = lines.flatMap((line) => {
    const { receiveTimestamp, textPayload, jsonPayload } = JSON.parse(line) as Shipped;
    const text = textPayload ?? jsonPayload?.MESSAGE ?? '';
    const [, writtenMs] = new RegExp(`${prefix} (\\d{13})`).exec(text) ?? [];
    return writtenMs === undefined ? [] : [Date.parse(receiveTimestamp) - Number(writtenMs)];
  });
  return delays.toSorted((a, b) => a - b);
}

function p99(delays: readonly number[]): number {
  return delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN;
}

describe.skipIf(!hasSystemd)('the journal', () => {
  test('has an entry in Cloud Logging within 2 s of its writing, at p99', async () => {
    scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
    const file = journalPath(journalDir());
    writeJournal(file, kubeletEntries(10));
    const agent = startAgentProcess(agentOf());
    await until('it has begun', () => agent.log.length > 0);
    const writer = new JournalWriter(file);
    const count = 1_000;
    for (let index = 0; index < count; index += 1) {
      writer.write([{ message: `at ${Date.now()}`, unit: 'kubelet.service' }]);
      await sleep(10);
    }
    await until('all came', async () => (await delaysOf('at')).length === count);
    const delays = await delaysOf('at');
    console.log(`p50 ${delays[count / 2]} ms, p99 ${p99(delays)} ms`);
    expect(p99(delays)).toBeLessThan(2_000);
    await writer.close();
    expect(await agent.stop()).toBe(0);
  });

  test('that is far behind is caught up beside containers, which it does not delay', async () => {
    const container = scene.kubelet
      .startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] })
      .container();
    const long = 'x'.repeat(400);
    const entries = 120_000;
    const backlog = kubeletEntries(entries).map((entry, index) => ({
      ...entry,
      message: `${entry.message} ${long}`,
      fields: { JOB: `${index} ${long.slice(index % 100)}` },
    }));
    const file = journalPath(journalDir());
    writeJournal(file, backlog);
    rmSync(`${file}.export`);
    const sizes = readdirSync(path.dirname(file)).map(
      (name) => statSync(path.join(path.dirname(file), name)).size,
    );
    console.log(`${Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1e6)} MB of journal`);
    // What the journal sends is answered late, so that it is far behind while the lines come.
    await scene.emulator.setFaults({ delayMs: 500, pattern: 'kubelet' });
    const admin = await withAdmin();
    const agent = startAgentProcess(agentOf('--from=start', ...admin.flags));
    await until('it is read', async () => ((await admin.status())?.journal?.logs.length ?? 0) > 0);
    const lines = 300;
    for (let index = 0; index < lines; index += 1) {
      container.write([`line ${Date.now()}`]);
      await sleep(20);
    }
    await until('all lines came', async () => {
      const [workload] = (await admin.status())?.workloads ?? [];
      return workload?.lines === lines && workload.behindBytes === 0;
    });
    const behind = (await admin.status())?.journal?.behindEntries ?? 0;
    expect(behind).toBeGreaterThan(0);
    const delays = await delaysOf('line');
    console.log(`p99 of the container ${p99(delays)} ms, ${behind} entries still behind`);
    expect(p99(delays)).toBeLessThan(2_000);
    await scene.emulator.setFaults([]);
    await until(
      'the back-log came',
      async () => (await scene.emulator.stats()).distinctEntries === entries + lines,
    );
    expect(await agent.stop()).toBe(0);
  });
});
