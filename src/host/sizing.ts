// How large the agent makes itself, from the limits of its cgroup. Invariant: what the user sets
// stays; without limits the defaults stay.
//
// Without a CPU limit, which is not advised (see deploy/base/daemonset.yaml), one worker is enough
// for any node: it encodes several hundred thousand lines a second.

import { type CgroupLimits, readCgroupLimits } from './cgroup.ts';
import { MiB } from '../byte-units.ts';
import { limits } from '../config.ts';
import type { LoadedConfig } from '../options/config-loader.ts';
import { slotBytes } from '../encode/shared-memory.ts';
import type { Config } from '../options/options.ts';

const slotsMin = 1;

/** `workers` by the CPU and memory limits, unless the user set it. */
export function fitToCgroup(
  { config, origins }: Pick<LoadedConfig, 'config' | 'origins'>,
  cgroup: CgroupLimits = readCgroupLimits(),
): Config {
  if (origins.workers !== 'default' || cgroup.cores === undefined) return config;
  // The main thread takes one core.
  const byCpu = Math.floor(cgroup.cores) - 1;
  const spareBytes = spareBytesOf(cgroup.memoryBytes, config.workers) - slotBytes;
  const byMemory = config.workers + Math.floor(spareBytes / limits.workerRssBytes);
  const workers = Math.max(config.workers, Math.min(byCpu, byMemory, limits.workersFittedMax));
  return workers === config.workers ? config : Object.freeze({ ...config, workers });
}

/** Bodies at once: one per connection and one being encoded, as far as the memory limit allows. */
export function slotCountFor(
  { connections, workers }: Pick<Config, 'connections' | 'workers'>,
  memoryBytes: number | undefined = readCgroupLimits().memoryBytes,
): number {
  const wanted = Math.max(limits.slotCount, connections + 1);
  const fitting = Math.floor(spareBytesOf(memoryBytes, workers) / slotBytes);
  return Math.max(slotsMin, Math.min(wanted, fitting));
}

/** undefined unless the memory limit is too small. */
export function memoryWarning(
  { workers }: Pick<Config, 'workers'>,
  memoryBytes: number | undefined = readCgroupLimits().memoryBytes,
): string | undefined {
  const needed = limits.baseRssBytes + (workers - 1) * limits.workerRssBytes + slotBytes;
  if (memoryBytes === undefined || memoryBytes >= needed) return undefined;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MiB)} MiB`;
  return `the memory limit is ${mib(memoryBytes)}, and ${mib(needed)} may be needed`;
}

/** Bytes left for bodies. */
function spareBytesOf(memoryBytes: number | undefined, workers: number): number {
  if (memoryBytes === undefined) return Number.POSITIVE_INFINITY;
  return memoryBytes - limits.baseRssBytes - (workers - 1) * limits.workerRssBytes;
}
