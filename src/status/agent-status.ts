// The agent's AdminSource, which the admin server, the page and `tailship top` show. The status is
// computed on request; a sample for the plots is taken every few seconds, at the end of a tick. It
// changes nothing in the agent.

import { accessSync, constants } from 'node:fs';
import { cpuUsage, memoryUsage, threadCpuUsage, versions } from 'node:process';

import type { AdminSource, AgentStatus, Check, WorkloadStatus } from '../admin/admin-source.ts';
import { createHistory, historyIntervalMs, type Sample } from '../admin/history.ts';
import { limits } from '../config.ts';
import { errorText } from '../errors.ts';
import { configHash } from '../options/config-hash.ts';
import type { Config } from '../options/options.ts';
import type { CheckpointStore } from '../commit/checkpoint-store.ts';
import type { Discovery } from '../discover/discovery.ts';
import type { PodMetadata } from '../discover/pods/pod-metadata.ts';
import type { Fleet } from '../fleet.ts';
import type { ConfigReloader } from '../options/config-reloader.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Shipper } from '../ship/shipper.ts';
import type { Spooler } from '../tail/spooler.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import { cpuSecondsByStage, createRising, type Rising } from './cpu-stages.ts';
import { createGivenUp, droppedByContainer } from './given-up.ts';
import type { Heartbeat } from './heartbeat.ts';
import { severityNames } from '../log-severity.ts';
import type { Log } from '../log.ts';
import { logsLinkOf } from './logs-link.ts';
import { letterStatus, lossStatus, overLimitOf } from './loss-status.ts';
import { createPressureReader, type Pressure } from '../host/node-pressure.ts';
import { steadyNowMs } from '../steady-clock.ts';
import { heldBytesOf } from '../tail/held-budget.ts';
import { shownNames } from '../tail/container-names.ts';
import { chargedOf, costPerMonth } from '../tail/container-meter.ts';
import { errorCount, ErrorMeter } from '../tail/error-meter.ts';
import type { JournalSource } from '../tail/journal/journal-source.ts';
import type { TailedContainer } from '../tail/tailed-container.ts';
import type { RuleTotals, Totals } from '../tail/totals.ts';
import { ruleText } from '../rules/rule-text.ts';
import { version } from '../version.ts';

/** The parts of an agent that are shown. */
export type ShownAgent = {
  readonly config: Config;
  readonly nodeIdentity: NodeIdentity;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly pipeline: Pipeline;
  readonly fleet: Fleet;
  readonly spooler: Spooler;
  readonly startedAtMs: number;
  readonly heartbeat: Heartbeat;
  readonly discovery: ShownDiscovery | undefined;
  readonly pods: PodMetadata | undefined;
  /** undefined: node logs are off. */
  readonly journal?: JournalSource | undefined;
  readonly reloader: ConfigReloader | undefined;
  readonly stopping: boolean;
};

type ShownDiscovery = Partial<Pick<Discovery, 'counters' | 'isFull' | 'overByPod'>>;

export type AgentReport = {
  readonly source: AdminSource;
  /** To be called at the end of each tick; takes a sample when one is due. */
  readonly observe: () => void;
};

export function createAgentReport(agent: ShownAgent, log: Log): AgentReport {
  const history = createHistory();
  const readPressure = createPressureReader();
  let rssBytes = memoryUsage.rss();
  const errors = new ErrorMeter(steadyNowMs());
  const noteGivenUp = createGivenUp(agent.fleet.losses, log);
  let dueMs = 0;
  let adminMicros = 0;
  const rising = createRising();
  const observe = (): void => {
    if (performance.now() < dueMs) return;
    dueMs = performance.now() + historyIntervalMs - agent.config.flushIntervalMs / 2;
    const before = threadCpuUsage();
    try {
      const sample = sampleOf(agent);
      rssBytes = sample.rssBytes;
      history.add(sample);
      noteGivenUp(agent.shipper.counters);
      errors.sample(agent.pipeline.totals, sample.atMs);
    } catch (error) {
      // A fault of the status must not stop the shipping.
      log.error(undefined, `the status failed: ${String(error)}`);
    }
    const { user, system } = threadCpuUsage(before);
    adminMicros += user + system;
  };
  const source: AdminSource = {
    liveness: () => liveness(agent),
    readiness: () => readiness(agent),
    status: () =>
      statusOf(agent, { adminMicros, rssBytes, pressure: readPressure(), errors, rising }),
    history: history.after,
    deadLetters: () => letterStatus(agent.config),
    spent: (micros) => {
      adminMicros += micros;
    },
  };
  return { source, observe };
}

/**
 * The tick runs, and the workers answer. Sending is not checked: each of its steps has its own
 * deadline, and a restart would not repair the endpoint.
 */
