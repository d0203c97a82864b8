// How much memory the cgroup has left for another process.

import { join } from 'node:path';

import { cgroupDirs, linuxCgroup, memoryBytesOf, readText, type CgroupPaths } from './cgroup.ts';

/**
 * Bytes below the nearest limit; inactive page cache counts as free, because the
 * kernel reclaims it first. undefined: not limited, or not visible.
 */
export function memoryLeft(paths: CgroupPaths = linuxCgroup): number | undefined {
  const left = cgroupDirs(paths, 'memory').map(leftIn);
  const known = left.filter((bytes) => bytes !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function leftIn(dir: string): number | undefined {
  const limit = memoryBytesOf(dir);
  const used =
    readText(join(dir, 'memory.current')) ?? readText(join(dir, 'memory.usage_in_bytes'));
  if (limit === undefined || used === undefined) return undefined;
  const stat = readText(join(dir, 'memory.stat')) ?? '';
  const [, total] = /^total_inactive_file (\d+)$/m.exec(stat) ?? [];
  const [, own = '0'] = /^inactive_file (\d+)$/m.exec(stat) ?? [];
  return limit - Math.max(0, Number(used) - Number(total ?? own));
}
