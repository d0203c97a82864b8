// Everything at once for a while: many containers under load, rotation each two seconds, the agent
// killed each 5 to 20 s, the endpoint failing for a third of the time, pods deleted while it fails.
// Each agent looks at its files at another pace, from that of the tests to that of the nodes. At
// the end everything that was written must be there, once, in order, unchanged.
//
// Every other agent has few descriptors. chaos.ts runs it for as long as asked, chaos.test.ts for
// 20 s. Invariant: what the kubelet deletes is the only thing that may be missing, and only when
// the agent was down or the endpoint failing while it was there; the kubelet here keeps enough
// files for that not to happen.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet, FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import type { Random } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import type { Verdict } from '../../src/emulator/verify/verify-shipped.ts';
import type { FaultRule } from '../../src/emulator/server/faults.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import { holdsOpen, rssOf } from '../support/agent-status.ts';

export type ChaosOptions = {
  readonly seconds: number;
  readonly seed: number;
  /** Default 20. */
  readonly containers?: number;
  /** Of all containers together, default 20,000. */
  readonly linesPerSecond?: number;
  /** Between two kills, default 5 to 20 s. */
  readonly killSeconds?: readonly [min: number, max: number];
  /** Files that the kubelet keeps of a container, default enough for the longest outage here. */
  readonly filesMax?: number;
  /** Whether the endpoint may hang too, which costs the deadline of a request; default true. */
  readonly hangs?: boolean;
  readonly note?: (text: string) => void;
};

export type ChaosResult = Verdict & {
  readonly distinctEntries: number;
  readonly rotations: number;
  readonly kills: number;
  /** Pods that were deleted during a fault, with lines that were not shipped by then. */
  readonly podsDeleted: number;
  readonly faults: number;
  readonly faultSeconds: number;
  readonly rssMax: number;
  /** From the last line written until the last line had arrived. */
  readonly catchUpSeconds: number;
  /** What the agents said of lines that they lost: nothing, unless some were. */
  readonly lossesTold: readonly string[];
};

type Chaos = {
  readonly random: Random;
  readonly emulator: EmulatorProcess;
  readonly start: () => AgentProcess;
  /** By pid. What they had to close of a pod that is deleted is lost. */
  readonly withFewDescriptors: ReadonlySet<number>;
  readonly note: (text: string) => void;
  readonly endMs: number;
  readonly hangs: boolean;
  agent: AgentProcess;
  isKilling: boolean;
  isFailing: boolean;
  /** Of `performance.now()`. */
  deletedAtMs: number;
  podsDeleted: number;
  kills: number;
  faults: number;
  faultMs: number;
  rssMax: number;
};

const rotateEveryMs = 2_000;
/** Fewer files may be open than are unread after an outage: some are closed and found again. */
const fewDescriptors = ['sh', '-c', 'ulimit -n 192; exec "$@"', 'sh'];
/** From a pod's deletion to the next kill at least. */
const safeAfterMs = 3_000;
/** Two runs of the fault's own time without one follow each. */
const faultMs = { min: 500, span: 4_000 };

/**
 * What is not as it should be: a line that is missing, altered, doubled or out of order; one that
 * is reported lost though it is there; an entry too many, such as the notice of a loss.
 */
export function violationsOf(result: Omit<ChaosResult, 'samples'>): string[] {
  const { written, distinctEntries, lossesTold } = result;
  const zeros = ['lost', 'lostByKubelet', 'doubled', 'outOfOrder', 'altered', 'unknown'] as const;
  const found = zeros.filter((key) => result[key] !== 0).map((key) => `${key}: ${result[key]}`);
  if (distinctEntries !== written) found.push(`${distinctEntries} entries of ${written} lines`);
  if (result.lostBytesTold !== 0) found.push(`told: ${result.lostBytesTold} bytes are lost`);
  return [...found, ...lossesTold];
}

