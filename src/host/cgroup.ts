// The limits of CPU and memory of this process, from cgroup v2 and v1, and the memory that is left.
// Invariant: a missing or strange file means "no limit", never an error.
//
//   v2   0::/kubepods.slice/…         cpu.max  memory.max  cpu.stat
//   v1   4:memory:/kubepods/…         memory.limit_in_bytes
//        3:cpu,cpuacct:/kubepods/…    cpu.cfs_quota_us  cpu.cfs_period_us  cpu.stat
//
// Source: the kernel's admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Tests use their own. */
export type CgroupPaths = { readonly mountDir: string; readonly membershipFile: string };

export const linuxCgroup: CgroupPaths = {
  mountDir: '/sys/fs/cgroup',
  membershipFile: '/proc/self/cgroup',
};

/** undefined: not limited. */
export type CgroupLimits = {
  /** May be a fraction. */
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
};

type Controller = 'cpu' | 'memory';

/** v1 writes the greatest multiple of a page for "no limit". */
const unlimitedBytes = 2 ** 62;

/** The lowest limits of the process's cgroup and of the visible ones above it. */
export function readCgroupLimits(paths: CgroupPaths = linuxCgroup): CgroupLimits {
  return {
    cores: least(cgroupDirs(paths, 'cpu').map(coresOf)),
    memoryBytes: least(cgroupDirs(paths, 'memory').map(memoryBytesOf)),
  };
}

/**
 * Bytes below the nearest memory limit; inactive page cache counts as free, because the kernel
 * reclaims it first. undefined: not limited, or not visible.
 */
export function memoryLeft(paths: CgroupPaths = linuxCgroup): number | undefined {
  return least(cgroupDirs(paths, 'memory').map(memoryLeftIn));
}

function memoryLeftIn(dir: string): number | undefined {
  const limit = memoryBytesOf(dir);
  const used =
    readText(join(dir, 'memory.current')) ?? readText(join(dir, 'memory.usage_in_bytes'));
  if (limit === undefined || used === undefined) return undefined;
  const stat = readText(join(dir, 'memory.stat')) ?? '';
  const [, total] = /^total_inactive_file (\d+)$/m.exec(stat) ?? [];
  const [, own = '0'] = /^inactive_file (\d+)$/m.exec(stat) ?? [];
  return limit - Math.max(0, Number(used) - Number(total ?? own));
}

/** The directories of the process's cgroup and of those above it, its own first. */
export function cgroupDirs(paths: CgroupPaths, controller: Controller): string[] {
  const membership = readText(paths.membershipFile) ?? '';
  let root = paths.mountDir;
  let path: string | undefined;
  for (const line of membership.split('\n')) {
    const [, names, found] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined) continue;
    if (names === '') path ??= found;
    if (!names.split(',').includes(controller)) continue;
    root = join(paths.mountDir, controller);
    path = found;
    break;
  }
  if (path === undefined) return [];
  // In a container the path may be the node's, while only the container's cgroup is mounted, at
  // root.
  const dirs: string[] = [];
  for (let dir = join(root, path); dir.startsWith(`${root}/`); dir = dirname(dir)) {
    if (existsSync(dir)) dirs.push(dir);
  }
  return [...new Set([...dirs.map((dir) => dir.replace(/\/$/, '')), root])];
}

/** undefined: the file cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

function coresOf(dir: string): number | undefined {
  const [quota, period] = readText(join(dir, 'cpu.max'))?.split(' ').map(Number) ?? [
    readNumber(dir, 'cpu.cfs_quota_us'),
    readNumber(dir, 'cpu.cfs_period_us'),
  ];
  // `max` is no number, and v1 says -1.
  if (quota === undefined || period === undefined) return undefined;
  return quota > 0 && period > 0 ? quota / period : undefined;
}

function memoryBytesOf(dir: string): number | undefined {
  const bytes = readNumber(dir, 'memory.max') ?? readNumber(dir, 'memory.limit_in_bytes');
  return bytes !== undefined && bytes > 0 && bytes < unlimitedBytes ? bytes : undefined;
}

function readNumber(dir: string, name: string): number | undefined {
  const text = readText(join(dir, name));
  return text === undefined ? undefined : Number(text);
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
