// Project, location, cluster and name of this node, as in every entry. The metadata server is asked
// only for what the configuration leaves out. An emulator on loopback needs neither.

import { hostname } from 'node:os';

import { backoffMs } from '../backoff.ts';
import { limits } from '../config.ts';
import { AgentError, errorText, hasCode } from '../errors.ts';
import { getMetadata, metadataUrl } from '../gce-metadata.ts';
import type { Log } from '../log.ts';
import { isLoopback } from '../plain-http.ts';
import { pause } from '../until-aborted.ts';
import { flagOf } from '../options/config-loader.ts';
import { type Config, options } from '../options/options.ts';

export type NodeIdentity = {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly node: string;
};

export type IdentitySearch = {
  /** How long an unavailable metadata server is tried again, milliseconds. */
  readonly retryForMs: number;
  readonly signal?: AbortSignal;
  /** For one warning, at the first failure. */
  readonly log?: Log;
};

type IdentityOptions = Pick<Config, Key | 'endpoint' | 'metadataHost'>;
type Key = keyof NodeIdentity;
type Answer = {
  readonly value?: string;
  readonly problem?: string;
  /** The server may be starting: worth another try. */
  readonly isTransient?: boolean;
};
type Ask = (path: string) => Promise<string | undefined>;

/** Errors while GKE's metadata server starts; where there is none, other errors come. */
const startingCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'];
const serverErrorStatus = 500;

const clusterAttribute = 'instance/attributes/cluster-name';
const locationAttribute = 'instance/attributes/cluster-location';

const metadataBackoff = {
  baseMs: limits.metadataBackoffBaseMs,
  maxMs: limits.metadataBackoffMaxMs,
  floor: 0.5,
};

/** @throws AgentError METADATA_UNAVAILABLE; CONFIG_INVALID when the metadata host is invalid. */
export async function findNodeIdentity(
  config: IdentityOptions,
  search: IdentitySearch = { retryForMs: 0 },
): Promise<NodeIdentity> {
  if (isEmulated(config)) return localIdentity(config);
  const given = {
    project: config.project,
    location: config.location,
    cluster: config.cluster,
    node: config.node,
  };
  const missing = (Object.keys(given) as Key[]).filter((key) => given[key] === undefined);
  if (missing.length === 0) return given as NodeIdentity;
  const ask: Ask = (path) => askPatiently(config, { path, missing, search });
  const project = given.project ?? (await ask('project/project-id')) ?? '';
  if (project === '') throw unavailable(config, missing, 'it knows no project');
  // A machine that is no node of GKE has no cluster.
  const cluster = given.cluster ?? (await ask(clusterAttribute)) ?? '';
  const location = given.location ?? (await ask(locationAttribute)) ?? (await askZone(ask));
  const node = given.node ?? (await askNode(config)) ?? hostname();
  return { project, location, cluster, node };
}

/** Defaults for what the configuration leaves out. */
export function localIdentity(given: Pick<Config, Key>): NodeIdentity {
  const { project = 'local-project', location = '', cluster = '', node = hostname() } = given;
  return { project, location, cluster, node };
}

/** Asked only once and briefly: outside of Google the node has the name of the machine. */
async function askNode({
  metadataHost,
}: Pick<Config, 'metadataHost'>): Promise<string | undefined> {
  const url = metadataUrl(metadataHost, 'instance/name');
  return (await askOnce(url, limits.metadataNodeMs)).value;
}

/** `projects/<number>/zones/<zone>`. */
async function askZone(ask: Ask): Promise<string> {
  return (await ask('instance/zone'))?.split('/').at(-1) ?? '';
}

type Question = {
  readonly path: string;
  readonly missing: readonly Key[];
  readonly search: IdentitySearch;
};

/** Trimmed; undefined: the server has no such value. */
async function askPatiently(
  config: IdentityOptions,
  question: Question,
): Promise<string | undefined> {
  const { path, missing, search } = question;
  const url = metadataUrl(config.metadataHost, path);
  const endMs = performance.now() + search.retryForMs;
  for (let failures = 0; ; failures += 1) {
    const { value, problem, isTransient } = await askOnce(url, limits.metadataMs);
    if (problem === undefined) return value;
    const waitMs = backoffMs(failures + 1, metadataBackoff);
    const isOver = isTransient !== true || performance.now() + waitMs > endMs;
    if (isOver || search.signal?.aborted === true) throw unavailable(config, missing, problem);
    if (failures === 0) {
      const text = `the metadata server ${config.metadataHost}: ${problem}`;
      search.log?.warn('METADATA_UNAVAILABLE', text);
    }
    await pause(waitMs, search.signal);
  }
}

async function askOnce(url: URL, deadlineMs: number): Promise<Answer> {
  try {
    const { status, text, isGoogle } = await getMetadata(url, deadlineMs);
    if (!isGoogle) return { problem: 'what answers is no metadata server' };
    if (status === 404) return {};
    if (status === 200) return { value: text.trim() };
    return { problem: `it answered ${status}`, isTransient: status >= serverErrorStatus };
  } catch (error) {
    return { problem: errorText(error), isTransient: hasCode(error, ...startingCodes) };
  }
}

function unavailable(
  config: IdentityOptions,
  missing: readonly Key[],
  problem: string,
): AgentError {
  const flags = missing.map(flagOf).join(', ');
  const server = `the metadata server ${config.metadataHost}`;
  const text = `${flags} not given, and ${server} cannot be asked: ${problem}`;
  return new AgentError('METADATA_UNAVAILABLE', text);
}

/** On a laptop with an emulator there is no metadata server, unless the user names one. */
function isEmulated({ endpoint, metadataHost }: IdentityOptions): boolean {
  const url = new URL(endpoint);
  return (
    url.protocol === 'http:' && isLoopback(url) && metadataHost === options.metadataHost.default
  );
}
