// Builds the agent from its stages.

import { openCheckpointStore, type CheckpointStore } from '../commit/checkpoint-store.ts';
import { limits } from '../config.ts';
import type { Control } from '../control.ts';
import { createEncoderPool, type EncoderPool } from '../encode/encoder-pool.ts';
import { AgentError } from '../errors.ts';
import { Fleet } from '../fleet.ts';
import { findNodeIdentity, localIdentity, type NodeIdentity } from '../host/node-identity.ts';
import { memoryWarning, slotCountFor } from '../host/sizing.ts';
import type { Config } from '../options/options.ts';
import { withoutFeedback } from '../output-target.ts';
import { Pipeline } from '../pipeline.ts';
import { refusePlainHttp } from '../plain-http.ts';
import { createShipper, type Shipper } from '../ship/shipper.ts';
import { shownNames } from '../tail/container-names.ts';
import { LossNotices, savePositions } from '../tail/loss-notices.ts';
import type { PlanContext } from '../tail/planner.ts';
import { Spooler } from '../tail/spooler.ts';
import { untilAborted } from '../until-aborted.ts';

export type Agent = {
  /** As of the start. */
  readonly config: Config;
  readonly nodeIdentity: NodeIdentity;
  readonly encoder: EncoderPool;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly notices: LossNotices;
  readonly pipeline: Pipeline;
  readonly fleet: Fleet;
  readonly spooler: Spooler;
  readonly startedAtMs: number;
};

/**
 * undefined: stopped while it waited for the metadata server.
 * @throws AgentError STATE_LOCKED, CREDENTIALS_MISSING, METADATA_UNAVAILABLE, CONFIG_INVALID,
 * OUTPUT_UNWRITABLE.
 */
export async function makeAgent(config: Config, control: Control): Promise<Agent | undefined> {
  const { log } = control;
  if (config.format === 'raw' && config.rawPath.length === 0) {
    throw new AgentError('CONFIG_INVALID', '--format raw needs --raw-path: which files?');
  }
  const nodeIdentity = await identityOf(config, control);
  if (nodeIdentity === undefined) return undefined;
  const tooSmall = memoryWarning(config);
  if (tooSmall !== undefined) log.warn(undefined, tooSmall);
  const store = openCheckpointStore(config.stateDir, log);
  const slots = slotCountFor(config);
  const encoder = createEncoderPool({
    encoderCount: config.workers,
    slotCount: slots,
  });
  const shipper = await openShipper(config, nodeIdentity.project, control);
  const notices = new LossNotices(config.stateDir, (code, text) => log.warn(code, text));
  const fleet = new Fleet(withoutFeedback(config), { nodeIdentity, store, log });
  fleet.losses.tellBy(notices);
  const spooler = new Spooler({
    directory: config.stateDir,
    roots: fleet.roots,
    report: (code, text) => log.warn(code, text),
  });
  const pipeline = new Pipeline(
    { encoder, shipper, store, spooler, notices, log },
    {
      context: planContext(config, nodeIdentity),
      workers: config.workers,
      slots,
      plannable: () => fleet.plannable(),
      refused: (container, reason) => {
        container.refuse();
        fleet.losses.note(reason, shownNames(container.containerLog), { bytes: 0, entries: 1 });
      },
    },
  );
  const startedAtMs = Date.now();
  return {
    config,
    nodeIdentity,
    encoder,
    shipper,
    store,
    notices,
    pipeline,
    fleet,
    spooler,
    startedAtMs,
  };
}

async function identityOf(config: Config, control: Control): Promise<NodeIdentity | undefined> {
  const { log, signal } = control;
  if (!config.output.includes('endpoint')) return localIdentity(config);
  refusePlainHttp(new URL(config.endpoint), '--endpoint', config.allowPlainHttp);
  const search = { retryForMs: limits.metadataStartMs, signal, log };
  return untilAborted(findNodeIdentity(config, search), signal);
}

export function planContext(config: Config, nodeIdentity: NodeIdentity): PlanContext {
  const { traceFormat, joinStackTraces, batchBytesMax, partialFlushMs } = config;
  const traceParent = traceFormat === 'resource' ? `projects/${nodeIdentity.project}` : undefined;
  return { nodeIdentity, traceParent, joinStackTraces, batchBytesMax, partialFlushMs };
}

/** The endpoint, and what else --output names. Loads nothing for outputs that are not used. */
async function openShipper(
  config: Config,
  project: string,
  { log, standardOutput }: Control,
): Promise<Shipper> {
  const endpoint = config.output.includes('endpoint')
    ? await createShipper({ ...config, endpoint: new URL(config.endpoint), project }, { log })
    : undefined;
  const names = new Set(config.output);
  names.delete('endpoint');
  if (endpoint !== undefined && names.size === 0) return endpoint;
  const { openOutput } = await import('../ship/entry-output.ts');
  const { OutputShipper } = await import('../ship/output-shipper.ts');
  const outputs = await Promise.all(Array.from(names, (name) => openOutput(name, standardOutput)));
  return new OutputShipper({ endpoint, outputs, log });
}

/** Saves the positions, and closes what `makeAgent` opened. */
export async function closeAgent(agent: Agent): Promise<void> {
  const { encoder, fleet, store } = agent;
  savePositions(agent);
  store.close();
  await encoder.close();
  fleet.close(); // Last: a task may have been reading until now.
}
