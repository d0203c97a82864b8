// A node in the midst of an incident, as an AdminSource of made-up figures that are the same at
// each run: what the tests of the page look at, and take their screenshots of.

import type { AdminSource, AgentStatus, WorkloadStatus } from '../../src/admin/admin-source.ts';
import { createHistory, historyIntervalMs, historySamplesMax } from '../../src/admin/history.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { severityNames } from '../../src/log-severity.ts';
import { sampleStatus } from './status-fixture.ts';

/** Samples of the history in which the API throttles: a short time, and since three minutes. */
const throttled = [
  { start: 58, end: 72 },
  { start: 141, end: historySamplesMax },
] as const;
/** One container floods in these samples. */
const floodStart = 126;
/** What gets through while the API throttles: nearly nothing the first time, some now. */
const throttledShares = [0.04, 0.45] as const;
const lagSeconds = ((historySamplesMax - 1 - 141) * historyIntervalMs) / 1_000;

const names = [
  ['payments', 'checkout-5d8f7c9b4-m7wzp', 'api', 9_400],
  ['shop', 'cart-7c9d5f6b8-x2k4q', 'api', 610],
  ['shop', 'frontend-6f4b8d7c5-q9tlc', 'web', 540],
  ['shop', 'frontend-6f4b8d7c5-x7dhs', 'web', 512],
  ['payments', 'ledger-0', 'ledger', 305],
  ['payments', 'fraud-score-84c6f9d5b-zk2vn', 'scorer', 122],
  ['search', 'indexer-1', 'indexer', 210],
  ['search', 'query-67b5c9d6f4-tt5kp', 'query', 188],
  ['monitoring', 'prometheus-0', 'prometheus', 64],
  ['monitoring', 'grafana-7f7d4b9c6-lxq2m', 'grafana', 12],
  ['kube-system', 'kube-proxy-gke-blue-pool-1-7f3a', 'kube-proxy', 3],
  ['kube-system', 'coredns-5c7d6b8f9-9n4zr', 'coredns', 41],
  ['kube-system', 'metrics-server-6d9f8b7c4-p8w2k', 'metrics-server', 6],
  ['jobs', 'report-28910042-b5x8t', 'report', 0],
  ['ingress', 'nginx-controller-6c8d7f9b5-hr2ds', 'controller', 830],
  ['istio-system', 'istiod-78f6c9b5d4-7kzqv', 'discovery', 27],
] as const;

/** What the incident's flooding container is called. */
export const flooder = 'payments/checkout-5d8f7c9b4-m7wzp/api';

function workloadOf([namespace, pod, container, rate]: (typeof names)[number]): WorkloadStatus {
  const random = createRandom(pod.length + rate);
  const lineBytes = 180 + random.below(160);
  const isFlooding = rate > 5_000;
  const lines = rate * 3_600 + random.below(1_000);
  const behindBytes = isFlooding ? 559_130_552 : rate > 100 ? random.below(60_000) : 0;
  const size = 6_000_000 + random.below(3_000_000);
  const rotated = { offset: 10_485_812, readOffset: 10_485_812, size: 10_485_812, isRotated: true };
  const older = [
    { name: '0.log.20260724-081142', ...rotated },
    {
      name: '0.log.20260724-081631',
      ...rotated,
      ...(isFlooding && { offset: 8_912_345, readOffset: 9_961_020 }),
    },
  ];
  const offset = isFlooding ? 0 : size - behindBytes;
  const linesPerSecond = rate * throttledShares[1];
  return {
    namespace,
    pod,
    container,
    lines,
    bytes: lines * lineBytes,
    entries: lines,
    severities: severitiesOf(lines, pod),
    writtenLines: Math.round(lines + behindBytes / lineBytes),
    writtenBytes: lines * lineBytes + behindBytes,
    linesPerSecond: rate,
    bytesPerSecond: rate * lineBytes,
    shippedLinesPerSecond: linesPerSecond,
    shippedBytesPerSecond: linesPerSecond * lineBytes,
    errorShares: errorSharesOf(lines, pod),
    behindBytes,
    behindSeconds: isFlooding ? lagSeconds : behindBytes > 0 ? 0.2 + random.below(400) / 10 : 0,
    chargedBytes: lines * (lineBytes + 300),
    costPerMonth: (rate * (lineBytes + 300) * 2_628_000 * 0.5) / 1024 ** 3,
    costSeconds: 900,
    files: [
      ...(rate > 500 ? older : []),
      { name: '0.log', offset, readOffset: isFlooding ? 0 : size, size },
    ],
  };
}

