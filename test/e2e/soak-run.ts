// A node in small for as long as asked: containers that say little, pods that come and go, files
// that rotate, five kept. The agent's memory must be flat: what grows by a little each second kills
// a node's agent after days.
//
// Invariant: the figures are of the agent's process alone, and each is taken when all its threads
// have just collected their garbage. What V8 has committed beside that says nothing of weeks: it
// follows the speed of its collections, and so the load of the machine. Without one, half a
// megabyte a minute came for ten minutes, as pages that stay from the largest heap so far; what was
// in use after one stayed the same, but for the code that V8 goes on to optimize, 0.1 MB a minute
// and ever less. The flags of `src/main.ts` bound what V8 commits.

import fs from 'node:fs';
import path from 'node:path';

import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { makeScratch, startAgentProcess, stopAll } from '../support/agent-process.ts';
import { descriptorsOf, ownRssOf, rssOf } from '../support/agent-status.ts';
import { collectGarbage, underMemoryProbe } from '../support/collected-agent.ts';
import { keepBusy, startPods, startSink, type LongRunOptions } from './busy-node.ts';

/** Bytes without garbage, the lowest of the minute after `settleSeconds` and of the last one. */
export type SoakResult = {
  readonly malloc: Growth;
  readonly rss: Growth;
  /** Of the resident memory, what is no page of a file: those of Node's binary come and go. */
  readonly ownRss: Growth;
  /** With the garbage that V8 leaves for its next collection. */
  readonly ownRssMax: number;
  readonly descriptorsMax: number;
  readonly podsMade: number;
  readonly rotations: number;
  readonly requests: number;
};

export type Growth = { readonly first: number; readonly last: number; readonly grown: number };

type Measure = 'malloc' | 'rss' | 'ownRss';
type Sample = { readonly atMs: number } & Readonly<Record<Measure, number>>;

const sampleMs = 10_000;
const windowMs = 60_000;

/** Runs it; throws when the agent ends by itself. */
export async function runSoak(options: LongRunOptions): Promise<SoakResult> {
  const { seed, containers } = options;
  const scratch = makeScratch();
  const sink = await startSink();
  try {
    const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed });
    const node = startPods(kubelet, containers);
    const stateDir = path.join(scratch.path, 'state');
    const flags = ['--flush-interval-ms=1000'];
    const under = underMemoryProbe(scratch.path);
    const agent = startAgentProcess({ kubelet, stateDir, endpoint: sink.url, flags, under });
    const startMs = performance.now();
    const samples: Sample[] = [];
    let [descriptorsMax, ownRssMax] = [0, 0];
    const { rotations } = await keepBusy(node, agent, {
      ...options,
      lookMs: sampleMs,
      look: async () => {
        const { pid } = agent;
        descriptorsMax = Math.max(descriptorsMax, descriptorsOf(pid));
        ownRssMax = Math.max(ownRssMax, ownRssOf(pid));
        const atMs = performance.now() - startMs;
        if (!isCompared(atMs, options)) return;
        await collectGarbage(pid, scratch.path);
        const sample = { malloc: mallocOf(pid), rss: rssOf(pid), ownRss: ownRssOf(pid) };
        samples.push({ atMs, ...sample });
        options.note?.(JSON.stringify({ seconds: Math.round(atMs / 1_000), ...sample }));
      },
    });
    const growth = growthOf(samples, options);
    const { made: podsMade } = node;
    return { ...growth, ownRssMax, descriptorsMax, podsMade, rotations, requests: sink.requests() };
  } finally {
    await stopAll();
    sink.close();
    scratch.remove();
  }
}

/** What the C library's heap holds in memory: native objects and what they pin. */
function mallocOf(pid: number): number {
  let isHeap = false;
  for (const line of fs.readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (line.endsWith('[heap]')) isHeap = true;
    else if (isHeap && line.startsWith('Rss:')) return Number(line.split(/\s+/)[1]) * 1_024;
  }
  return 0;
}

/** Whether it is one of the two minutes that are compared; between them V8 is left alone. */
function isCompared(atMs: number, { seconds, settleSeconds }: LongRunOptions): boolean {
  const fromMs = settleSeconds * 1_000;
  return (atMs >= fromMs && atMs < fromMs + windowMs) || atMs >= seconds * 1_000 - windowMs;
}

function growthOf(
  samples: readonly Sample[],
  { settleSeconds }: LongRunOptions,
): Record<Measure, Growth> {
  const lateMs = settleSeconds * 1_000 + windowMs;
  const early = samples.filter(({ atMs }) => atMs < lateMs);
  const late = samples.filter(({ atMs }) => atMs >= lateMs);
  const compare = (key: Measure): Growth => {
    const [first = 0, last = 0] = [early, late].map((some) => lowest(some, key));
    return { first, last, grown: last - first };
  };
  return { malloc: compare('malloc'), rss: compare('rss'), ownRss: compare('ownRss') };
}

/** Bodies that are on their way come on top by chance; what stays is in the lowest, too. */
function lowest(samples: readonly Sample[], key: Measure): number {
  return Math.min(...samples.map((sample) => sample[key]));
}
