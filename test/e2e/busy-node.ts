// A node on which pods come and go and files rotate, and a stand-in for the API that takes all and
// keeps nothing: what the long runs have in common.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeContainer } from '../../src/emulator/kubelet/fake-container.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { createRandom, type LineKind } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate, type PacedWriteResult } from '../../src/emulator/kubelet/paced-writer.ts';
import type { AgentProcess } from '../support/agent-process.ts';

/** What each of the long runs is told. */
export type LongRunOptions = {
  readonly seconds: number;
  /** Until then nothing is compared: everything is done for the first time, and V8 compiles. */
  readonly settleSeconds: number;
  readonly seed: number;
  readonly containers: number;
  readonly linesPerSecond: number;
  readonly note?: (text: string) => void;
};

/** The words of their command lines. */
export const longRunWords = {
  seconds: { type: 'string' },
  settle: { type: 'string' },
  seed: { type: 'string', default: String(Date.now() % 1e9) },
  containers: { type: 'string' },
  'lines-per-second': { type: 'string' },
  verbose: { type: 'boolean', default: false },
} as const;

type LongRunValues = Readonly<
  Record<'seconds' | 'settle' | 'seed' | 'containers' | 'lines-per-second', string>
> & { readonly verbose: boolean };

export function longRunOptions(values: LongRunValues): LongRunOptions {
  return {
    seconds: Number(values.seconds),
    settleSeconds: Number(values.settle),
    seed: Number(values.seed),
    containers: Number(values.containers),
    linesPerSecond: Number(values['lines-per-second']),
    note: (text) => values.verbose && process.stdout.write(`${text}\n`),
  };
}

const churnMs = 500;
const rotateMs = 1_000;

/** A kubelet whose pods come and go. */
export type BusyNode = { readonly kubelet: FakeKubelet; readonly kind: LineKind; made: number };

function addPod(node: BusyNode): void {
  const { kind, kubelet, made } = node;
  kubelet.startPod({ namespace: 'ns', pod: `web-${made}`, containers: [{ name: 'app', kind }] });
  node.made += 1;
}

/** As many pods of one container each. */
export function startPods(kubelet: FakeKubelet, count: number, kind: LineKind = 'mixed'): BusyNode {
  const node = { kubelet, kind, made: 0 };
  for (let made = 0; made < count; made += 1) addPod(node);
  return node;
}

/**
 * Keeps the node busy for so many seconds, and looks at the agent every `lookMs`. Throws when the
 * agent ends by itself.
 */
export async function keepBusy(
  node: BusyNode,
  agent: AgentProcess,
  options: Pick<LongRunOptions, 'seconds' | 'seed' | 'linesPerSecond'> & {
    readonly lookMs: number;
    readonly look: () => Promise<void> | void;
  },
): Promise<{ readonly written: PacedWriteResult; readonly rotations: number }> {
  const { seconds, seed, linesPerSecond, lookMs, look } = options;
  const { kubelet } = node;
  const over = new AbortController();
  const endMs = performance.now() + seconds * 1_000;
  const [written, rotations] = await Promise.all([
    writeAtRate({
      linesPerSecond,
      seconds,
      containers: () => kubelet.containers,
      tickMs: 20,
      signal: over.signal,
    }),
    changePods(node, { endMs, seed }),
    each(lookMs, endMs, async () => {
      if (!agent.isRunning()) {
        over.abort();
        throw new Error(`the agent ended: ${agent.log.join('\n')}`);
      }
      await look();
    }),
  ]);
  return { written, rotations };
}

/**
 * One pod in, one out each half a second; one rotation a second. A pod that was just rotated stays:
 * what it writes to a file that is gone before the next tick is lost, and told. Returns how many
 * rotations.
 */
async function changePods(
  node: BusyNode,
  { endMs, seed }: { endMs: number; seed: number },
): Promise<number> {
  const random = createRandom(seed);
  let rotations = 0;
  let rotateAtMs = 0;
  let spared: readonly FakeContainer[] = [];
  await each(churnMs, endMs, async () => {
    addPod(node);
    random.pick(node.kubelet.pods.filter((pod) => !spared.includes(pod.container()))).delete();
    if (performance.now() < rotateAtMs) return;
    rotateAtMs = performance.now() + rotateMs;
    const container = random.pick(node.kubelet.containers);
    spared = [...spared.slice(-2), container];
    await container.rotate();
    rotations += 1;
  });
  return rotations;
}

/** Does the work again and again, with a pause before each. */
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

export type Sink = {
  readonly url: string;
  readonly requests: () => number;
  readonly close: () => void;
};

/** Accepts every request; `onBody` is given each body that came whole. */
export async function startSink(onBody?: (body: Buffer) => void): Promise<Sink> {
  let requests = 0;
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => onBody && chunks.push(chunk));
    request.on('end', () => {
      requests += 1;
      onBody?.(Buffer.concat(chunks));
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
