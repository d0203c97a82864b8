// A FakeKubelet and its paced writer as a process of its own, for benchmarks: the agent beside it
// is measured alone.
//
//   node test/support/writer-process.ts
//     '{"root":"/tmp/x","seed":1,"pods":10,"linesPerSecond":20000,"seconds":10}'
//
// It prints `{"ready":true,…}` when the files exist, waits `startDelayMs`, writes, and prints one
// line of JSON with the figures. With `accountFile` it leaves the account there for the verifier;
// SIGTERM ends the writing early.

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountJson } from '../../src/emulator/kubelet/log-account.ts';
import type { LineKind } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';

export type WriterOptions = {
  readonly root: string;
  readonly seed: number;
  readonly pods: number;
  readonly containersPerPod?: number;
  readonly linesPerSecond: number;
  readonly seconds: number;
  readonly kind?: LineKind;
  readonly bytes?: number;
  readonly style?: 'containerd' | 'crio';
  /** Default line: one write(2) a line, as a runtime does. */
  readonly writeMode?: 'line' | 'batch';
  readonly filesMax?: number;
  readonly tickMs?: number;
  readonly rotateBytes?: number;
  readonly rotateCheckMs?: number;
  readonly startDelayMs?: number;
  readonly accountFile?: string;
};

async function main(options: WriterOptions): Promise<void> {
  const kubelet = createFakeKubelet({ writeMode: 'line', ...options });
  const names = Array.from({ length: options.containersPerPod ?? 1 }, (_, index) => `c${index}`);
  for (let pod = 0; pod < options.pods; pod += 1) {
    const containers = names.map((name) => ({ ...options, name, kind: options.kind ?? 'mixed' }));
    kubelet.startPod({ namespace: `ns-${pod % 8}`, pod: `load-${pod}`, containers });
  }
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid })}\n`);
  await sleep(options.startDelayMs ?? 0);
  // The containers do not change here; asking the kubelet at each tick would cost a list each time.
  const containers = kubelet.containers;
  const startCpu = process.cpuUsage();
  const result = await writeAtRate({
    ...options,
    containers: () => containers,
    signal: stop.signal,
  });
  const cpu = process.cpuUsage(startCpu);
  kubelet.close();
  if (options.accountFile !== undefined) {
    fs.writeFileSync(options.accountFile, accountJson(kubelet.account()));
  }
  process.stdout.write(
    `${JSON.stringify({ ...result, cpuMicrosPerLine: (cpu.user + cpu.system) / result.lines })}\n`,
  );
}

await main(JSON.parse(process.argv[2] ?? '{}') as WriterOptions);
