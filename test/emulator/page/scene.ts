// Entries of a small shop in the midst of a bad minute, the same at each run: what the tests of the
// emulator's page write, filter and take their screenshots of.

import { createRandom } from '../../../src/emulator/kubelet/log-lines.ts';

export const sceneTimeMs = Date.UTC(2026, 6, 24, 8, 20);
const spanMs = 900_000;

type Kind = readonly [severity: string, weight: number, text: string, payload?: object];

const workloads: readonly (readonly [string, string, string, number])[] = [
  ['shop', 'cart-7c9d5f6b8-x2k4q', 'api', 6],
  ['shop', 'frontend-6f4b8d7c5-q9tlc', 'web', 5],
  ['payments', 'checkout-5d8f7c9b4-m7wzp', 'api', 4],
  ['payments', 'ledger-0', 'ledger', 2],
  ['kube-system', 'coredns-5c7d6b8f9-9n4zr', 'coredns', 1],
];

/** `#` becomes a number that differs from entry to entry. */
const kinds: readonly Kind[] = [
  ['INFO', 22, 'GET /cart 200 in # ms'],
  ['INFO', 14, 'GET /products/# 200 in 8 ms'],
  ['INFO', 9, 'POST /checkout 201 in # ms'],
  ['INFO', 16, 'order placed', { orderId: 'o-48213', items: 3, total: 129.9 }],
  ['INFO', 8, 'session refreshed for user #'],
  ['DEBUG', 14, 'cache hit for key product:#'],
  ['DEBUG', 8, 'pool: # of 64 connections in use'],
  ['NOTICE', 4, 'configuration reloaded, revision #'],
  ['WARNING', 6, 'upstream was slow, trying again', { upstream: 'stock', tookMs: 812 }],
  ['WARNING', 3, 'queue is # entries long'],
  ['ERROR', 3, 'payment gateway timed out', { gateway: 'acquirer-2', attempt: 3 }],
  ['CRITICAL', 1, 'circuit breaker open: acquirer-2'],
];

/** Bodies of entries:write, newest last. */
export function sceneRequests(count: number): object[] {
  const random = createRandom(11);
  const entries = Array.from({ length: count }, (_, index) => {
    // The last third of the time is the bad one.
    const ms = sceneTimeMs - spanMs + (spanMs * index) / count + random.below(700);
    const isBad = index / count > 0.68 && index / count < 0.86;
    const [namespace, pod, container] = pickWorkload(random.next());
    const [severity, , template, payload] = pickKind(random.next(), isBad);
    const text = template.replace('#', String(2 + random.below(60)));
    const body =
      payload === undefined
        ? { textPayload: text }
        : { jsonPayload: { message: text, ...payload } };
    return {
      ...body,
      severity,
      insertId: index.toString(36).padStart(8, '0'),
      timestamp: new Date(ms).toISOString(),
      logName: `projects/acme-logs-42/logs/${severity === 'ERROR' ? 'stderr' : 'stdout'}`,
      resource: {
        type: 'k8s_container',
        labels: {
          project_id: 'acme-logs-42',
          location: 'europe-west4',
          cluster_name: 'blue',
          namespace_name: namespace,
          pod_name: pod,
          container_name: container,
        },
      },
    };
  });
  const requests: object[] = [];
  for (let at = 0; at < count; at += 500) requests.push({ entries: entries.slice(at, at + 500) });
  return requests;
}

function pickWorkload(share: number): readonly [string, string, string, number] {
  const total = workloads.reduce((sum, [, , , weight]) => sum + weight, 0);
  let left = share * total;
  return workloads.find(([, , , weight]) => (left -= weight) < 0) ?? workloads[0]!;
}

function pickKind(share: number, isBad: boolean): Kind {
  const weightOf = ([severity, weight]: Kind): number =>
    isBad && /WARNING|ERROR|CRITICAL/.test(severity) ? weight * 8 : weight;
  let left = share * kinds.reduce((sum, kind) => sum + weightOf(kind), 0);
  return kinds.find((kind) => (left -= weightOf(kind)) < 0) ?? kinds[0]!;
}
