// The checks of cgroup limits, throttling and the node's connection table. They only read.

import { MiB } from '../byte-units.ts';
import { type CgroupPaths, linuxCgroup, readCgroupLimits } from '../host/cgroup.ts';
import type { LoadedConfig } from '../options/config-loader.ts';
import { errorTable } from '../errors.ts';
import {
  type ConntrackPaths,
  conntrackShareWarned,
  linuxConntrack,
  percentText,
  readConntrackShare,
  readThrottling,
} from '../host/node-pressure.ts';
import { fitToCgroup, memoryWarning, slotCountFor } from '../host/sizing.ts';
import { type Finding, ok, warn } from './finding.ts';

/** Tests use their own. */
export type PressureFiles = { readonly cgroup: CgroupPaths; readonly conntrack: ConntrackPaths };

export const linuxPressureFiles: PressureFiles = {
  cgroup: linuxCgroup,
  conntrack: linuxConntrack,
};

/** A CPU limit that stops the agent in a larger share of its periods is too low. */
const throttledShareWarned = 0.05;

const cpuAdvice =
  'Take the CPU limit away and leave the request: the quota is handed out per 100 ms, and a burst of a few milliseconds on two threads uses up a small one.';
const memoryAdvice = 'Raise the memory limit, or set --workers lower.';

export function checkPressure(
  loaded: Pick<LoadedConfig, 'config' | 'origins'>,
  files: PressureFiles,
): Finding[] {
  return [
    checkCpu(files.cgroup),
    checkMemory(loaded, files.cgroup),
    checkConntrack(files.conntrack),
  ];
}

function checkCpu(paths: CgroupPaths): Finding {
  const name = 'cpu limit';
  const { cores } = readCgroupLimits(paths);
  if (cores === undefined) return ok(name, 'none, which is best');
  const { periods, throttledPeriods } = readThrottling(paths) ?? {
    periods: 0,
    throttledPeriods: 0,
  };
  const share = periods === 0 ? 0 : throttledPeriods / periods;
  const limit = cores === 1 ? '1 core' : `${Number(cores.toFixed(2))} cores`;
  if (share > throttledShareWarned) {
    return warn(name, `${limit}, used up in ${percentText(share)} of its periods`, cpuAdvice);
  }
  return cores < 1 ? warn(name, `${limit}, less than one`, cpuAdvice) : ok(name, limit);
}

function checkMemory(
  loaded: Pick<LoadedConfig, 'config' | 'origins'>,
  paths: CgroupPaths,
): Finding {
  const name = 'memory limit';
  const cgroup = readCgroupLimits(paths);
  const { memoryBytes } = cgroup;
  if (memoryBytes === undefined) return ok(name, 'none');
  const config = fitToCgroup(loaded, cgroup);
  const tooSmall = memoryWarning(config, memoryBytes);
  if (tooSmall !== undefined) return warn(name, tooSmall, memoryAdvice);
  const bodies = slotCountFor(config, memoryBytes);
  const room = `workers: ${config.workers}, request bodies: ${bodies}`;
  return ok(name, `${Math.floor(memoryBytes / MiB)} MiB; ${room}`);
}

function checkConntrack(paths: ConntrackPaths): Finding {
  const name = 'conntrack';
  const share = readConntrackShare(paths);
  if (share === undefined) return ok(name, 'not loaded, or not to be seen from here');
  const text = `the node's connection table is ${percentText(share)} full`;
  const { advice } = errorTable.CONNTRACK_NEARLY_FULL;
  return share > conntrackShareWarned ? warn(name, text, advice) : ok(name, text);
}
