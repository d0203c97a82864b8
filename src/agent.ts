// The agent: makes the stages, joins them, starts and stops them. It knows every stage; no stage
// knows it. Its invariant: from the signal to stop on, nothing is waited for longer than the grace
// period, whatever was going on.

import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import type { AdminServer } from './admin/admin-server.ts';
import { createCatchUp } from './status/catch-up.ts';
import { openCheckpointStore, type CheckpointStore } from './commit/checkpoint-store.ts';
import type { Config } from './config.ts';
import { ConfigReloader } from './options/config-reloader.ts';
import { limits } from './config.ts';
import type { Control } from './control.ts';
import { AgentError, type ErrorCode } from './errors.ts';
import type { ContainerName } from './discover/container-name.ts';
import { startDiscovery, type Discovery, type DiscoveryEvents } from './discover/discovery.ts';
import type { PodMetadata } from './discover/pods/pod-metadata.ts';
import { startRawDiscovery } from './discover/raw-discovery.ts';
import { createEncoderPool, type EncoderPool } from './encode/encoder-pool.ts';
import { Fleet } from './fleet.ts';
import { createHeartbeat, type Heartbeat } from './status/heartbeat.ts';
import { findNodeIdentity, type NodeIdentity } from './host/node-identity.ts';
import { createConntrackWatch } from './host/node-pressure.ts';
import { Pipeline } from './pipeline.ts';
import {
  createProgress,
  lineIntervalMs,
  terminalIntervalMs,
  type ProgressSink,
} from './progress.ts';
import { refusePlainHttp } from './ship/plain-http.ts';
import { createShipper, type Shipper } from './ship/shipper.ts';
import { memoryWarning, slotCountFor } from './host/sizing.ts';
import { steadyNowMs } from './steady-clock.ts';
import { createSummaryLog } from './status/summary-log.ts';
import type { PlanContext } from './tail/plan.ts';
import { nothingToRead, onceSummary, tellStart, tellStop } from './status/run-lines.ts';
import { Spooler } from './tail/spooler.ts';
import { untilAborted } from './until-aborted.ts';

type AgentDiscovery = Pick<Discovery, 'close'> &
  Partial<Pick<Discovery, 'counters' | 'isFull' | 'overByPod' | 'unsettledCount'>>;

/** What runs while the agent runs; `src/status` sees it as a `ShownAgent`. */
type Agent = {
  /** Replaced when a changed configuration is taken over. */
  config: Config;
  readonly nodeIdentity: NodeIdentity;
  readonly encoder: EncoderPool;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly pipeline: Pipeline;
  readonly fleet: Fleet;
  readonly spooler: Spooler;
  readonly startedAtMs: number;
  readonly heartbeat: Heartbeat;
  /** Called at the end of each tick, while somebody may ask how the agent is. */
  observe: (() => void) | undefined;
  discovery: AgentDiscovery | undefined;
  /** undefined: entries go without the labels of their pods. */
  pods: PodMetadata | undefined;
  /** undefined: the configuration stays as it is. */
  reloader: ConfigReloader | undefined;
  stopping: boolean;
};

/**
 * Runs until the control's signal is aborted, or with `once` until everything that is there is
 * shipped. Resolves to the exit code.
 * @throws AgentError STATE_LOCKED, CREDENTIALS_MISSING, METADATA_UNAVAILABLE, CONFIG_INVALID,
 * CONTAINERS_MISSING.
 */
export async function runAgent(config: Config, control: Control): Promise<number> {
  const agent = await makeAgent(config, control);
  if (agent === undefined) {
    const text = `stopped by ${reasonOf(control)} before anything was read; nothing was in flight`;
    control.log[config.once ? 'error' : 'info'](config.once ? 'SHIP_STOPPED' : undefined, text);
    return config.once ? 1 : 0;
  }
  try {
    return config.once ? await runOnce(agent, control) : await runLive(agent, control);
  } finally {
    agent.pods?.close();
    await agent.discovery?.close();
    agent.fleet.close();
    agent.store.flush();
    agent.store.close();
    await agent.encoder.close();
  }
}

/** The signal's name. */
function reasonOf({ signal }: Control): string {
  return String(signal.reason);
}

