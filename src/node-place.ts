// Where this node is: project, location, cluster and name, as they stand in every entry. Called by
// agent.ts at the start. The configuration wins; what it leaves out is asked of the metadata
// server, or made up when the endpoint is an emulator on loopback.

import { hostname } from 'node:os';

import type { Config } from './config.ts';
import { AgentError } from './errors.ts';
import type { NodePlace } from './tail/workload.ts';

/**
 * @throws AgentError METADATA_UNAVAILABLE when the project is not given and nobody can be asked.
 */
export async function findNodePlace(config: Config): Promise<NodePlace> {
  const given = {
    project: config.project,
    location: config.location,
    cluster: config.cluster,
    node: config.node,
  };
  if (given.project !== undefined) return withDefaults(given, given.project);
  if (isLoopback(config.endpoint)) return withDefaults(given, 'local-project');
  throw new AgentError('METADATA_UNAVAILABLE', 'no --project is given');
}

function withDefaults(
  given: Partial<Record<keyof NodePlace, string | undefined>>,
  project: string,
): NodePlace {
  return {
    project,
    location: given.location ?? '',
    cluster: given.cluster ?? '',
    node: given.node ?? hostname(),
  };
}

function isLoopback(endpoint: string): boolean {
  const { protocol, hostname: host } = new URL(endpoint);
  return (
    protocol === 'http:' && (host === 'localhost' || host === '[::1]' || host.startsWith('127.'))
  );
}
