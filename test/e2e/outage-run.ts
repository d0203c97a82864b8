// An endpoint that is down for minutes while 20 containers write 10 MB/s and their files rotate by
// the kubelet's defaults: more than it keeps, so there is a loss, and the agent must know it to the
// byte.
//
// chaos.ts runs it with --outage-seconds. Invariant: the runtime's time has a fixed width here, so
// that the bytes of a line follow from its number, and what the agent counted can be compared with
// what is missing.

import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { isExactlyOnce, verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import type { Verdict } from '../../src/emulator/verify/verify-shipped.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import { rssOf, withAdmin } from '../support/agent-status.ts';
import type { Admin } from '../support/agent-status.ts';

export type OutageOptions = {
  readonly outageSeconds: number;
  /** Of all containers together, CRI headers included. */
  readonly bytesPerSecond: number;
  readonly seed: number;
  readonly containers: number;
  /** `containerLogMaxFiles`; a file has 10 MiB. */
  readonly filesMax: number;
  /** What the agent may keep of deleted files; default is its own. */
  readonly heldBytesMax?: number;
  readonly note?: (text: string) => void;
};

export type OutageResult = Omit<Verdict, 'samples'> & {
  readonly outageSeconds: number;
  readonly writtenBytes: number;
  readonly rotations: number;
  readonly lagSecondsBefore: number;
  readonly lagSecondsMax: number;
  readonly lagSecondsAfter: number;
  readonly rssStart: number;
  readonly rssMaxFirstHalf: number;
  readonly rssMaxSecondHalf: number;
  readonly rssMaxCatchUp: number;
  readonly rssEnd: number;
  /** Most that was kept in deleted files. */
  readonly heldBytesMax: number;
  /** From the end of the outage until the lag was as before, with the writers going on. */
  readonly catchUpSeconds: number;
  /** Of the files, headers included: what is missing, and what the agent says is. */
  readonly lostBytes: number;
  readonly countedBytes: number;
  /** What was expected and is not so; empty when all is well. */
  readonly violations: readonly string[];
};

type Sample = { readonly phase: Phase; readonly rss: number; readonly status: AgentStatus };
type Phase = 'before' | 'first half' | 'second half' | 'catch-up' | 'after';

const mebibyte = 1024 * 1024;
const rotateBytes = 10 * mebibyte;
const lineTextBytes = 454;
/** `2024-03-05T14:07:21.104582937+00:00 stdout F ` and the newline. */
const lineFrameBytes = 46;
const calmSeconds = 20;
const catchUpSecondsMax = 900;
/** The agent looks at its files once a second; a machine of two cores is late at times. */
const lagNormalSeconds = 5;
const rssMax = 220 * mebibyte;
const rssGrowthMax = 24 * mebibyte;

/** Runs it; throws when the agent ends by itself or does not catch up. */
export async function runOutage(options: OutageOptions): Promise<OutageResult> {
  const scratch = makeScratch();
  try {
    const emulator = await startEmulatorProcess();
    const root = path.join(scratch.path, 'log');
    const { seed, filesMax } = options;
    const kubelet = createFakeKubelet({ root, seed, filesMax, style: 'crio' });
    for (let pod = 0; pod < options.containers; pod += 1) {
      const container = { name: 'c', kind: 'text', bytes: lineTextBytes } as const;
      kubelet.startPod({ namespace: `ns-${pod % 3}`, pod: `p-${pod}`, containers: [container] });
    }
    const admin = await withAdmin();
    const stateDir = path.join(scratch.path, 'state');
    const flags = [...admin.flags, '--flush-interval-ms=1000'];
    if (options.heldBytesMax !== undefined) flags.push(`--held-bytes-max=${options.heldBytesMax}`);
    const agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, flags });
    await until('the agent runs', () => admin.status());
    const samples: Sample[] = [];
    const scene = { options, emulator, kubelet, admin, pid: agent.pid, samples };
    const { rotations, catchUpSeconds } = await writeThrough(scene);
    const isDone = async () => (await admin.status())?.behindBytes === 0;
    await until('everything arrived', isDone, { withinMs: 120_000, everyMs: 200 });
    const status = await tellEnd(scene);
    const verdict = await verifyShipped(emulator.url, kubelet.account());
    return summarize(scene, { rotations, catchUpSeconds, status, verdict });
  } finally {
    await stopAll();
    scratch.remove();
  }
}

type Scene = {
  readonly options: OutageOptions;
  readonly emulator: EmulatorProcess;
  readonly kubelet: FakeKubelet;
  readonly admin: Admin;
  readonly pid: number;
  readonly samples: Sample[];
};