function liveness({ heartbeat, pipeline, config }: ShownAgent): Check[] {
  const { tickAgeMs } = heartbeat.read();
  const tickMaxMs = limits.livenessTickMs + 2 * config.flushIntervalMs;
  const { drainSilenceMs } = pipeline;
  return [
    checked('clock', tickAgeMs <= tickMaxMs, `no tick for ${secondsText(tickAgeMs)}`),
    checked(
      'worker',
      drainSilenceMs <= limits.livenessDrainMs,
      `no task has finished for ${secondsText(drainSilenceMs)}`,
    ),
  ];
}

/** An endpoint that is down is no reason to be unready: the files keep the lines. */
function readiness({ config, discovery, store, stopping }: ShownAgent): Check[] {
  // Raw files are found by their own paths.
  const unreadable = config.format === 'raw' ? undefined : reasonUnreadable(config.containersDir);
  return [
    checked('running', !stopping, 'stopping'),
    checked('containers', unreadable === undefined, unreadable ?? ''),
    // One pod with too many links is no reason: all others are read.
    checked('links', discovery?.isFull !== true, 'more logs than are read'),
    checked('state', store.healthy, store.lastError?.message ?? 'not writable'),
  ];
}

function checked(name: string, ok: boolean, reason: string): Check {
  return ok ? { name, ok } : { name, ok, reason };
}

