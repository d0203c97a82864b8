// What `run` writes about itself in its log: one line when it has started, one when it stops, and a
// warning when there is nothing to read. With `--once`, the summary on stdout.

import { accessSync, constants } from 'node:fs';
import { cpuUsage } from 'node:process';

import type { Config } from '../options/options.ts';
import type { CheckpointStore } from '../commit/checkpoint-store.ts';
import { AgentError, errorText, hasCode } from '../errors.ts';
import type { Fleet } from '../fleet.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { Log } from '../log.ts';
import { bytesText, pluralText } from '../number-text.ts';
import { version } from '../version.ts';
import type { Pipeline } from '../pipeline.ts';

type RunParts = {
  readonly config: Config;
  readonly nodeIdentity: NodeIdentity;
  readonly fleet: Pick<Fleet, 'all' | 'behindBytes'>;
  readonly store: Pick<CheckpointStore, 'healthy'>;
};

type OnceParts = {
  readonly fleet: Pick<Fleet, 'fileCount' | 'behindBytes'>;
  readonly pipeline: Pick<Pipeline, 'totals'>;
  readonly startedAtMs: number;
};

/** Where it ships to and as what, what it found, where its page is. */
export function tellStart(log: Log, parts: RunParts, pageUrl: string | undefined): void {
  const { config, nodeIdentity, fleet } = parts;
  let containers = 0;
  let positions = 0;
  for (const { chain } of fleet.all()) {
    containers += 1;
    positions += chain.files.filter(({ committed }) => committed > 0).length;
  }
  const found = pluralText(containers, 'container');
  const taken = pluralText(positions, 'saved position');
  const outputs = config.output.map((name) => (name === 'endpoint' ? config.endpoint : name));
  const endpoint = outputs.join(' and ');
  log.info(undefined, `tailship ${version} ships ${found} to ${endpoint}, ${taken} taken up`, {
    version,
    endpoint,
    project: nodeIdentity.project,
    cluster: nodeIdentity.cluster,
    location: nodeIdentity.location,
    node: nodeIdentity.node,
    containers,
    positions,
    page: pageUrl === undefined ? 'off' : `${pageUrl}/`,
  });
}

/** The state when the signal comes. */
type StopReport = {
  readonly reason: string;
  /** Of requests. */
  readonly inFlightBytes: number;
  /** Of log files. */
  readonly behindBytes: number;
};

/** Once the positions are saved: what was in flight, what the next run begins with. */
export function tellStop(log: Log, { fleet, store }: RunParts, before: StopReport): void {
  const { inFlightBytes, reason } = before;
  const left = fleet.behindBytes;
  const acknowledged = Math.max(0, before.behindBytes - left);
  const inFlight =
    inFlightBytes === 0
      ? 'nothing was in flight'
      : `${bytesText(inFlightBytes)} of requests were in flight, ` +
        `${bytesText(acknowledged)} of log were acknowledged since`;
  const saved = store.healthy ? 'positions are saved' : 'POSITIONS COULD NOT BE SAVED';
  const rest = left === 0 ? 'nothing is left' : `${bytesText(left)} are left for the next run`;
  log.info(undefined, `stopped by ${reason}: ${inFlight}; ${saved}; ${rest}`, {
    inFlightBytes,
    acknowledgedBytes: acknowledged,
    leftBytes: left,
    saved: store.healthy,
  });
}

/** CONTAINERS_MISSING with the reason why the first scan found no log, or undefined if it did. */
export function nothingToRead(
  config: Config,
  { logs, links }: { readonly logs: number; readonly links: number },
): AgentError | undefined {
  if (logs > 0) return undefined;
  if (config.format === 'raw') {
    return new AgentError('CONTAINERS_MISSING', `no file matches ${config.rawPath.join(', ')}`);
  }
  return new AgentError('CONTAINERS_MISSING', reasonForNothing(config, links));
}

function reasonForNothing({ containersDir, logRoot }: Config, links: number): string {
  try {
    accessSync(containersDir, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return `${containersDir} does not exist`;
    return `${containersDir} cannot be read: ${errorText(error)}`;
  }
  if (links === 0) return `${containersDir} holds no log`;
  const named = pluralText(links, 'link');
  return `${containersDir} has ${named}, but none leads to a log under ${logRoot.join(' or ')}`;
}

/** What `--once` prints at its end; `stoppedBy`: the signal that came before. */
export function onceSummary(
  { fleet, pipeline, startedAtMs }: OnceParts,
  stoppedBy: string | undefined,
) {
  const { lines, bytes, entries, batches, retries, deadLettered, fastLines } = pipeline.totals;
  const { user, system } = cpuUsage();
  return {
    files: fleet.fileCount,
    lines,
    bytes,
    entries,
    batches,
    retries,
    deadLettered,
    fastPathLines: fastLines,
    leftBytes: fleet.behindBytes,
    stoppedBy,
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: (Date.now() - startedAtMs) / 1e3,
  };
}