/** Runs it; throws when the agent ends by itself or the lines do not come in time. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seconds, seed, containers = 20, linesPerSecond = 20_000 } = options;
  const [killMin, killMax] = options.killSeconds ?? [5, 20];
  const scratch = makeScratch();
  try {
    const emulator = await startEmulatorProcess();
    const root = path.join(scratch.path, 'log');
    const kubelet = createFakeKubelet({ root, seed, filesMax: options.filesMax ?? 150 });
    for (let pod = 0; pod < containers / 2; pod += 1) {
      kubelet.startPod({ namespace: `ns-${pod % 3}`, pod: `p-${pod}`, containers: ['a', 'b'] });
    }
    const stateDir = path.join(scratch.path, 'state');
    const random = createRandom(seed);
    const logs: (readonly string[])[] = [];
    const withFewDescriptors = new Set<number>();
    const start = () => {
      const flags = [`--flush-interval-ms=${random.pick([50, 250, 1_000])}`];
      const under = random.pick([[], fewDescriptors]);
      const agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, flags, under });
      logs.push(agent.log);
      if (under.length > 0) withFewDescriptors.add(agent.pid);
      return agent;
    };
    const chaos: Chaos = {
      random,
      emulator,
      start,
      withFewDescriptors,
      note: options.note ?? (() => undefined),
      endMs: performance.now() + seconds * 1_000,
      hangs: options.hangs ?? true,
      agent: start(),
      isKilling: false,
      isFailing: false,
      deletedAtMs: 0,
      podsDeleted: 0,
      kills: 0,
      faults: 0,
      faultMs: 0,
      rssMax: 0,
    };
    const all = kubelet.containers;
    const [{ rotations }] = await Promise.all([
      writeAtRate({
        linesPerSecond,
        seconds,
        containers: () => all,
        tickMs: 20,
        rotateBytes: 1,
        rotateCheckMs: rotateEveryMs,
      }),
      killAgain(chaos, killMin * 1_000, killMax * 1_000),
      failAgain(chaos),
      deletePods(chaos, kubelet),
      watch(chaos),
    ]);
    await emulator.setFaults({});
    const lines = accountLines(kubelet.account());
    const startMs = performance.now();
    await allArrived(chaos, lines);
    const catchUpSeconds = (performance.now() - startMs) / 1_000;
    const verdict = await verifyShipped(emulator.url, kubelet.account());
    const { distinctEntries } = await emulator.stats();
    const { kills, faults, podsDeleted, rssMax } = chaos;
    const faultSeconds = chaos.faultMs / 1_000;
    const sums = {
      distinctEntries,
      rotations,
      kills,
      podsDeleted,
      faults,
      faultSeconds,
      rssMax,
      catchUpSeconds,
      lossesTold: logs.flat().filter((line) => /LINES_LOST|FILE_TRUNCATED/.test(line)),
    };
    return { ...verdict, ...sums };
  } finally {
    await stopAll();
    scratch.remove();
  }
}

async function killAgain(chaos: Chaos, minMs: number, maxMs: number): Promise<void> {
  for (;;) {
    await sleep(minMs + chaos.random.below(maxMs - minMs));
    if (performance.now() > chaos.endMs) return;
    // What a kill within the first seconds costs is the limit that the documents name.
    while (performance.now() - chaos.deletedAtMs < safeAfterMs) await sleep(100);
    chaos.isKilling = true;
    await chaos.agent.kill();
    chaos.kills += 1;
    await sleep(chaos.random.below(1_000));
    chaos.agent = chaos.start();
    chaos.isKilling = false;
  }
}

/** Faults for a third of the time, each of another kind. */
async function failAgain(chaos: Chaos): Promise<void> {
  const { random, emulator, note } = chaos;
  while (performance.now() < chaos.endMs) {
    const lengthMs = faultMs.min + random.below(faultMs.span);
    await sleep(lengthMs * 2);
    if (performance.now() > chaos.endMs) return;
    const rule = pickFault(random, chaos.hangs);
    note(`fault ${JSON.stringify(rule)} for ${lengthMs} ms`);
    await emulator.setFaults(rule);
    chaos.isFailing = true;
    await sleep(lengthMs);
    chaos.isFailing = false;
    await emulator.setFaults({});
    chaos.faults += 1;
    chaos.faultMs += lengthMs;
  }
}

/**
 * Short-lived pods: each writes a little, and more while the endpoint fails, and is deleted then.
 * The agent must have its log open: what it never opened, nobody can ship.
 */
async function deletePods(chaos: Chaos, kubelet: FakeKubelet): Promise<void> {
  for (let number = 0; performance.now() < chaos.endMs; number += 1) {
    const pod = kubelet.startPod({ namespace: 'gone', pod: `g-${number}`, containers: ['c'] });
    pod.container().writeNext(1 + chaos.random.below(300));
    while (!(await canBeDeleted(chaos, pod))) {
      if (performance.now() > chaos.endMs) return;
    }
    pod.container().writeNext(1 + chaos.random.below(300));
    pod.delete();
    chaos.deletedAtMs = performance.now();
    chaos.podsDeleted += 1;
    // Most kills find none that is younger than they may be.
    await sleep(1_000 + chaos.random.below(6_000));
  }
}

/** Whether the agent has had the pod's log open for two looks, and the endpoint fails. */
async function canBeDeleted(chaos: Chaos, pod: FakePod): Promise<boolean> {
  const { pid } = chaos.agent;
  const isOpen = () => !chaos.isKilling && chaos.agent.pid === pid && holdsOpen(pid, pod.directory);
  if (!isOpen()) {
    await sleep(50);
    return false;
  }
  await sleep(50);
  return chaos.isFailing && isOpen() && !chaos.withFewDescriptors.has(pid);
}

/** One of the ways in which the API fails; hanging costs the deadline of a request. */
export function pickFault(random: Random, hangs: boolean): FaultRule {
  const after = random.next() < 0.5;
  const share = random.pick([0.3, 0.7, 1]);
  return random.pick<FaultRule>([
    { mode: 'status', status: random.pick([500, 503, 429, 401, 403]), share, after },
    { mode: 'reset', share, after },
    { mode: 'html', status: 502, share },
    { mode: 'halfClose', share },
    { delayMs: 400 },
    hangs ? { mode: 'hang', share: 0.5 } : { delayMs: 100 },
  ]);
}

async function watch(chaos: Chaos): Promise<void> {
  while (performance.now() < chaos.endMs) {
    await sleep(200);
    try {
      chaos.rssMax = Math.max(chaos.rssMax, rssOf(chaos.agent.pid));
    } catch {
      // Killed between two looks.
    }
  }
}

/** Until as many entries are there as lines were written, or none has come for a while. */
async function allArrived(chaos: Chaos, lines: number): Promise<void> {
  let before = -1;
  let sinceMs = performance.now();
  const isDone = async (): Promise<boolean> => {
    if (!chaos.agent.isRunning()) throw new Error(`the agent ended: ${chaos.agent.log.join('\n')}`);
    const { distinctEntries } = await chaos.emulator.stats();
    if (distinctEntries !== before) sinceMs = performance.now();
    before = distinctEntries;
    return distinctEntries >= lines || performance.now() - sinceMs > 60_000;
  };
  await until('everything arrived', isDone, { withinMs: 900_000, everyMs: 200 });
}
