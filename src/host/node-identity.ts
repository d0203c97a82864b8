// Where this node is: project, location, cluster and name, as every entry names them. The
// configuration wins; the metadata server supplies only what it leaves out. An emulator on loopback
// needs neither.

import { hostname } from 'node:os';

import { backoffMs } from '../backoff.ts';
import { limits } from '../config.ts';
import { AgentError, hasCode } from '../errors.ts';
import { getMetadata, metadataUrl } from '../gce-metadata.ts';
import type { Log } from '../log.ts';
import { isLoopback } from '../plain-http.ts';
import { pause } from '../until-aborted.ts';
import { flagOf } from '../options/config-loader.ts';
import { type Config, options } from '../options/options.ts';

/** Where a node is, as every entry names it. */
export type NodeIdentity = {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly node: string;
};

export type IdentitySearch = {
  /** How long a metadata server that does not answer is tried again, milliseconds. */
  readonly retryForMs: number;
  /** Aborted when the answer is no longer needed. */
  readonly signal?: AbortSignal;
  /** Gets one warning, of the first answer that does not come. */
  readonly log?: Log;
};

/** Options that say where the node is, or how to find out. */
type IdentityOptions = Pick<Config, Key | 'endpoint' | 'metadataHost'>;
type Key = keyof NodeIdentity;
type Answer = {
  readonly value?: string;
  readonly problem?: string;
  /** It may be starting; otherwise asking again would only delay the message. */
  readonly isTransient?: boolean;
};
type Ask = (path: string) => Promise<string | undefined>;

/**
 * What a metadata server of GKE that is starting looks like. Where there is none, the name is not
 * found, the network is unreachable, or nothing answers.
 */
const startingCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'];
const serverErrorStatus = 500;

const clusterAttribute = 'instance/attributes/cluster-name';
const locationAttribute = 'instance/attributes/cluster-location';

const metadataBackoff = {
  baseMs: limits.metadataBackoffBaseMs,
  maxMs: limits.metadataBackoffMaxMs,
  floor: 0.5,
};

/**
 * @throws AgentError METADATA_UNAVAILABLE when something is neither given nor to be found,
 * CONFIG_INVALID when the metadata host is none.
 */
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
  // A machine that is no node of GKE has no cluster: its entries say so.
  const cluster = given.cluster ?? (await ask(clusterAttribute)) ?? '';
  const location = given.location ?? (await ask(locationAttribute)) ?? (await askZone(ask));
  const node = given.node ?? (await askNode(config)) ?? hostname();
  return { project, location, cluster, node };
}

/** What the configuration says, and stand-ins for the rest. */
export function localIdentity(given: Pick<Config, Key>): NodeIdentity {
  const { project = 'local-project', location = '', cluster = '', node = hostname() } = given;
  return { project, location, cluster, node };
}

/** Elsewhere than at Google the name of the machine is the node's: asked once, and not for long. */
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

/** A value without the white space around it, or undefined when the server does not have it. */
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
    const problem = error instanceof Error ? error.message : String(error);
    return { problem, isTransient: hasCode(error, ...startingCodes) };
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

/** Someone who tries it on a laptop has no metadata server, unless they name one. */
function isEmulated({ endpoint, metadataHost }: IdentityOptions): boolean {
  const url = new URL(endpoint);
  return (
    url.protocol === 'http:' && isLoopback(url) && metadataHost === options.metadataHost.default
  );
}
