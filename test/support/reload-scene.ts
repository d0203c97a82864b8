// An agent under load whose configuration changes again and again, a third of the times to an
// invalid one. For the fast test and for the slow one, which differ in the number of times.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeKubelet } from '../../src/emulator/fake-kubelet.ts';
import { startAgentProcess, startEmulatorProcess, until } from './agent-process.ts';
import { expectExactlyOnce } from './verify.ts';

export type ReloadOutcome = {
  readonly accepted: number;
  readonly refused: number;
  /** After a warm-up of a tenth of the reloads, and at the end. */
  readonly rssBytes: readonly [number, number];
  readonly openFiles: readonly [number, number];
};

/** Throws when a line is lost, doubled or altered. */
export async function reloadUnderLoad(root: string, times: number): Promise<ReloadOutcome> {
  const emulator = await startEmulatorProcess();
  const kubelet = createFakeKubelet({ root: path.join(root, 'log'), seed: 8 });
  for (let index = 0; index < 5; index += 1) {
    kubelet.startPod({ namespace: 'ns', pod: `pod-${index}`, containers: ['c'] });
  }
  const config = path.join(root, 'tailship.yaml');
  writeFileSync(config, 'partialFlushMs: 5000\n');
  const agent = startAgentProcess({
    kubelet,
    stateDir: path.join(root, 'state'),
    endpoint: emulator.url,
    flags: [`--config=${config}`, '--log-level=debug'],
  });
  for (const container of kubelet.containers) container.writeNext(100);
  await expectExactlyOnce({ kubelet, emulator });
  const counts = { accepted: 0, refused: 0 };
  let before: Usage | undefined;
  for (let round = 1; round <= times; round += 1) {
    const isInvalid = round % 3 === 0;
    const flushMs = 5_000 + round;
    writeFileSync(config, `partialFlushMs: ${isInvalid ? 'never' : flushMs}\n`);
    process.kill(agent.pid, 'SIGHUP');
    for (const container of kubelet.containers) container.writeNext(20);
    // The log holds back errors that come often, so only the accepted ones can be waited for.
    if (isInvalid) await sleep(5);
    else await until(`reload ${round}`, () => isTold(agent.log, flushMs), { everyMs: 2 });
    counts[isInvalid ? 'refused' : 'accepted'] += 1;
    if (round === Math.ceil(times / 10)) before = usageOf(agent.pid);
  }
  await expectExactlyOnce({ kubelet, emulator }, { withinMs: 60_000 });
  const after = usageOf(agent.pid);
  const refusals = agent.log.filter((line) => line.includes('stays as it was'));
  if (refusals.length === 0) throw new Error('no refusal was logged');
  if ((await agent.stop()) !== 0) throw new Error(agent.log.slice(-5).join('\n'));
  return {
    ...counts,
    rssBytes: [before?.rssBytes ?? 0, after.rssBytes],
    openFiles: [before?.openFiles ?? 0, after.openFiles],
  };
}

type Usage = { readonly rssBytes: number; readonly openFiles: number };

function isTold(log: readonly string[], flushMs: number): boolean {
  return log.slice(-20).some((line) => line.includes(`--partial-flush-ms ${flushMs}`));
}

function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rssBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  return { rssBytes, openFiles: readdirSync(`/proc/${pid}/fd`).length };
}
