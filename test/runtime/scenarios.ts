// What the containers of a run write and live through. Each scenario starts its pods, plays the
// kubelet for them, and returns what they wrote once they have ended.
//
// Invariant: a scenario ends by its lines, not by a clock: a container writes a fixed number of
// them at about a given rate, however slow the machine is.

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerRuntime } from './container-runtime.ts';
import type { WrittenStream } from './line-verdict.ts';
import type { LogKubelet, Run } from './log-kubelet.ts';
import { writerCommand } from './numbered-lines.ts';
import type { NumberedLines, WriterPlan } from './numbered-lines.ts';
import type { WriteGate } from './write-gate.ts';

export type Scene = {
  readonly kubelet: LogKubelet;
  readonly runtime: ContainerRuntime;
  /** How long it writes about. */
  readonly seconds: number;
};

type Stream = 'stdout' | 'stderr';
type Source = NumberedLines & {
  readonly stream: Stream;
  readonly linesPerSecond: number;
  readonly unended?: boolean;
};
type SteadyPod = {
  readonly name: string;
  readonly sources: readonly Source[];
  /** Undefined: its log is never full. */
  readonly rotateEveryMs?: number;
};

/** A container that writes steadily: batches a tenth of a second apart, or line by line. */
export async function runSteady(scene: Scene, pod: SteadyPod): Promise<WrittenStream[]> {
  const plans = pod.sources.map((source) => steadyPlan(source, scene.seconds));
  const { kubelet, runtime } = scene;
  const started = await kubelet.startPod(runtime, pod.name);
  const run = await kubelet.startContainer(started, 'main', { command: writerCommand(plans) });
  await untilEnded(scene, run, pod.rotateEveryMs);
  return plans.map((plan) => written(pod.name, plan));
}

function steadyPlan(source: Source, seconds: number): WriterPlan {
  const { linesPerSecond } = source;
  const batch = Math.max(Math.round(linesPerSecond / 10), 1);
  const count = Math.ceil(linesPerSecond * seconds);
  return { ...source, first: 1, count, batch, pauseSeconds: batch / linesPerSecond };
}

function written(pod: string, plan: WriterPlan, count = plan.count): WrittenStream {
  return { ...plan, pod, container: 'main', count };
}

/** Rotates its log as long as it runs. */
async function untilEnded(scene: Scene, run: Run, rotateEveryMs?: number): Promise<number> {
  const state = { isOver: false };
  const ended = scene.kubelet.ended(run, endMs(scene)).finally(() => {
    state.isOver = true;
  });
  if (rotateEveryMs === undefined) return ended;
  while (!state.isOver) {
    await Promise.race([sleep(rotateEveryMs), ended]);
    if (!state.isOver) await scene.kubelet.rotate(run);
  }
  return ended;
}

/** A busy machine may take several times as long. */
function endMs({ seconds }: Scene): number {
  return seconds * 10_000 + 120_000;
}

/**
 * A crash loop: each run writes some lines, ends in the middle of a line in both streams, and is
 * started again. The kubelet keeps the last dead run.
 */
export async function runCrashLoop(scene: Scene, runs: number): Promise<WrittenStream[]> {
  const { kubelet, runtime } = scene;
  const pod = await kubelet.startPod(runtime, 'crash');
  const lines = [
    { stream: 'stdout', kind: 'text', bytes: 90, count: 50 },
    { stream: 'stderr', kind: 'text', bytes: 40, count: 20 },
  ] as const;
  let lastDead: Run | undefined;
  for (let attempt = 0; attempt < runs; attempt += 1) {
    const plans = lines.map((each) => ({
      ...each,
      first: attempt * each.count + 1,
      batch: 10,
      pauseSeconds: 0.05,
      unended: true,
    }));
    const command = writerCommand(plans, 1);
    const run = await kubelet.startContainer(pod, 'main', { command, attempt });
    const code = await kubelet.ended(run, endMs(scene));
    if (code !== 1) throw new Error(`run ${attempt} of the crash loop ended with ${code}, not 1`);
    if (lastDead !== undefined) await kubelet.removeRun(lastDead);
    lastDead = run;
  }
  return lines.map((each) => ({
    ...each,
    pod: pod.name,
    container: 'main',
    count: each.count * runs,
  }));
}

/** Jobs that live for a second, spread over the run; each pod is deleted soon after its end. */
export async function runJobs(scene: Scene, jobs: number): Promise<WrittenStream[]> {
  const { kubelet, runtime, seconds } = scene;
  const plan = {
    stream: 'stdout',
    kind: 'text',
    bytes: 100,
    first: 1,
    count: 20,
    batch: 2,
    pauseSeconds: 0.1,
    unended: true,
  } as const;
  const pending: Promise<unknown>[] = [];
  const streams: WrittenStream[] = [];
  for (let job = 1; job <= jobs; job += 1) {
    const pod = await kubelet.startPod(runtime, `job-${job}`);
    const run = await kubelet.startContainer(pod, 'main', { command: writerCommand([plan]) });
    const end = async () => {
      await kubelet.ended(run, endMs(scene));
      await kubelet.removePod(pod, [run]);
    };
    pending.push(end());
    streams.push(written(pod.name, plan));
    await sleep((seconds * 1_000) / jobs / 2);
  }
  await Promise.all(pending);
  return streams;
}

export type LimitedResult = {
  readonly streams: WrittenStream[];
  /** How often conmon replaced the file. */
  readonly replacements: number;
};

/** CRI-O's own size limit: conmon replaces the full file, and its lines are gone. */
export async function runLimited(
  scene: Scene,
  options: {
    readonly count: number;
    readonly gate: WriteGate;
    readonly onStart: (run: Run) => void;
  },
): Promise<LimitedResult> {
  const { kubelet, runtime } = scene;
  const { gate, count } = options;
  const plan: WriterPlan = {
    stream: 'stdout',
    kind: 'text',
    bytes: 120,
    first: 1,
    count,
    batch: 25,
    pauseSeconds: 0.05,
    between: gate.command,
  };
  const pod = await kubelet.startPod(runtime, 'crio-limited');
  const command = writerCommand([plan]);
  const run = await kubelet.startContainer(pod, 'main', { command, logSizeMax: '200kb' });
  options.onStart(run);
  let replacements = 0;
  let { ino } = fs.statSync(run.logPath);
  const watcher = fs.watch(path.dirname(run.logPath), () => {
    const now = fs.statSync(run.logPath, { throwIfNoEntry: false })?.ino ?? ino;
    if (now !== ino) replacements += 1;
    ino = now;
  });
  try {
    await kubelet.ended(run, endMs(scene));
  } finally {
    watcher.close();
  }
  return { streams: [written(pod.name, plan)], replacements };
}
