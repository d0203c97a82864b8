// A short hash of the configuration, by which the nodes of a rollout are told apart.
//
// Invariant: two agents with the same options in force have the same hash, whatever their node is
// called and in whatever order and place the options were given.

import { createHash } from 'node:crypto';
import { configKeys } from './config-loader.ts';
import type { Config, ConfigKey } from './options.ts';

const hexDigits = 12;
/** Options that differ between nodes, or only say where the others were read. */
const ofOneNode: ReadonlySet<ConfigKey> = new Set<ConfigKey>(['node', 'config']);

/** Configurations are frozen, and each scrape needs the hash. */
const known = new WeakMap<Config, string>();

/** Twelve hex digits. */
export function configHash(config: Config): string {
  let hash = known.get(config);
  if (hash === undefined) {
    const values = configKeys.filter((key) => !ofOneNode.has(key)).map((key) => [key, config[key]]);
    hash = createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, hexDigits);
    known.set(config, hash);
  }
  return hash;
}
