// What the kernel allows this process, read from cgroup v2 and v1: limits of CPU and memory, and
// how often the CPU limit made it wait. Invariant: a file that is missing or strange means "no
// limit", never an error.
//
//   v2   0::/kubepods.slice/…         cpu.max  memory.max  cpu.stat
//   v1   4:memory:/kubepods/…         memory.limit_in_bytes
//        3:cpu,cpuacct:/kubepods/…    cpu.cfs_quota_us  cpu.cfs_period_us  cpu.stat
//
// Source: the kernel's admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where Linux shows cgroups; a test has its own. */
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

/** v1 writes the greatest multiple of a page for "no limit"; no machine has half of it. */
const unlimitedBytes = 2 ** 62;

/** The least limit of the process's own cgroup and of all above it that can be seen. */
export function readCgroupLimits(paths: CgroupPaths = linuxCgroup): CgroupLimits {
  return {
    cores: least(cgroupDirs(paths, 'cpu').map(coresOf)),
    memoryBytes: least(cgroupDirs(paths, 'memory').map(memoryBytesOf)),
  };
}

/** The directories of the process's cgroup for a controller, its own first, then those above it. */
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
  // In a container the path may be the node's, while only the own cgroup is mounted: then at root.
  const dirs: string[] = [];
  for (let dir = join(root, path); dir.startsWith(`${root}/`); dir = dirname(dir)) {
    if (existsSync(dir)) dirs.push(dir);
  }
  return [...new Set([...dirs.map((dir) => dir.replace(/\/$/, '')), root])];
}

/** A file's text; undefined when there is none that can be read. */
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

/** The limit that one directory names; undefined: none. */
export function memoryBytesOf(dir: string): number | undefined {
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
