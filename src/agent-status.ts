// What the agent says about itself: the AdminSource that the admin server, the page and `tailship
// top` print. Made by agent.ts; it only reads, and only when asked.

import { cpuUsage, memoryUsage } from 'node:process';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { AdminSource, AgentStatus, Check, WorkloadStatus } from './admin/admin-source.ts';
import type { Agent } from './agent.ts';
import type { FleetChain } from './fleet.ts';
import { version } from './version.ts';

const lagResolutionMs = 100;

/**
 * The agent as the admin server sees it. Starts a monitor of the event loop; nothing else runs
 * between calls.
 */
export function createAdminSource(agent: Agent): AdminSource {
  const lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  lag.enable();
  return {
    liveness: () => [],
    readiness: () => readiness(agent),
    status: () => {
      const eventLoopLagMs = Math.max(0, lag.mean / 1e6 - lagResolutionMs) || 0;
      lag.reset();
      return { ...statusOf(agent), eventLoopLagMs };
    },
  };
}

/** Cloud Logging being down is not in it: the agent does its work, the files keep the lines. */
function readiness(agent: Agent): Check[] {
  const { store, stopping } = agent;
  return [
    stopping ? { name: 'running', ok: false, reason: 'stopping' } : { name: 'running', ok: true },
    store.healthy
      ? { name: 'state', ok: true }
      : { name: 'state', ok: false, reason: store.lastError?.message ?? 'not writable' },
  ];
}

function statusOf(agent: Agent): Omit<AgentStatus, 'eventLoopLagMs'> {
  const { pipeline, fleet, shipper, store } = agent;
  const { totals } = pipeline;
  const nowMs = Date.now();
  const workloads = [...fleet.all()].map((planned) => workloadStatus(agent, planned));
  const behindSince = [...fleet.all()].flatMap(({ chain }) => chain.behindSinceMs ?? []);
  const { user, system } = cpuUsage();
  const drainSeconds = totals.drainCpuMicros / 1e6;
  return {
    version,
    startedAt: new Date(agent.startedAtMs).toISOString(),
    lines: totals.lines,
    bytes: totals.bytes,
    entries: totals.entries,
    batches: totals.batches,
    requestsByCode: shipper.counters.requestsByCode,
    retries: shipper.counters.retries,
    deadLetteredByReason: shipper.counters.deadLetteredByReason,
    droppedByReason: {},
    behindBytes: workloads.reduce((sum, { behindBytes }) => sum + behindBytes, 0),
    behindSeconds: behindSince.length === 0 ? 0 : (nowMs - Math.min(...behindSince)) / 1e3,
    inFlightBytes: pipeline.inFlightBytes,
    openFiles: fleet.openFileCount,
    deletedHeldBytes: deletedHeldBytes(fleet.all()),
    cpuSecondsByStage: { drain: drainSeconds, rest: (user + system) / 1e6 - drainSeconds },
    fastPathLines: totals.fastLines,
    checkpointAgeSeconds: (nowMs - store.lastFlushMs) / 1e3,
    rssBytes: memoryUsage.rss(),
    workloads,
  };
}

function workloadStatus({ pipeline }: Agent, planned: FleetChain): WorkloadStatus {
  const { chain, log } = planned;
  const { namespace, pod, container } = log.name ?? {
    namespace: '',
    pod: '',
    container: log.linkPath,
  };
  return {
    namespace,
    pod,
    container,
    ...pipeline.totalsOf(planned),
    behindBytes: chain.behindBytes,
    files: chain.files.map((file) => ({
      name: file.path.slice(file.path.lastIndexOf('/') + 1),
      offset: file.committed,
      size: file.size,
      isRotated: file.name.rotation !== '',
      isDeleted: file.unlinked,
    })),
  };
}

function deletedHeldBytes(chains: Iterable<FleetChain>): number {
  let bytes = 0;
  for (const { chain } of chains) {
    for (const file of chain.files) if (file.unlinked) bytes += file.unread;
  }
  return bytes;
}
