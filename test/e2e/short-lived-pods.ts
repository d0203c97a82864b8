// Pods that live for 300 ms and leave nothing behind: what became of their lines.
//
// limits-pods.test.ts runs some hundreds of them, limits.slow.test.ts the 2,000 of the field notes.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import { until } from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import type { Admin } from '../support/agent-status.ts';

const lifeMs = 300;

export type ShortLived = {
  readonly kubelet: FakeKubelet;
  readonly emulator: EmulatorProcess;
  readonly pods: number;
  /** Of the agent, which runs already. */
  readonly admin: Admin;
  /** Written by each pod, the last of them right before it is deleted. */
  readonly lines: number;
  readonly atOnce: number;
};

export type ShortLivedResult = {
  readonly written: number;
  readonly arrived: number;
  readonly altered: number;
  readonly outOfOrder: number;
  /** The longest that a pod really lived; more than meant when the machine is busy. */
  readonly longestLifeMs: number;
};

/**
 * 300 ms, and longer where the machine keeps the agent from running: until it has answered a probe
 * that was sent after the pod had been started.
 */
async function live(admin: Admin): Promise<void> {
  await Promise.all([sleep(lifeMs), until('the agent runs', () => admin.probe('/livez'))]);
}

/** Runs the pods and waits until their lines have arrived, or for as long as that can take. */
export async function runShortLivedPods(options: ShortLived): Promise<ShortLivedResult> {
  const { kubelet, emulator, pods, lines, atOnce, admin } = options;
  let next = 0;
  let longestLifeMs = 0;
  const runSome = async (): Promise<void> => {
    for (let index = next++; index < pods; index = next++) {
      const startMs = performance.now();
      const pod = kubelet.startPod({ namespace: 'jobs', pod: `job-${index}`, containers: ['c'] });
      const container = pod.container();
      const first = Math.floor(lines / 2);
      container.writeNext(first);
      await live(admin);
      container.writeNext(lines - first);
      pod.delete();
      longestLifeMs = Math.max(longestLifeMs, performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runSome));
  const written = pods * lines;
  const isThere = async () => (await emulator.stats()).distinctEntries >= written || undefined;
  await until('the lines came', isThere).catch(() => undefined);
  const { altered, outOfOrder, lost, lostByKubelet } = await verifyShipped(
    emulator.url,
    kubelet.account(),
  );
  const arrived = written - lost - lostByKubelet;
  return { written, arrived, altered, outOfOrder, longestLifeMs };
}
