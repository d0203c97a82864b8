// Real container runtimes write, a kubelet's log manager rotates their files, the agent is killed
// and the API fails; at the end every line must be there, once, in order, unchanged.
//
// inside.ts runs it, in namespaces of its own. Invariant: nothing here writes a line of a log:
// containerd and conmon do, and what they wrote is known because the containers count.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { shownEntries } from '../../src/emulator/verify/verify-shipped.ts';
import { startAgentProcess, startEmulatorProcess, stopAll } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import type { Admin } from '../support/agent-status.ts';
import { writeBoxImage } from './box-image.ts';
import { startConmon } from './conmon.ts';
import { startContainerd } from './containerd.ts';
import type { ContainerRuntime } from './container-runtime.ts';
import { judgeLines } from './line-verdict.ts';
import type { LineVerdict, WrittenStream } from './line-verdict.ts';
import { LogKubelet } from './log-kubelet.ts';
import type { Run } from './log-kubelet.ts';
import { runCrashLoop, runJobs, runLimited, runSteady } from './scenarios.ts';
import type { Scene } from './scenarios.ts';
import { Troubles } from './troubles.ts';
import { WriteGate } from './write-gate.ts';

export type RuntimeOptions = {
  /** Empty; everything that is written goes there. */
  readonly directory: string;
  /** For sockets and state, with a short path; made here. */
  readonly stateDir: string;
  readonly cgroupParent: string;
  readonly seconds: number;
  readonly seed: number;
  /** Whether podman is there. */
  readonly hasConmon: boolean;
  readonly note: (text: string) => void;
};

export type RuntimeResult = LineVerdict & {
  readonly distinctEntries: number;
  readonly kills: number;
  readonly faults: number;
  readonly rotations: number;
  readonly compressed: number;
  readonly deletedFiles: number;
  readonly pods: number;
  readonly crashes: number;
  /** Of conmon's own size limit. */
  readonly replacements: number;
  /** From the end of the last container until the last line had arrived. */
  readonly catchUpSeconds: number;
};

const filesMax = 5;
const jobs = 30;
const longLine = { kind: 'text', bytes: 76_000, fixed: true, unended: true } as const;

/** Throws when a part does not start, the agent ends by itself or the lines do not come in time. */
export async function runRuntimes(options: RuntimeOptions): Promise<RuntimeResult> {
  const { directory, stateDir, cgroupParent, note } = options;
  const sharedDir = path.join(directory, 'shared');
  fs.mkdirSync(stateDir, { recursive: true });
  fs.mkdirSync(sharedDir);
  const runtimes: ContainerRuntime[] = [];
  try {
    const image = writeBoxImage(directory);
    const places = { directory, stateDir, image, cgroupParent };
    const containerd = await startContainerd(places);
    runtimes.push(containerd);
    const conmon = options.hasConmon ? await startConmon({ ...places, sharedDir }) : undefined;
    if (conmon !== undefined) runtimes.push(conmon);
    note('the runtimes have started');
    return await writeAndJudge(options, { containerd, conmon, sharedDir });
  } finally {
    await stopAll();
    for (const runtime of runtimes) await runtime.close();
  }
}

type Parts = {
  readonly containerd: ContainerRuntime;
  readonly conmon: ContainerRuntime | undefined;
  readonly sharedDir: string;
};