/** undefined: stopped before it knew where it runs. */
async function makeAgent(config: Config, control: Control): Promise<Agent | undefined> {
  const { log, signal } = control;
  if (config.format === 'raw' && config.rawPath.length === 0) {
    throw new AgentError('CONFIG_INVALID', '--format raw needs --raw-path: which files?');
  }
  refusePlainHttp(new URL(config.endpoint), '--endpoint', config.allowPlainHttp);
  const search = {
    retryForMs: limits.metadataStartMs,
    signal,
    waiting: (text: string) => log.warn('METADATA_UNAVAILABLE', text),
  };
  const nodeIdentity = await untilAborted(findNodeIdentity(config, search), signal);
  if (nodeIdentity === undefined) return undefined;
  const tooSmall = memoryWarning(config);
  if (tooSmall !== undefined) log.warn(undefined, tooSmall);
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const hooks = {
    log: (level: 'info' | 'warn' | 'error', code: ErrorCode, text: string) =>
      log[level](code, text),
  };
  const store = openCheckpointStore(config.stateDir, hooks);
  const encoder = createEncoderPool({
    workerCount: config.workers,
    slotCount: slotCountFor(config),
  });
  const shipper = await createShipper(
    { ...config, endpoint: new URL(config.endpoint), project: nodeIdentity.project },
    hooks,
  );
  const fleet = new Fleet(config, { nodeIdentity, store, log, onWake: () => undefined });
  const spooler = new Spooler({
    directory: config.stateDir,
    roots: fleet.roots,
    report: (code, text) => log.warn(code, text),
  });
  const pipeline = new Pipeline(
    { encoder, shipper, store, spooler, log },
    {
      context: planContext(config, nodeIdentity),
      workers: config.workers,
      chains: () => fleet.planned(),
      takeLosses: (countMax) => fleet.losses.take(countMax),
    },
  );
  const startedAtMs = Date.now();
  return {
    config,
    nodeIdentity,
    encoder,
    shipper,
    store,
    pipeline,
    fleet,
    spooler,
    startedAtMs,
    heartbeat: createHeartbeat(config.flushIntervalMs),
    observe: undefined,
    discovery: undefined,
    pods: undefined,
    reloader: undefined,
    stopping: false,
  };
}

function planContext(config: Config, nodeIdentity: NodeIdentity): PlanContext {
  const { traceFormat, joinStackTraces, batchBytesMax, partialFlushMs } = config;
  const traceParent = traceFormat === 'resource' ? `projects/${nodeIdentity.project}` : undefined;
  return { nodeIdentity, traceParent, joinStackTraces, batchBytesMax, partialFlushMs };
}

/** Takes over what is hot of a changed configuration, whenever it comes. */
function startReloading(agent: Agent, { reload, log }: Control): ConfigReloader | undefined {
  if (reload === undefined) return undefined;
  const apply = (config: Config) => {
    agent.config = config;
    agent.fleet.configure(config);
    agent.pipeline.configure(planContext(config, agent.nodeIdentity));
    if (agent.pods !== undefined) agent.pods.waitMs = config.metadataWaitMs;
    reload.setLogLevel(config.logLevel);
  };
  const reloader = new ConfigReloader({ config: agent.config, load: reload.load, apply, log });
  reload.requests.addEventListener('reload', () => void reloader.reload());
  return reloader;
}

/** Asks for the labels of the pods, where there is somebody to ask; loads nothing otherwise. */
async function openPods(agent: Agent, control: Control): Promise<PodMetadata | undefined> {
  const { config, fleet, pipeline, nodeIdentity } = agent;
  if (config.kubernetesMetadata === 'off' || config.kubernetesApi === undefined) return undefined;
  const { kubernetesApiOf, PodMetadata } = await import('./discover/pods/pod-metadata.ts');
  const api = kubernetesApiOf(config);
  if (api === undefined) return undefined;
  const options = { node: nodeIdentity.node, waitMs: config.metadataWaitMs };
  const pods = new PodMetadata(api, options, {
    changed: (pod) => {
      if (fleet.relabel(pod)) setImmediate(() => pumpSafely(pipeline));
    },
    troubled: (text) => control.log.warn('POD_METADATA_UNAVAILABLE', text),
  });
  fleet.usePods(pods);
  return pods;
}