/** A shop on a bad day: the payments fail, and some only write what they always write. */
function severitiesOf(lines: number, pod: string): Record<string, number> {
  const random = createRandom(lines);
  const isFailing = /^(?:checkout|fraud)/.test(pod);
  const errors = isFailing ? 0.07 + random.below(20) / 100 : random.below(20) / 2_000;
  const shares: Record<string, number> = /^(?:report|kube-proxy|metrics)/.test(pod)
    ? {}
    : {
        DEBUG: random.below(30) / 100,
        WARNING: isFailing ? 0.12 : random.below(30) / 1_000,
        ERROR: errors,
        ...(isFailing && { CRITICAL: errors / 12 }),
      };
  const counts = new Map(
    Object.entries(shares).map(([name, share]) => [name, Math.floor(lines * share)]),
  );
  counts.set('INFO', lines - [...counts.values()].reduce((sum, count) => sum + count, 0));
  // In the order of their ranks, as the agent gives them.
  const ranked = severityNames.map((name) => [name, counts.get(name) ?? 0] as const);
  return Object.fromEntries(ranked.filter(([, count]) => count > 0));
}

/** The failing ones fail more and more. */
function errorSharesOf(lines: number, pod: string): (number | null)[] {
  if (lines === 0) return [null, null, null, null];
  const { ERROR = 0, CRITICAL = 0 } = severitiesOf(lines, pod);
  const share = (ERROR + CRITICAL) / lines;
  return [1, 0.9, 0.8, 0.7].map((part) => share * part);
}

function createSceneHistory(nowMs: number) {
  const history = createHistory();
  const random = createRandom(7);
  const sums = {
    writtenLines: 0,
    writtenBytes: 0,
    lines: 0,
    bytes: 0,
    entries: 0,
    errors: 0,
    lostBytes: 0,
    failedRequests: 0,
    deadLettered: 0,
    cpuSeconds: 0,
  };
  const seconds = historyIntervalMs / 1_000;
  for (let at = 0; at < historySamplesMax; at += 1) {
    const phase = throttled.findLastIndex(({ start }) => at >= start);
    const throttling = throttled[phase];
    const isThrottled = throttling !== undefined && at < throttling.end;
    const isFlooding = at >= floodStart;
    const lagMax = throttling === undefined ? 0 : (throttling.end - throttling.start) * seconds;
    const behind = isThrottled
      ? (at - throttling.start) * seconds
      : Math.max(0, lagMax - Math.max(0, at - (throttling?.end ?? 0)) * 30);
    const isCatchingUp = !isThrottled && behind > 1;
    const written = (isFlooding ? 12_400 : 3_300) * (0.92 + random.below(160) / 1_000);
    const passed = throttledShares[phase] ?? 1;
    const shipped = isThrottled ? written * passed : isCatchingUp ? written * 2.6 : written;
    sums.writtenLines += Math.round(written * seconds);
    sums.writtenBytes += Math.round(written * seconds * 262);
    sums.entries += Math.round(shipped * seconds);
    sums.errors += Math.round(shipped * seconds * (isFlooding ? 0.11 : 0.012));
    sums.lines += Math.round(shipped * seconds);
    sums.bytes += Math.round(shipped * seconds * 262);
    sums.cpuSeconds += (shipped * 2.1 + 1_800 + random.below(900)) * 1e-6 * seconds;
    if (isThrottled) sums.failedRequests += 2 + random.below(3);
    if (at === 74) sums.deadLettered += 1;
    history.add({
      ...sums,
      atMs: nowMs - (historySamplesMax - 1 - at) * historyIntervalMs,
      behindBytes: Math.round(behind * 290_000),
      behindSeconds: behind > 0 ? behind : 0.3 + random.below(6) / 10,
      inFlightBytes: isThrottled ? 6_291_456 : 400_000 + random.below(900_000),
      rssBytes: 104_000_000,
    });
  }
  return history;
}

/** The source; `nowMs` is the time of its newest sample. */
export function createScene(nowMs: number): AdminSource & { status: () => AgentStatus } {
  const history = createSceneHistory(nowMs);
  const workloads = names.map(workloadOf);
  const status: AgentStatus = {
    ...sampleStatus,
    version: '0.1.0',
    startedAt: new Date(nowMs - 97_000_000).toISOString(),
    place: {
      project: 'acme-logs-42',
      location: 'europe-west4',
      cluster: 'blue',
      node: 'gke-blue-pool-1-7f3a',
    },
    checks: [
      { name: 'clock', ok: true },
      { name: 'state', ok: true },
    ],
    lines: 318_442_107,
    errorShares: [0.11, 0.108, 0.07, 0.03],
    requestsByCode: { 200: 41_002, 429: 71 },
    deadLetteredByReason: { refused: 1, too_large: 0, denied: 0 },
    droppedByReason: { dead_letter_evicted: 0 },
    lostBytesByReason: { truncated: 0, not_unpacked: 0 },
    behindBytes: 561_311_207,
    behindSeconds: lagSeconds,
    inFlightBytes: 6_291_456,
    rssBytes: 104_418_944,
    ship: { consecutiveFailures: 3, lastErrorCode: 'SHIP_THROTTLED' },
    workloads,
  };
  return {
    liveness: () => status.checks,
    readiness: () => [],
    status: () => status,
    history: history.after,
    deadLetters: () => [
      {
        id: '1f0a3c9d2b',
        time: '2026-07-24T08:17:03.512Z',
        codeName: 'INVALID_ARGUMENT',
        container: 'shop/frontend-6f4b8d7c5-x7dhs/web',
        entryBytes: 1_812,
      },
    ],
    spent: () => undefined,
  };
}
