// One AgentStatus with every field set, for the tests of what prints it.

import type { AdminSource, AgentStatus, Check } from '../../src/admin/admin-source.ts';

export const sampleStatus: AgentStatus = {
  version: '1.2.3',
  startedAt: '2026-01-02T03:04:05.678Z',
  lines: 1_000,
  bytes: 200_000,
  entries: 900,
  batches: 7,
  requestsByCode: { 200: 6, 429: 2, SHIP_TIMEOUT: 1 },
  retries: 3,
  deadLetteredByReason: { refused: 4 },
  droppedByReason: {},
  behindBytes: 5_000,
  behindSeconds: 1.5,
  inFlightBytes: 2_048,
  openFiles: 12,
  deletedHeldBytes: 77,
  cpuSecondsByStage: { drain: 0.25, rest: 0.5 },
  fastPathLines: 990,
  checkpointAgeSeconds: 0.75,
  rssBytes: 80_000_000,
  eventLoopLagMs: 0.1,
  workloads: [
    {
      namespace: 'shop',
      pod: 'cart-0',
      container: 'app',
      lines: 600,
      bytes: 150_000,
      entries: 600,
      behindBytes: 5_000,
      files: [{ name: '0.log', offset: 150_000, size: 155_000 }],
    },
    {
      namespace: 'shop',
      pod: 'web-0',
      container: '<b>&"',
      lines: 400,
      bytes: 50_000,
      entries: 300,
      behindBytes: 0,
      files: [],
    },
  ],
};

/** A source whose answers a test may change while the server runs. */
export type SampleSource = AdminSource & {
  checks: { live: readonly Check[]; ready: readonly Check[] };
  read: () => AgentStatus;
};

export function createSampleSource(): SampleSource {
  const source: SampleSource = {
    checks: { live: [], ready: [] },
    read: () => sampleStatus,
    liveness: () => source.checks.live,
    readiness: () => source.checks.ready,
    status: () => source.read(),
  };
  return source;
}