function pumpSafely(pipeline: Pipeline): void {
  try {
    pipeline.pump();
  } catch (error) {
    pipeline.onFailure(error);
  }
}

/** Finds logs from now on. Resolves after the first scan; to the reason, when it found none. */
function discover(agent: Agent, control: Control): Promise<AgentError | undefined> {
  const { config, fleet } = agent;
  const { promise: listed, resolve } = Promise.withResolvers<void>();
  const { scanIntervalMs } = limits;
  let logs = 0;
  const events: DiscoveryEvents = {
    added: (log) => {
      logs += 1;
      fleet.add(log, steadyNowMs());
    },
    removed: (log) => fleet.removeLink(log),
    refused: (linkPath, reason) => control.log.warn('LINK_REFUSED', `${linkPath}: ${reason}`),
    missed: (linkPath) =>
      control.log.warn('LINES_LOST', `${linkPath} came and went before it could be read`),
    degraded: (reason) => control.log.warn('WATCH_DEGRADED', reason),
    crowded: (directory) =>
      control.log.warn('OVER_LIMIT', `${directory}: its links are more than are read`),
    listed: () => {
      fleet.endFirstScan();
      resolve();
    },
  };
  const { rawPath, containersDir, logRoot: logRoots } = config;
  agent.discovery =
    config.format === 'raw'
      ? startRawDiscovery({ rawPaths: rawPath, name: rawName(config), scanIntervalMs }, events)
      : startDiscovery({ containersDir, logRoots, scanIntervalMs, watch: !config.once }, events);
  if (config.format === 'raw') events.listed?.();
  const linkCount = () => agent.discovery?.unsettledCount ?? 0;
  return listed.then(() => nothingToRead(config, { logs, links: linkCount() }));
}

function rawName({ namespace, pod, container }: Config): ContainerName | undefined {
  if (pod === undefined) return undefined;
  const names = { namespace: namespace ?? '', pod, container: container ?? '' };
  return { ...names, podUid: '', restartCount: 0 };
}

async function serveAdmin(agent: Agent, control: Control): Promise<AdminServer | undefined> {
  const { adminAddress } = agent.config;
  if (adminAddress === undefined) return undefined;
  const { startAdmin } = await import('./admin/admin-server.ts');
  const { createAgentReport } = await import('./status/agent-status.ts');
  const { log } = control;
  const names = new Set([agent.config.ownPod ?? hostname(), hostname(), adminAddress.host]);
  const { source, observe } = createAgentReport(agent, log);
  agent.observe = observe;
  return startAdmin(adminAddress, source, log, [...names]);
}

async function runLive(agent: Agent, control: Control): Promise<number> {
  const { fleet, heartbeat, pipeline, spooler, store } = agent;
  agent.pods = await openPods(agent, control);
  fleet.restoreOrphans(spooler.orphans, steadyNowMs());
  const listed = discover(agent, control);
  const admin = await serveAdmin(agent, control);
  void listed.then((nothing) => {
    if (nothing !== undefined) control.log.warn(nothing.code, nothing.message);
    tellStart(control.log, agent, admin?.url);
  });
  const { promise: stopped, resolve: stop, reject: fail } = Promise.withResolvers<void>();
  const summarize = createSummaryLog(control.log);
  const watchConntrack = createConntrackWatch(control.log);
  const catchUp = createCatchUp(progressSink(control));
  const tick = () => {
    try {
      heartbeat.begin();
      fleet.tick(steadyNowMs());
      spooler.orphans.keep(() => fleet.all(), fail);
      pipeline.pump();
      heartbeat.spent('tail');
      store.flush();
      if (store.healthy) heartbeat.saved();
      heartbeat.spent('commit');
      summarize({ ...pipeline.totals, behindBytes: () => fleet.behindBytes });
      catchUp(() => ({ doneBytes: pipeline.totals.bytes, leftBytes: fleet.behindBytes }));
      watchConntrack();
      agent.observe?.();
    } catch (error) {
      fail(error);
    }
  };
  pipeline.onFailure = fail;
  const clock = setInterval(tick, agent.config.flushIntervalMs);
  agent.reloader = startReloading(agent, control);
  tick();
  control.signal.addEventListener('abort', () => stop(), { once: true });
  if (control.signal.aborted) stop();
  try {
    await stopped;
  } finally {
    clearInterval(clock);
    agent.reloader?.close();
    agent.stopping = true;
    const { inFlightBytes } = pipeline;
    const { behindBytes } = fleet;
    await stopGracefully(agent);
    store.flush();
    if (control.signal.aborted) {
      tellStop(control.log, agent, { reason: reasonOf(control), inFlightBytes, behindBytes });
    }
    await admin?.close();
  }
  return 0;
}

