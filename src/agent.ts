// The agent: makes the stages, joins them, starts and stops them. Called by the `run` command. It
// knows every stage; no stage knows it.

import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { cpuUsage } from 'node:process';

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
import type { PodMetadata } from './discover/pod-metadata.ts';
import { startRawDiscovery } from './discover/raw-discovery.ts';
import { createEncoderPool, type EncoderPool } from './encode/encoder-pool.ts';
import { Fleet } from './fleet.ts';
import { createHeartbeat, type Heartbeat } from './status/heartbeat.ts';
import { findNodePlace } from './host/node-place.ts';
import { createConntrackWatch } from './host/node-pressure.ts';
import { Pipeline } from './pipeline.ts';
import {
  createProgress,
  lineIntervalMs,
  terminalIntervalMs,
  type ProgressSink,
} from './progress.ts';
import { createShipper, type Shipper } from './ship/shipper.ts';
import { memoryWarning, slotCountFor } from './host/sizing.ts';
import { steadyNowMs } from './steady-clock.ts';
import { createSummaryLog } from './status/summary-log.ts';
import type { PlanContext } from './tail/plan.ts';
import type { NodePlace } from './tail/workload.ts';

type AgentDiscovery = Pick<Discovery, 'close'> & Partial<Pick<Discovery, 'counters'>>;