async function writeAndJudge(options: RuntimeOptions, parts: Parts): Promise<RuntimeResult> {
  const { directory, seconds, note } = options;
  const random = createRandom(options.seed);
  const [emulator, admin] = await Promise.all([startEmulatorProcess(), withAdmin()]);
  const kubelet: LogKubelet = new LogKubelet({
    root: path.join(directory, 'log'),
    filesMax,
    note,
    mayDelete: () => troubles.isCurrent(),
  });
  const limited = createLimited(parts.sharedDir, admin);
  const troubles: Troubles = new Troubles({
    random,
    emulator,
    admin,
    note,
    brace: () => limited.gate.close(),
    start() {
      const flags = [`--flush-interval-ms=${random.pick([50, 250, 1_000])}`, ...admin.flags];
      const stateDir = path.join(directory, 'state');
      return startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, flags });
    },
  });
  const crashes = Math.max(Math.round(seconds / 3), 3);
  const [streams, limitedResult] = await Promise.all([
    runContainerd({ kubelet, runtime: parts.containerd, seconds }, crashes),
    parts.conmon && runCrio({ kubelet, runtime: parts.conmon, seconds }, limited),
    troubles.run(performance.now() + seconds * 1_000),
  ]);
  const all = [...streams, ...(limitedResult?.streams ?? [])];
  const lines = all.reduce((sum, { count }) => sum + count, 0);
  note(`${lines} lines are written`);
  const startMs = performance.now();
  const distinctEntries = await troubles.settle(lines);
  const catchUpSeconds = (performance.now() - startMs) / 1_000;
  assert.equal(await troubles.stop(), 0, 'the agent ends with 0');
  const { samples, ...verdict } = await judgeLines(all, shownEntries(emulator.url));
  const { rotations, compressed, deletedFiles, pods } = kubelet.counts;
  return {
    ...verdict,
    distinctEntries,
    ...troubles.counts,
    rotations,
    compressed,
    deletedFiles,
    pods,
    crashes,
    replacements: limitedResult?.replacements ?? 0,
    catchUpSeconds,
    samples,
  };
}

async function runContainerd(scene: Scene, crashes: number): Promise<WrittenStream[]> {
  const streams = await Promise.all([
    runSteady(scene, {
      name: 'steady-text',
      sources: [
        { stream: 'stdout', kind: 'text', bytes: 160, linesPerSecond: 100 },
        { stream: 'stderr', kind: 'text', bytes: 300, linesPerSecond: 50 },
      ],
    }),
    runSteady(scene, {
      name: 'steady-json',
      sources: [{ stream: 'stdout', kind: 'json', bytes: 250, linesPerSecond: 200 }],
    }),
    runSteady(scene, {
      name: 'flood',
      sources: [{ stream: 'stdout', kind: 'text', bytes: 120, linesPerSecond: 4_000 }],
      rotateEveryMs: 1_000,
    }),
    runSteady(scene, {
      name: 'long',
      sources: [
        { ...longLine, stream: 'stdout', linesPerSecond: 3 },
        { ...longLine, stream: 'stderr', linesPerSecond: 3 },
      ],
      rotateEveryMs: 3_000,
    }),
    runCrashLoop(scene, crashes),
    runJobs(scene, jobs),
  ]);
  return streams.flat();
}

async function runCrio(
  scene: Scene,
  limited: Limited,
): Promise<{ readonly streams: WrittenStream[]; readonly replacements: number }> {
  const [own, ...streams] = await Promise.all([
    runLimited(scene, {
      gate: limited.gate,
      count: Math.max(scene.seconds * 100, 6_000),
      onStart: limited.onStart,
    }).finally(limited.onEnd),
    runSteady(scene, {
      name: 'crio-steady',
      sources: [
        { stream: 'stdout', kind: 'text', bytes: 160, linesPerSecond: 300, unended: true },
        { stream: 'stderr', kind: 'json', bytes: 160, linesPerSecond: 100 },
      ],
      rotateEveryMs: 2_000,
    }),
    runSteady(scene, {
      name: 'crio-long',
      sources: [
        { ...longLine, stream: 'stdout', linesPerSecond: 2 },
        { ...longLine, stream: 'stderr', linesPerSecond: 2 },
      ],
      rotateEveryMs: 4_000,
    }),
  ]);
  return { streams: [...own.streams, ...streams.flat()], replacements: own.replacements };
}

type Limited = {
  readonly gate: WriteGate;
  readonly onStart: (run: Run) => void;
  readonly onEnd: () => void;
};

/** The gate of the container with conmon's size limit, which is open until that one starts. */
function createLimited(directory: string, admin: Admin): Limited {
  let run: Run | undefined;
  let sizeBefore = -1;
  const isCommitted = async (): Promise<boolean> => {
    if (run === undefined) return true;
    const { size } = fs.statSync(run.logPath);
    const isSteady = size === sizeBefore;
    sizeBefore = size;
    const workloads = (await admin.status())?.workloads ?? [];
    const workload = workloads.find(({ pod }) => pod === run?.pod.name);
    return isSteady && workload?.behindBytes === 0 && workload.files.at(-1)?.offset === size;
  };
  const gate = new WriteGate({ directory, isOver: () => run === undefined, isCommitted });
  return {
    gate,
    onStart(started) {
      run = started;
    },
    onEnd() {
      run = undefined;
    },
  };
}