/**
 * Reads nothing more, lets what is in flight finish within the grace period, gives up the rest: the
 * next run sends it again. A `.gz` that is being unpacked is not waited for.
 */
async function stopGracefully({ pipeline, shipper, config, ...agent }: Agent): Promise<void> {
  const { fleet, spooler } = agent;
  pipeline.stop();
  const settled = pipeline.settle();
  // First: whoever sends the signal may not wait for the end of the grace period.
  const keepDeleted = () => spooler.orphans.keepAll(fleet.all(), limits.orphanStopMs);
  if (!config.once) await keepDeleted();
  await shipper.stop(config.graceMs);
  await Promise.race([settled, sleep(limits.stopSettleMs, undefined, { ref: false })]);
  if (config.once) return;
  fleet.tick(steadyNowMs()); // A node that is drained deletes its pods meanwhile.
  await keepDeleted();
}

/** Tells how far --once is until the returned function is called. */
function tellProgress({ pipeline, fleet }: Agent, control: Control): () => void {
  const sink = progressSink(control);
  const progress = createProgress({ ...sink, name: 'shipping' });
  const intervalMs = sink.writeTerminal === undefined ? lineIntervalMs : terminalIntervalMs;
  const clock = setInterval(
    () => progress.update(pipeline.totals.bytes, fleet.unreadBytes),
    intervalMs,
  );
  return () => {
    clearInterval(clock);
    progress.end();
  };
}

function progressSink({ log, progress }: Control): ProgressSink {
  return progress ?? { writeLine: (line) => log.info(undefined, line) };
}

async function runOnce(agent: Agent, control: Control): Promise<number> {
  const { signal } = control;
  agent.pods = await openPods(agent, control);
  if (agent.pods !== undefined) {
    // It reads once only: what is known then is all there will be.
    await untilAborted(agent.pods.ready, signal);
    agent.pods.waitMs = 0;
  }
  agent.fleet.restoreOrphans(agent.spooler.orphans, steadyNowMs());
  const nothing = signal.aborted ? undefined : await untilAborted(discover(agent, control), signal);
  const isComplete = !signal.aborted && (await shipAll(agent, control));
  if (isComplete) await agent.shipper.stop(0);
  else await stopGracefully(agent);
  agent.store.flush();
  const stoppedBy = isComplete ? undefined : reasonOf(control);
  control.write(JSON.stringify(onceSummary(agent, stoppedBy)));
  if (nothing !== undefined) {
    // Links that lead nowhere are pods just gone, or refused and told so; no link at all is a
    // directory that is not the right one.
    if ((agent.discovery?.unsettledCount ?? 0) === 0) throw nothing;
    control.log.warn(nothing.code, nothing.message);
  }
  const { behindBytes: left } = agent.fleet;
  if (stoppedBy !== undefined) {
    const text = `stopped by ${stoppedBy}: ${left} bytes that were found are left for the next run`;
    control.log.error('SHIP_STOPPED', text);
    return 1;
  }
  if (left > 0) control.log.error('FILE_UNREADABLE', `${left} bytes could not be read`);
  return left > 0 ? 1 : 0;
}

/** Returns whether it came to the end: false when the signal came before. */
async function shipAll(agent: Agent, control: Control): Promise<boolean> {
  const { fleet, pipeline } = agent;
  fleet.tick(steadyNowMs());
  const stopTelling = tellProgress(agent, control);
  try {
    const settled = pipeline.settle().then(() => true);
    return (await untilAborted(settled, control.signal)) ?? false;
  } finally {
    stopTelling();
  }
}
