// The agent on a node: once per flush interval a tick looks at the busy containers and pumps, until
// the signal to stop. Discovery, reloading and the admin server run beside it.

import { hostname } from 'node:os';

import type { AdminServer } from '../admin/admin-server.ts';
import type { AdminSource } from '../admin/admin-source.ts';
import { type Control, progressSink, stopReason } from '../control.ts';
import type { PodMetadata } from '../discover/pods/pod-metadata.ts';
import { createConntrackWatch } from '../host/node-pressure.ts';
import { ConfigReloader } from '../options/config-reloader.ts';
import type { Config } from '../options/options.ts';
import { withoutFeedback } from '../output-target.ts';
import { removeAbandoned, tailPlaces } from '../scratch-directory.ts';
import type { AgentReport, ShownAgent } from '../status/agent-status.ts';
import { createCatchUp } from '../status/catch-up.ts';
import { createHeartbeat, type Heartbeat } from '../status/heartbeat.ts';
import { tellStart, tellStop } from '../status/run-lines.ts';
import { createSummaryLog } from '../status/summary-log.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { JournalSource } from '../tail/journal/journal-source.ts';
import { savePositions } from '../tail/loss-notices.ts';
import { type Agent, planContext } from './make-agent.ts';
import { findLogs, type LogSearch, openNodeLogs, openPods, journalRules } from './open-sources.ts';
import { stopGracefully } from './stop-agent.ts';

type Company = {
  readonly pods: PodMetadata | undefined;
  readonly journal: JournalSource | undefined;
  readonly logs: LogSearch;
  readonly reloader: ConfigReloader | undefined;
};

/** Resolves to the exit code after the control's signal is aborted. */
export async function runLive(agent: Agent, control: Control): Promise<number> {
  // Directories of tails that were killed.
  for (const [parent, prefix] of tailPlaces(agent.config.stateDir)) removeAbandoned(parent, prefix);
  const pods = await openPods(agent, control);
  agent.fleet.restoreOrphans(agent.spooler.orphans, steadyNowMs());
  const journal = await openNodeLogs(agent, control);
  const logs = await findLogs(agent, control);
  const reloader = startReloading(agent, { pods, journal }, control);
  try {
    await liveUntilStopped(agent, { pods, journal, logs, reloader }, control);
    return 0;
  } finally {
    reloader?.close();
    pods?.close();
    journal?.close();
    await logs.close();
  }
}

async function liveUntilStopped(agent: Agent, company: Company, control: Control): Promise<void> {
  const { log, signal } = control;
  const { fleet, pipeline, spooler } = agent;
  const { journal, logs, pods, reloader } = company;
  const heartbeat = createHeartbeat(agent.config.flushIntervalMs);
  let stopping = false;
  const shown: ShownAgent = {
    ...agent,
    heartbeat,
    pods,
    journal,
    discovery: logs.discovery,
    reloader,
    get config() {
      return reloader?.config ?? agent.config;
    },
    get stopping() {
      return stopping;
    },
  };
  const { admin, observe } = await serveAdmin(shown, control);
  void logs.listed.then((nothing) => {
    if (nothing !== undefined) log.warn(nothing.code, nothing.message);
    tellStart(log, agent, admin?.url);
  });
  const { promise: stopped, resolve: stop, reject: fail } = Promise.withResolvers<void>();
  const tick = createTick(agent, { heartbeat, journal, control, observe, fail });
  pipeline.failure.catch(fail);
  const timer = setInterval(tick, agent.config.flushIntervalMs);
  tick();
  signal.addEventListener('abort', () => stop(), { once: true });
  if (signal.aborted) stop();
  try {
    await stopped;
  } finally {
    clearInterval(timer);
    reloader?.close();
    stopping = true;
    const { inFlightBytes } = pipeline;
    const { behindBytes } = fleet;
    await stopGracefully(agent, shown.config.graceMs);
    savePositions(agent);
    spooler.orphans.sweep();
    if (signal.aborted) {
      tellStop(log, agent, { reason: stopReason(control), inFlightBytes, behindBytes });
    }
    await admin?.close();
  }
}

type TickParts = {
  readonly heartbeat: Heartbeat;
  readonly journal: JournalSource | undefined;
  readonly control: Control;
  /** undefined without an admin server. */
  readonly observe: (() => void) | undefined;
  readonly fail: (error: unknown) => void;
};

/** The work of one flush interval; never throws. */
function createTick(
  agent: Agent,
  { heartbeat, journal, control, observe, fail }: TickParts,
): () => void {
  const { fleet, pipeline, spooler, store } = agent;
  const summarize = createSummaryLog(control.log);
  const watchConntrack = createConntrackWatch(control.log);
  const catchUp = createCatchUp(progressSink(control));
  return () => {
    try {
      heartbeat.begin();
      fleet.tick(steadyNowMs());
      journal?.look(steadyNowMs());
      spooler.orphans.keep(() => fleet.all(), fail);
      pipeline.pump();
      heartbeat.spent('tail');
      savePositions(agent);
      if (store.healthy) heartbeat.saved();
      spooler.orphans.sweep();
      heartbeat.spent('commit');
      summarize({ ...pipeline.totals, behindBytes: () => fleet.behindBytes });
      catchUp(() => ({ doneBytes: pipeline.totals.bytes, leftBytes: fleet.behindBytes }));
      watchConntrack();
      observe?.();
    } catch (error) {
      fail(error);
    }
  };
}

type Admin = Partial<Pick<AgentReport, 'observe'>> & { readonly admin?: AdminServer };

/** Loads nothing of the admin server where it is off. */
async function serveAdmin(shown: ShownAgent, control: Control): Promise<Admin> {
  const { log, tailPanel } = control;
  const { adminAddress, ownPod } = shown.config;
  if (adminAddress === undefined) return {};
  const { startAdmin } = await import('../admin/admin-server.ts');
  const { createAgentReport } = await import('../status/agent-status.ts');
  const names = new Set([ownPod ?? hostname(), hostname(), adminAddress.host]);
  const { source, observe } = createAgentReport(shown, log);
  const isTailShown = tailPanel !== undefined && shown.config.adminShowContent;
  const served: AdminSource = isTailShown
    ? { ...source, tail: (request, sink) => tailPanel(shown.config, request, sink) }
    : source;
  return { observe, admin: await startAdmin(adminAddress, served, log, [...names]) };
}

function startReloading(
  agent: Agent,
  { pods, journal }: Pick<Company, 'pods' | 'journal'>,
  { reload, log }: Control,
): ConfigReloader | undefined {
  if (reload === undefined) return undefined;
  const apply = (config: Config) => {
    agent.fleet.configure(withoutFeedback(config));
    journal?.obey(journalRules(config, agent.nodeIdentity));
    agent.pipeline.configure(planContext(config, agent.nodeIdentity));
    pods?.setWait(config.metadataWaitMs);
    reload.setLogLevel(config.logLevel);
  };
  const reloader = new ConfigReloader({ config: agent.config, load: reload.load, apply, log });
  reload.requests.addEventListener('reload', () => void reloader.reload());
  if (reload.isDue()) void reloader.reload();
  return reloader;
}