/** What runs while the agent runs. */
export type Agent = {
  /** Replaced when a changed configuration is taken over. */
  config: Config;
  readonly place: NodePlace;
  readonly encoder: EncoderPool;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly pipeline: Pipeline;
  readonly fleet: Fleet;
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
 * Runs until the control's signal is aborted, or with `once` until everything that is there was
 * answered for. Resolves to the exit code.
 * @throws AgentError STATE_LOCKED, CREDENTIALS_MISSING, METADATA_UNAVAILABLE, CONFIG_INVALID.
 */
export async function runAgent(config: Config, control: Control): Promise<number> {
  const agent = await makeAgent(config, control);
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

async function makeAgent(config: Config, control: Control): Promise<Agent> {
  const { log } = control;
  if (config.format === 'raw' && config.rawPath.length === 0) {
    throw new AgentError('CONFIG_INVALID', '--format raw needs --raw-path: which files?');
  }
  const place = await findNodePlace(config, {
    retryForMs: limits.metadataStartMs,
    signal: control.signal,
    waiting: (text) => log.warn('METADATA_UNAVAILABLE', text),
  });
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
    { ...config, endpoint: new URL(config.endpoint), project: place.project },
    hooks,
  );
  const fleet = new Fleet(config, { place, store, log, onWake: () => undefined });
  const pipeline = new Pipeline(
    { encoder, shipper, store, log },
    {
      context: planContext(config, place),
      workers: config.workers,
      spoolDir: config.stateDir,
      roots: fleet.roots,
      chains: () => fleet.planned(),
      takeLosses: (countMax) => fleet.losses.take(countMax),
    },
  );
  const startedAtMs = Date.now();
  return {
    config,
    place,
    encoder,
    shipper,
    store,
    pipeline,
    fleet,
    startedAtMs,
    heartbeat: createHeartbeat(config.flushIntervalMs),
    observe: undefined,
    discovery: undefined,
    pods: undefined,
    reloader: undefined,
    stopping: false,
  };
}

function planContext(config: Config, place: NodePlace): PlanContext {
  const { traceFormat, joinStackTraces, batchBytesMax, partialFlushMs } = config;
  const traceParent = traceFormat === 'resource' ? `projects/${place.project}` : undefined;
  return { place, traceParent, joinStackTraces, batchBytesMax, partialFlushMs };
}

/** Takes over what is hot of a changed configuration, whenever it comes. */
function startReloading(agent: Agent, { reload, log }: Control): ConfigReloader | undefined {
  if (reload === undefined) return undefined;
  const apply = (config: Config) => {
    agent.config = config;
    agent.fleet.configure(config);
    agent.pipeline.configure(planContext(config, agent.place));
    if (agent.pods !== undefined) agent.pods.waitMs = config.metadataWaitMs;
    reload.setLogLevel(config.logLevel);
  };
  const reloader = new ConfigReloader({ config: agent.config, load: reload.load, apply, log });
  reload.requests.addEventListener('reload', () => void reloader.reload());
  return reloader;
}

/** Asks for the labels of the pods, where there is somebody to ask; loads nothing otherwise. */
async function openPods(agent: Agent, control: Control): Promise<PodMetadata | undefined> {
  const { config, fleet, pipeline, place } = agent;
  if (config.kubernetesMetadata === 'off' || config.kubernetesApi === undefined) return undefined;
  const { kubernetesApiOf, PodMetadata } = await import('./discover/pod-metadata.ts');
  const api = kubernetesApiOf(config);
  if (api === undefined) return undefined;
  const options = { node: place.node, waitMs: config.metadataWaitMs };
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

function discover(agent: Agent, control: Control): AgentDiscovery {
  const { config, fleet } = agent;
  const { scanIntervalMs } = limits;
  const events: DiscoveryEvents = {
    added: (log) => fleet.add(log, steadyNowMs()),
    removed: (log) => fleet.removeLink(log),
    refused: (linkPath, reason) => control.log.warn('LINK_REFUSED', `${linkPath}: ${reason}`),
    missed: (linkPath) =>
      control.log.warn('LINES_LOST', `${linkPath} came and went before it could be read`),
    degraded: (reason) => control.log.warn('WATCH_DEGRADED', reason),
  };
  const { rawPath, containersDir, logRoot: logRoots } = config;
  const discovery =
    config.format === 'raw'
      ? startRawDiscovery({ rawPaths: rawPath, name: rawName(config), scanIntervalMs }, events)
      : startDiscovery({ containersDir, logRoots, scanIntervalMs, watch: !config.once }, events);
  fleet.endFirstScan();
  return discovery;
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
  const { createAdminSource } = await import('./status/agent-status.ts');
  const { log } = control;
  const names = new Set([agent.config.ownPod ?? hostname(), hostname(), adminAddress.host]);
  return startAdmin(adminAddress, createAdminSource(agent, log), log, [...names]);
}

async function runLive(agent: Agent, control: Control): Promise<number> {
  const { fleet, heartbeat, pipeline, store } = agent;
  agent.pods = await openPods(agent, control);
  agent.discovery = discover(agent, control);
  const admin = await serveAdmin(agent, control);
  const { promise: stopped, resolve: stop, reject: fail } = Promise.withResolvers<void>();
  const summarize = createSummaryLog(control.log);
  const watchConntrack = createConntrackWatch(control.log);
  const catchUp = createCatchUp(progressSink(control));
  const tick = () => {
    try {
      heartbeat.begin();
      fleet.tick(steadyNowMs());
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
    await stopGracefully(agent);
    await admin?.close();
  }
  return 0;
}

/**
 * Reads nothing more, lets what is in flight finish within the grace period, gives up the rest: the
 * next run sends it again.
 */
async function stopGracefully(agent: Agent): Promise<void> {
  agent.pipeline.stop();
  const settled = agent.pipeline.settle();
  await agent.shipper.stop(agent.config.graceMs);
  await settled;
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
  const { fleet, pipeline, startedAtMs } = agent;
  agent.pods = await openPods(agent, control);
  if (agent.pods !== undefined) {
    // It reads once only: what is known then is all there will be.
    await agent.pods.ready;
    agent.pods.waitMs = 0;
  }
  agent.discovery = discover(agent, control);
  fleet.tick(steadyNowMs());
  const interrupted = () => pipeline.stop();
  control.signal.addEventListener('abort', interrupted, { once: true });
  const stopTelling = tellProgress(agent, control);
  await pipeline.settle();
  stopTelling();
  await agent.shipper.stop(0);
  agent.store.flush();
  const { lines, bytes, entries, batches, retries, deadLettered, fastLines } = pipeline.totals;
  const { user, system } = cpuUsage();
  const summary = {
    files: fleet.fileCount,
    lines,
    bytes,
    entries,
    batches,
    retries,
    deadLettered,
    fastPathLines: fastLines,
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: (Date.now() - startedAtMs) / 1e3,
  };
  control.write(JSON.stringify(summary));
  const left = fleet.unreadBytes;
  if (left > 0) control.log.error('FILE_UNREADABLE', `${left} bytes could not be read`);
  return left > 0 ? 1 : 0;
}
