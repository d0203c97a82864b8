// The node of `tailship demo`: pods over several namespaces that log a few hundred lines a second,
// with rotations, restarts and short-lived jobs as on a real node.
//
// Invariant: what `account` says was written is on disk for at least `deleteAfterMs`, so an agent
// that keeps up loses nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeContainer } from './fake-container.ts';
import { createFakeKubelet } from './fake-kubelet.ts';
import type { FakeKubelet, FakePod } from './fake-kubelet.ts';
import type { Account } from './log-account.ts';
import { createRandom } from './log-lines.ts';
import type { LineKind } from './log-lines.ts';
import { writeAtRate } from './paced-writer.ts';

export type DemoNodeOptions = {
  /** Replaces /var/log. */
  readonly root: string;
  readonly seed: number;
  readonly linesPerSecond: number;
  /** Ends the writing. */
  readonly signal: AbortSignal;
};

export type DemoNode = {
  readonly containersDir: string;
  readonly podsDir: string;
  readonly podCount: number;
  readonly account: () => Account;
  /** Resolves when nothing is written any more. */
  readonly written: Promise<void>;
};

type DemoPod = readonly [
  namespace: string,
  pod: string,
  container: string,
  kind: LineKind,
  share: number,
];

const pods: readonly DemoPod[] = [
  ['shop', 'cart-7c9d5f6b8-x2k4q', 'api', 'json', 6],
  ['shop', 'checkout-5d8f7c9b4-m7wzp', 'api', 'mixed', 5],
  ['shop', 'frontend-6f4b8d7c5-q9tlc', 'web', 'text', 5],
  ['payments', 'ledger-0', 'ledger', 'json', 3],
  ['payments', 'fraud-score-84c6f9d5b-zk2vn', 'scorer', 'trace', 1],
  ['search', 'indexer-1', 'indexer', 'unicode', 2],
  ['monitoring', 'prometheus-0', 'prometheus', 'text', 2],
  ['kube-system', 'kube-proxy-demo-node', 'kube-proxy', 'klog', 1],
];

const restartEveryMs = 12_000;
const jobEveryMs = 15_000;
const deleteAfterMs = 10_000;
const jobLines = 200;
const rotateBytes = 192 * 1024;
const rotateCheckMs = 4_000;
const secondsMax = 10_000_000;

/** Starts the pods; they write until the signal. */
export function startDemoNode(options: DemoNodeOptions): DemoNode {
  const kubelet = createFakeKubelet({ ...options, writeMode: 'line' });
  const steady = pods.map(([namespace, pod, name, kind]) =>
    kubelet.startPod({
      namespace,
      pod,
      containers: [{ name, kind }],
      isStatic: namespace === 'kube-system',
    }),
  );
  // A busy container is in the list several times, and so gets several shares.
  const shares = steady.flatMap((pod, index) =>
    Array.from({ length: pods[index]?.[4] ?? 1 }, () => pod.container()),
  );
  const writing = Promise.all([
    write(shares, options),
    restartSometimes(steady, options),
    runJobs(kubelet, options),
  ]);
  return {
    containersDir: kubelet.containersDir,
    podsDir: kubelet.podsDir,
    podCount: steady.length,
    account: () => kubelet.account(),
    written: writing.then(() => kubelet.close()),
  };
}

async function write(shares: readonly FakeContainer[], options: DemoNodeOptions): Promise<void> {
  await writeAtRate({
    linesPerSecond: options.linesPerSecond,
    seconds: secondsMax,
    containers: () => shares,
    tickMs: 50,
    rotateBytes,
    rotateCheckMs,
    signal: options.signal,
  });
}

async function restartSometimes(
  steady: readonly FakePod[],
  { seed, signal }: DemoNodeOptions,
): Promise<void> {
  const random = createRandom(seed);
  while (await waited(restartEveryMs, signal)) {
    const pod = random.pick(steady);
    const container = pod.container();
    // The kubelet does not restart a container in the middle of a rotation either.
    if (container.isSteady) pod.restartContainer(container);
  }
}

/** Jobs start, log for a moment, and are deleted some seconds after their end. */
async function runJobs(kubelet: FakeKubelet, { signal }: DemoNodeOptions): Promise<void> {
  for (let run = 1; await waited(jobEveryMs, signal); run += 1) {
    const pod = kubelet.startPod({
      namespace: 'jobs',
      pod: `report-${28_910_000 + run}-b5x8t`,
      containers: [{ name: 'report', kind: 'mixed' }],
    });
    pod.container().writeNext(jobLines);
    pod.container().kill();
    if (!(await waited(deleteAfterMs, signal))) return;
    pod.delete();
  }
}

/** Whether the time passed before the signal. */
async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch {
    return false; // Only the signal can end a sleep.
  }
}