function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(0)} s`;
}

function reasonUnreadable(directory: string): string | undefined {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

function sampleOf({ fleet, pipeline, shipper }: ShownAgent): Sample {
  const nowMs = steadyNowMs();
  for (const container of fleet.all()) container.meter.sample(container, nowMs);
  const written = fleet.written;
  const { requestsByCode, deadLetteredByReason } = shipper.counters;
  const { user, system } = cpuUsage();
  return {
    atMs: nowMs,
    writtenLines: written.guessedLines,
    writtenBytes: written.bytes,
    lines: pipeline.totals.lines,
    bytes: pipeline.totals.bytes,
    entries: pipeline.totals.entries,
    errors: errorCount(pipeline.totals),
    lostBytes: sumOf(fleet.losses.bytesByReason),
    behindBytes: fleet.behindBytes,
    behindSeconds: behindSecondsOf(fleet.all(), nowMs),
    inFlightBytes: pipeline.inFlightBytes,
    failedRequests: sumOf(requestsByCode) - (requestsByCode['200'] ?? 0),
    deadLettered: sumOf(deadLetteredByReason),
    cpuSeconds: (user + system) / 1e6,
    rssBytes: memoryUsage.rss(),
  };
}

/** What is too expensive to read for each answer. */
type Known = {
  readonly adminMicros: number;
  /** Of the last sample. */
  readonly rssBytes: number;
  readonly pressure: Pressure;
  readonly errors: ErrorMeter;
  readonly rising: Rising;
};

function statusOf(
  agent: ShownAgent,
  { adminMicros, rssBytes, pressure, errors, rising }: Known,
): AgentStatus {
  const { config, fleet, heartbeat, pipeline, nodeIdentity, spooler } = agent;
  const { totals } = pipeline;
  const { wakeList } = fleet;
  const { lagMs, savedAgeMs } = heartbeat.read();
  const nowMs = steadyNowMs();
  const { written } = fleet;
  const workloads = [...fleet.all()].map((container) => workloadStatus(agent, container, nowMs));
  return {
    version,
    nodeVersion: versions.node,
    startedAt: new Date(agent.startedAtMs).toISOString(),
    place: nodeIdentity,
    checks: [...liveness(agent), ...readiness(agent)],
    lines: totals.lines,
    bytes: totals.bytes,
    entries: totals.entries,
    writtenBytes: written.bytes,
    // The estimate may have been too high.
    writtenLines: rising('written lines', Math.round(written.lines)),
    errorShares: errors.shares(totals, nowMs),
    entriesBySeverity: bySeverity(totals.severities),
    ...(agent.journal !== undefined && { journal: agent.journal.status }),
    batches: totals.batches,
    ...shipStatus(agent),
    lostBytesByReason: fleet.losses.bytesByReason,
    lostByContainer: fleet.losses.containers,
    losses: lossStatus(fleet.losses),
    overLimit: overLimitOf(fleet.all(), agent.discovery?.overByPod ?? new Map()),
    unknownParsers: fleet.unknownParsers.count,
    refusedByKind: {
      link: agent.discovery?.counters?.refused ?? 0,
      path: fleet.refusals.count,
    },
    malformedLines: totals.malformedLines,
    redacted: totals.redacted,
    sampledOut: totals.sampledOut,
    ruleMisses: byRule(totals, 'misses'),
    ruleDropped: byRule(totals, 'dropped'),
    holeBytes: totals.holeBytes,
    readErrors: totals.readErrors,
    behindBytes: workloads.reduce((sum, { behindBytes }) => sum + behindBytes, 0),
    behindSeconds: behindSecondsOf(fleet.all(), nowMs),
    inFlightBytes: pipeline.inFlightBytes,
    openFiles: fleet.openFileCount,
    deletedHeldBytes: deletedHeldBytes(fleet.all()),
    orphans: { ...spooler.orphans.counters, heldBytes: spooler.orphans.heldBytes },
    cpuSecondsByStage: cpuSecondsByStage(agent, adminMicros, rising),
    fastPathLines: totals.fastLines,
    workerTasks: totals.tasks,
    wakeUps: wakeList.wakeUps,
    containersByState: { busy: wakeList.busyCount, idle: wakeList.idleCount },
    heldBackBytes: fleet.heldBackBytes,
    podMetadata: agent.pods?.counters,
    configHash: configHash(agent.config),
    configReloads: agent.reloader?.counters ?? { accepted: 0, refused: 0 },
    checkpointAgeSeconds: savedAgeMs / 1e3,
    rssBytes,
    eventLoopLagMs: Math.max(0, lagMs),
    ...pressure,
    logsLink: logsLinkOf(config),
    showsContent: config.adminShowContent,
    pricePerGib: config.pricePerGib,
    workloads,
  };
}

function shipStatus({ shipper }: ShownAgent) {
  const { counters } = shipper;
  const { lastError, lastSuccessMs } = counters;
  return {
    sentBytes: counters.wireBytes,
    requestsByCode: counters.requestsByCode,
    retries: counters.retries,
    // The series exist from the start: otherwise an alert on an increase misses the first one.
    deadLetteredByReason: { refused: 0, too_large: 0, denied: 0, ...counters.deadLetteredByReason },
    droppedByReason: {
      dead_letter_unwritten: counters.deadLettersUnwritten,
      dead_letter_evicted: counters.deadLettersDropped,
    },
    droppedByContainer: droppedByContainer(counters),
    ship: {
      consecutiveFailures: counters.consecutiveFailures,
      failuresByProject: { ...counters.failuresByProject },
      ...(lastError !== undefined && {
        lastErrorCode: lastError.code,
        lastErrorAt: new Date(lastError.timeMs).toISOString(),
      }),
      ...(lastSuccessMs !== undefined && { lastSuccessAt: new Date(lastSuccessMs).toISOString() }),
    },
  };
}

function workloadStatus(
  { config, nodeIdentity }: ShownAgent,
  tailed: TailedContainer,
  nowMs: number,
): WorkloadStatus {
  const { chain, containerLog, lostBytes, meter, refusedEntries, totals, written } = tailed;
  const rates = meter.rates(tailed, nodeIdentity);
  const { matching } = tailed.rule;
  return {
    ...shownNames(containerLog),
    lines: totals.lines,
    bytes: totals.bytes,
    entries: totals.entries,
    severities: presentOf(totals.severities),
    writtenBytes: written.bytes,
    writtenLines: Math.round(written.lines),
    linesPerSecond: rates.writtenLines,
    bytesPerSecond: rates.writtenBytes,
    shippedLinesPerSecond: rates.shippedLines,
    shippedBytesPerSecond: rates.shippedBytes,
    errorShares: meter.errorShares(tailed, nowMs),
    behindBytes: chain.behindBytes,
    behindSeconds: behindSecondsOf([tailed], nowMs),
    chargedBytes: chargedOf(totals, tailed, nodeIdentity),
    costPerMonth: costPerMonth(rates.chargedBytes, config.pricePerGib),
    costSeconds: rates.chargedSeconds,
    ...(lostBytes > 0 && { lostBytes }),
    ...(refusedEntries > 0 && { refusedEntries }),
    ...(matching !== undefined && matching.length > 0 && { rules: matching.map(ruleText) }),
    files: chain.files.map((file) => ({
      name: file.path.slice(file.path.lastIndexOf('/') + 1),
      offset: file.committed,
      readOffset: file.offset,
      size: file.size,
      ...(file.name.rotation !== '' && { isRotated: true }),
      ...(file.unlinked && { isDeleted: true }),
    })),
  };
}

function byRule({ rules }: Totals, count: keyof RuleTotals): Record<string, number> {
  const counted = [...rules].filter(([, totals]) => totals[count] > 0);
  return Object.fromEntries(counted.map(([name, totals]) => [name, totals[count]]));
}

function bySeverity(counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(severityNames.map((name, index) => [name, counts[index] ?? 0]));
}

/** Most containers have one or two severities: the zeros are not sent. */
function presentOf(counts: readonly number[]): Record<string, number> {
  const present: Record<string, number> = {};
  for (const [index, name] of severityNames.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0) present[name] = count;
  }
  return present;
}

function behindSecondsOf(chains: Iterable<TailedContainer>, nowMs: number): number {
  let sinceMs = nowMs;
  for (const { chain } of chains) {
    // `behindSinceMs` is of the last look: the chain may have caught up since.
    if (chain.behindBytes > 0) sinceMs = Math.min(sinceMs, chain.behindSinceMs ?? nowMs);
  }
  return (nowMs - sinceMs) / 1e3;
}

function deletedHeldBytes(chains: Iterable<TailedContainer>): number {
  let bytes = 0;
  for (const { chain } of chains) {
    for (const file of chain.files) bytes += heldBytesOf(file);
  }
  return bytes;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
