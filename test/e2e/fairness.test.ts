// One pod floods with what costs most, twenty others write a line now and then: theirs arrive in
// time, and the probes answer.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSink } from '../../bench/sink-client.ts';
import type { Sink } from '../../bench/sink-client.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startAgentProcess, stopAll, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { costlyKinds, slowPatterns } from './costly-lines.ts';
import { countHeldUpMs, startOwnClock } from '../support/own-time.ts';

const isSlow = process.env['TAILSHIP_SLOW'] !== undefined;
const floodSeconds = isSlow ? 20 : 4;
const floodBytesPerSecond = 10_000_000;
const quietPods = 20;
const quietEveryMs = 250;
/** The kubelet's own limit for a probe. */
const probeMs = 1_000;

let scratch: string;
let sink: Sink;
beforeEach(async () => {
  scratch = fs.mkdtempSync(path.join('/dev/shm', 'tailship-fair-'));
  sink = await startSink();
});
afterEach(async () => {
  await stopAll();
  await sink.stop();
  fs.rmSync(scratch, { recursive: true, force: true });
});

test.for(Object.keys(costlyKinds))(
  'a flood of %s delays neither the other pods nor the probes',
  async (kind) => {
    const pattern = Object.entries(slowPatterns).find(([slow]) => slow === kind)?.[1];
    const kubelet = createFakeKubelet({ root: path.join(scratch, 'log'), seed: 1 });
    const start = (pod: string) =>
      kubelet.startPod({ namespace: 'ns', pod, containers: ['c'] }).container().logPath;
    const flooded = start('flood');
    const quiet = Array.from({ length: quietPods }, (_, index) => start(`quiet-${index}`));
    const lineCount = quietPods * Math.floor((floodSeconds * 1_000) / quietEveryMs);
    await sink.reset(lineCount, 'live');
    const admin = await withAdmin();
    const { pid } = startAgentProcess({
      kubelet,
      stateDir: path.join(scratch, 'state'),
      endpoint: sink.url,
      flags: [
        ...admin.flags,
        '--join-stack-traces',
        '--flush-interval-ms=200',
        ...(pattern === undefined ? [] : [`--redact=ns=${pattern}`]),
      ],
    });
    await until('it is up', async () => (await admin.probe('/readyz')) === 200);
    const script = path.resolve(import.meta.dirname, 'costly-lines.ts');
    const words = [script, kind, flooded, String(floodSeconds), String(floodBytesPerSecond)];
    const flood = spawn(process.execPath, words, { stdio: 'inherit' });
    const heldUpMs = countHeldUpMs(pid);
    const probes = watchProbes(pid, () => admin.probe('/livez'));
    await writeQuiet(quiet, lineCount);
    if (flood.exitCode === null) await once(flood, 'exit');
    expect(flood.exitCode).toBe(0);
    expect(fs.statSync(flooded).size).toBeGreaterThan(floodBytesPerSecond * floodSeconds * 0.5);
    const arrived = await until('every quiet line has come', async () => {
      const stats = await sink.stats();
      return stats.distinct === lineCount ? stats : undefined;
    });
    const { worstMs, failed, lateInRow } = await probes.end();
    const p99Ms = arrived.p99Ms ?? Number.NaN;
    process.stdout.write(`${kind}: p99 ${p99Ms.toFixed(0)} ms, probe ${worstMs.toFixed(0)} ms\n`);
    expect(p99Ms).toBeLessThan(5_000 + heldUpMs());
    expect(failed).toBe(0);
    // The kubelet restarts after several in a row. One may be the machine's.
    expect(lateInRow).toBeLessThan(2);
  },
);

/** Each line says when it was written; the sink counts from that. */
async function writeQuiet(files: readonly string[], lineCount: number): Promise<void> {
  const descriptors = files.map((file) => fs.openSync(file, 'a'));
  for (let seq = 0; seq < lineCount; seq += 1) {
    const at = String(process.hrtime.bigint() / 1_000n).padStart(16, '0');
    const text = `quiet seq=${String(seq).padStart(10, '0')} at=${at}`;
    const time = new Date().toISOString();
    fs.writeSync(descriptors[seq % files.length] ?? -1, `${time} stdout F ${text}\n`);
    if (seq % files.length === files.length - 1) await sleep(quietEveryMs);
  }
  for (const fd of descriptors) fs.closeSync(fd);
}

/** Probes ten times a second until it is ended. */
function watchProbes(pid: number, probe: () => Promise<number | undefined>) {
  const ending = new AbortController();
  let worstMs = 0;
  let lateNow = 0;
  let lateInRow = 0;
  let failed = 0;
  const done = (async () => {
    while (!ending.signal.aborted) {
      const elapsedMs = startOwnClock(pid);
      if ((await probe()) !== 200) failed += 1;
      const ms = elapsedMs();
      worstMs = Math.max(worstMs, ms);
      lateNow = ms > probeMs ? lateNow + 1 : 0;
      lateInRow = Math.max(lateInRow, lateNow);
      await sleep(100);
    }
  })();
  return {
    async end() {
      ending.abort();
      await done;
      return { worstMs, failed, lateInRow };
    },
  };
}
