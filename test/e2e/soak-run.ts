// A node in small for as long as asked: containers that say little, pods that come and go, files
// that rotate, five kept. The agent's memory must be flat: what grows by a little each second kills
// a node's agent after days.
//
// Invariant: the figures are of the agent's process alone, and are compared as medians of a minute,
// so that one collection of garbage more or less does not decide.

import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { makeScratch, startAgentProcess, stopAll } from '../support/agent-process.ts';
import { descriptorsOf, ownRssOf, rssOf } from '../support/agent-status.ts';

export type SoakOptions = {
  readonly seconds: number;
  /** Until then memory may grow: everything is done for the first time. */
  readonly settleSeconds: number;
  readonly seed: number;
  readonly containers?: number;
  readonly linesPerSecond?: number;
  readonly note?: (text: string) => void;
};

/** Bytes, as medians of the minute after `settleSeconds` and of the last one. */
export type SoakResult = {
  readonly malloc: Growth;
  readonly rss: Growth;
  /** Of the resident memory, what is no page of a file: those of Node's binary come and go. */
  readonly ownRss: Growth;
  readonly descriptorsMax: number;
  readonly podsMade: number;
  readonly rotations: number;
  readonly requests: number;
};

export type Growth = { readonly first: number; readonly last: number; readonly grown: number };

type Measure = 'malloc' | 'rss' | 'ownRss';
type Sample = { readonly atMs: number } & Readonly<Record<Measure, number>>;

const churnMs = 500;
const rotateMs = 1_000;
const sampleMs = 2_000;
const windowMs = 60_000;

/** Runs it; throws when the agent ends by itself. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { seconds, seed, containers = 200, linesPerSecond = 1_000 } = options;
  const scratch = makeScratch();
  const sink = await startSink();
  try {
    const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed });
    const node = { kubelet, made: 0 };
    for (let count = 0; count < containers; count += 1) addPod(node);
    const stateDir = path.join(scratch.path, 'state');
    const flags = ['--flush-interval-ms=1000'];
    const agent = startAgentProcess({ kubelet, stateDir, endpoint: sink.url, flags });
    const over = new AbortController();
    const startMs = performance.now();
    const samples: Sample[] = [];
    let descriptorsMax = 0;
    const [, rotations] = await Promise.all([
      writeAtRate({
        linesPerSecond,
        seconds,
        containers: () => kubelet.containers,
        tickMs: 20,
        signal: over.signal,
      }),
      changePods(node, { endMs: startMs + seconds * 1_000, seed }),
      each(sampleMs, startMs + seconds * 1_000, () => {
        if (!agent.isRunning()) {
          over.abort();
          throw new Error(`the agent ended: ${agent.log.join('\n')}`);
        }
        const { pid } = agent;
        const sample = { malloc: mallocOf(pid), rss: rssOf(pid), ownRss: ownRssOf(pid) };
        descriptorsMax = Math.max(descriptorsMax, descriptorsOf(pid));
        samples.push({ atMs: performance.now() - startMs, ...sample });
        options.note?.(JSON.stringify({ seconds: samples.length * 2, ...sample }));
      }),
    ]);
    const growth = growthOf(samples, options);
    const { made: podsMade } = node;
    return { ...growth, descriptorsMax, podsMade, rotations, requests: sink.requests() };
  } finally {
    await stopAll();
    sink.close();
    scratch.remove();
  }
}

type Node = { readonly kubelet: FakeKubelet; made: number };

function addPod(node: Node): void {
  node.kubelet.startPod({ namespace: 'ns', pod: `web-${node.made}`, containers: ['app'] });
  node.made += 1;
}

/** One pod in, one out each half a second; one rotation a second. Returns how many rotations. */
async function changePods(
  node: Node,
  { endMs, seed }: { endMs: number; seed: number },
): Promise<number> {
  const random = createRandom(seed);
  let rotations = 0;
  let rotateAtMs = 0;
  await each(churnMs, endMs, async () => {
    addPod(node);
    random.pick(node.kubelet.pods).delete();
    if (performance.now() < rotateAtMs) return;
    rotateAtMs = performance.now() + rotateMs;
    await random.pick(node.kubelet.containers).rotate();
    rotations += 1;
  });
  return rotations;
}

async function each(
  everyMs: number,
  endMs: number,
  work: () => Promise<void> | void,
): Promise<void> {
  while (performance.now() < endMs) {
    await sleep(everyMs);
    await work();
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

function growthOf(
  samples: readonly Sample[],
  { seconds, settleSeconds }: SoakOptions,
): Record<Measure, Growth> {
  const fromMs = settleSeconds * 1_000;
  const early = samples.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + windowMs);
  const late = samples.filter(({ atMs }) => atMs >= seconds * 1_000 - windowMs);
  const compare = (key: Measure): Growth => {
    const [first, last] = [early, late].map((some) => median(some.map((sample) => sample[key])));
    return { first: first ?? 0, last: last ?? 0, grown: (last ?? 0) - (first ?? 0) };
  };
  return { malloc: compare('malloc'), rss: compare('rss'), ownRss: compare('ownRss') };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Takes everything and keeps nothing. */
async function startSink(): Promise<{ url: string; requests: () => number; close: () => void }> {
  let requests = 0;
  const server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      requests += 1;
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, requests: () => requests, close };
}
