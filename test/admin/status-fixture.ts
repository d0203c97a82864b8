// One AgentStatus with every field set, for the tests of what prints it.

import type {
  AdminSource,
  AgentStatus,
  Check,
  WorkloadStatus,
} from '../../src/admin/admin-source.ts';
import { createHistory, type History } from '../../src/admin/history.ts';
import type { JournalStatus } from '../../src/journal/journal-status.ts';

export const sampleWorkload: WorkloadStatus = {
  namespace: 'shop',
  pod: 'cart-0',
  container: 'app',
  lines: 600,
  bytes: 150_000,
  entries: 600,
  severities: { INFO: 500, ERROR: 100 },
  writtenBytes: 155_000,
  writtenLines: 620,
  linesPerSecond: 3,
  bytesPerSecond: 750,
  shippedLinesPerSecond: 2,
  shippedBytesPerSecond: 500,
  errorShares: [0.25, 0.2, 0.1, null],
  behindBytes: 5_000,
  behindSeconds: 1.5,
  chargedBytes: 300_000,
  costPerMonth: 12.34,
  costSeconds: 900,
  refusedEntries: 2,
  files: [{ name: '0.log', offset: 150_000, readOffset: 152_000, size: 155_000 }],
};

export const sampleStatus: AgentStatus = {
  version: '1.2.3',
  nodeVersion: '26.1.0',
  startedAt: '2026-01-02T03:04:05.678Z',
  place: { project: 'acme', location: 'europe-west4', cluster: 'blue', node: 'node-1' },
  checks: [
    { name: 'clock', ok: true },
    { name: 'state', ok: false, reason: '<disk full>' },
  ],
  lines: 1_000,
  bytes: 200_000,
  entries: 900,
  writtenBytes: 205_000,
  writtenLines: 1_020,
  errorShares: [0.3, 0.2, 0.1, 0.05],
  entriesBySeverity: { DEFAULT: 0, INFO: 800, ERROR: 100 },
  batches: 7,
  sentBytes: 400_000,
  requestsByCode: { 200: 6, 429: 2, SHIP_TIMEOUT: 1 },
  retries: 3,
  deadLetteredByReason: { refused: 4 },
  droppedByReason: { dead_letter_evicted: 2 },
  lostBytesByReason: { truncated: 9 },
  lostByContainer: [
    {
      namespace: 'shop',
      pod: 'cart-0',
      container: 'app',
      lostBytes: 5,
      bytesByReason: { truncated: 5 },
    },
  ],
  overLimit: [{ namespace: 'shop', pod: 'cart-0', kind: 'files', count: 30 }],
  refusedByKind: { link: 16, path: 17 },
  malformedLines: 8,
  redacted: 14,
  sampledOut: 15,
  holeBytes: 4096,
  readErrors: 5,
  behindBytes: 5_000,
  behindSeconds: 1.5,
  inFlightBytes: 2_048,
  openFiles: 12,
  deletedHeldBytes: 77,
  cpuSecondsByStage: { drain: 0.25, main: 0.5 },
  fastPathLines: 990,
  workerTasks: 11,
  wakeUps: 21,
  containersByState: { busy: 1, idle: 1 },
  heldBackBytes: 41,
  podMetadata: {
    pods: 31,
    withoutLabels: 2,
    labelsCut: 1,
    lists: 3,
    watches: 4,
    failures: 5,
  },
  logsLink: 'https://logs.example.com/{namespace}/{pod}/{container}?from={cluster}',
  configHash: 'c0ffee123456',
  configReloads: { accepted: 6, refused: 7 },
  checkpointAgeSeconds: 0.75,
  rssBytes: 80_000_000,
  eventLoopLagMs: 100,
  throttling: { periods: 80, throttledPeriods: 20, throttledSeconds: 1.5 },
  conntrackShare: 0.25,
  ship: { consecutiveFailures: 0 },
  pricePerGib: 0.5,
  workloads: [
    sampleWorkload,
    {
      ...sampleWorkload,
      pod: 'web-0',
      container: '<b>&"',
      lines: 400,
      bytes: 50_000,
      entries: 300,
      behindBytes: 0,
      behindSeconds: 0,
      errorShares: [0, 0, 0, 0],
      refusedEntries: 0,
      files: [],
    },
  ],
};

/** A source whose answers a test may change while the server runs. */
export type SampleSource = Omit<AdminSource, 'history'> & {
  checks: { live: readonly Check[]; ready: readonly Check[] };
  read: () => AgentStatus;
  readonly samples: History;
  history: AdminSource['history'];
  spentMicros: number;
};

export function createSampleSource(): SampleSource {
  const samples = createHistory();
  const source: SampleSource = {
    checks: { live: [], ready: [] },
    read: () => sampleStatus,
    samples,
    liveness: () => source.checks.live,
    readiness: () => source.checks.ready,
    status: () => source.read(),
    history: samples.after,
    spentMicros: 0,
    spent: (micros) => {
      source.spentMicros += micros;
    },
  };
  return source;
}

const journalLog = {
  readEntries: 1_600,
  entries: 1_500,
  bytes: 900_000,
  inFlightEntries: 12,
  lastReadAt: '2026-11-28T10:00:00.000Z',
  isExcluded: false,
  bytesPerSecond: undefined,
  rules: [],
};

/** A journal with troubles, of three logs. */
export const sampleJournal: JournalStatus = {
  files: 2,
  unreadableFiles: 1,
  isPersistent: false,
  entries: 1_500,
  behindEntries: 12,
  behindSeconds: 1.5,
  position: { seqnumId: 'a'.repeat(32), seqnum: 7, at: '2026-11-28T09:59:00.000Z' },
  lostEntries: 3,
  corruptEntries: 0,
  incompleteFields: 0,
  logs: [
    { ...journalLog, name: 'docker', entries: 0, inFlightEntries: 0, isExcluded: true },
    {
      ...journalLog,
      name: 'kubelet',
      bytesPerSecond: 65_536,
      rules: [{ name: 'healthz', does: 'drop', why: '_node/*/kubelet' }],
    },
    { ...journalLog, name: '<b>&"', readEntries: 5, entries: 5, inFlightEntries: 0 },
  ],
};