/** Calm, outage, and writing on until the lag is what it was. */
async function writeThrough(
  scene: Scene,
): Promise<{ readonly rotations: number; readonly catchUpSeconds: number }> {
  const { options, kubelet, emulator } = scene;
  const stop = new AbortController();
  const all = kubelet.containers;
  const writing = writeAtRate({
    linesPerSecond: options.bytesPerSecond / (lineTextBytes + lineFrameBytes),
    seconds: calmSeconds * 2 + options.outageSeconds + catchUpSecondsMax,
    containers: () => all,
    tickMs: 50,
    rotateBytes,
    signal: stop.signal,
  });
  const course = async (): Promise<number> => {
    await watch(scene, 'before', calmSeconds);
    await emulator.setFaults({ mode: 'status', status: 503 });
    await watch(scene, 'first half', options.outageSeconds / 2);
    await emulator.setFaults({ mode: 'reset' });
    await watch(scene, 'second half', options.outageSeconds / 2);
    await emulator.setFaults({});
    const startMs = performance.now();
    await watch(scene, 'catch-up', catchUpSecondsMax, isNormal);
    const catchUpSeconds = (performance.now() - startMs) / 1_000;
    await watch(scene, 'after', calmSeconds);
    return catchUpSeconds;
  };
  const [{ rotations }, catchUpSeconds] = await Promise.all([
    writing,
    course().finally(() => stop.abort()),
  ]);
  return { rotations, catchUpSeconds };
}

function isNormal({ behindSeconds }: AgentStatus): boolean {
  return behindSeconds < lagNormalSeconds;
}

/** Takes a sample each second, until the time is over or what is waited for has come. */
async function watch(
  { admin, pid, samples, options }: Scene,
  phase: Phase,
  seconds: number,
  isOver?: (status: AgentStatus) => boolean,
): Promise<void> {
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    await sleep(1_000);
    const status = await admin.status();
    if (status === undefined) continue;
    samples.push({ phase, rss: rssOf(pid), status });
    const { behindBytes, behindSeconds, deletedHeldBytes, lostBytesByReason } = status;
    const lost = JSON.stringify(lostBytesByReason);
    options.note?.(
      `${phase}: rss ${(rssOf(pid) / mebibyte).toFixed(0)} MiB, ` +
        `behind ${(behindBytes / mebibyte).toFixed(0)} MiB and ${behindSeconds.toFixed(1)} s, ` +
        `held ${(deletedHeldBytes / mebibyte).toFixed(0)} MiB, lost ${lost}`,
    );
    if (isOver?.(status) === true) return;
  }
}

/** The agent's last word, when all notices of losses have been sent too. */
async function tellEnd({ admin, emulator }: Scene): Promise<AgentStatus> {
  let before = -1;
  await until('no entry comes any more', async () => {
    const { distinctEntries } = await emulator.stats();
    const isQuiet = distinctEntries === before;
    before = distinctEntries;
    await sleep(2_000);
    return isQuiet;
  });
  const status = await admin.status();
  assert(status !== undefined, 'the agent answers');
  return status;
}

function summarize(
  { options, kubelet, pid, samples }: Scene,
  end: {
    readonly rotations: number;
    readonly catchUpSeconds: number;
    readonly status: AgentStatus;
    readonly verdict: Verdict;
  },
): OutageResult {
  const { rotations, catchUpSeconds, status, verdict } = end;
  const { samples: troubles, ...counts } = verdict;
  const rssOfPhase = (phase: Phase) =>
    Math.max(0, ...samples.filter((each) => each.phase === phase).map(({ rss }) => rss));
  const lagOfPhase = (phase: Phase) =>
    samples
      .filter((each) => each.phase === phase)
      .map(({ status: { behindSeconds } }) => behindSeconds);
  const figures = {
    lagSecondsBefore: Math.max(...lagOfPhase('before')),
    lagSecondsMax: Math.max(...samples.map((each) => each.status.behindSeconds)),
    lagSecondsAfter: Math.max(...lagOfPhase('after')),
    rssStart: rssOfPhase('before'),
    rssMaxFirstHalf: rssOfPhase('first half'),
    rssMaxSecondHalf: rssOfPhase('second half'),
    rssMaxCatchUp: rssOfPhase('catch-up'),
    rssEnd: rssOf(pid),
    catchUpSeconds,
    lostBytes: counts.missingTextBytes + counts.lostByKubelet * lineFrameBytes,
    countedBytes: Object.values(status.lostBytesByReason).reduce((sum, bytes) => sum + bytes, 0),
  };
  const lagEnd = lagOfPhase('after').at(-1) ?? Number.POSITIVE_INFINITY;
  const { lostBytes, countedBytes, rssMaxFirstHalf, rssMaxSecondHalf, rssMaxCatchUp } = figures;
  const expectations: readonly (readonly [string, boolean])[] = [
    [`each line once, or deleted with its file: ${troubles.join('; ')}`, isExactlyOnce(verdict)],
    ['what is missing was counted', lostBytes === countedBytes],
    ['what was counted was told', countedBytes === counts.lostBytesTold],
    ['RSS within its bound', Math.max(rssMaxSecondHalf, rssMaxCatchUp) < rssMax],
    ['RSS flat in the outage', rssMaxSecondHalf < rssMaxFirstHalf + rssGrowthMax],
    ['the lag is normal again', catchUpSeconds < catchUpSecondsMax && lagEnd < lagNormalSeconds],
  ];
  return {
    ...counts,
    ...figures,
    outageSeconds: options.outageSeconds,
    writtenBytes: kubelet.account().containers.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    rotations,
    heldBytesMax: Math.max(...samples.map((each) => each.status.deletedHeldBytes)),
    violations: expectations.filter(([, holds]) => !holds).map(([what]) => what),
  };
}
