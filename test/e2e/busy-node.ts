// A node on which pods come and go and files rotate, and a stand-in for the API that takes all and
// keeps nothing: what the long runs have in common.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeContainer } from '../../src/emulator/kubelet/fake-container.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { createRandom, type LineKind } from '../../src/emulator/kubelet/log-lines.ts';

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
 * One pod in, one out each half a second; one rotation a second. A pod that was just rotated stays:
 * what it writes to a file that is gone before the next tick is lost, and told. Returns how many
 * rotations.
 */
export async function changePods(
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
export async function each(
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
