// Two things on a node that slow the agent down: a CPU limit that throttles it, and a connection
// table that is nearly full, so that new connections are dropped. Both are read from small files.

import { join } from 'node:path';

import { type CgroupPaths, cgroupDirs, linuxCgroup, readText } from './cgroup.ts';
import type { Log } from '../log.ts';

/** Since the cgroup was created. */
export type Throttling = {
  /** Periods (usually 100 ms) in which the process ran. */
  readonly periods: number;
  /** Periods in which its quota was used up: `nr_throttled`. */
  readonly throttledPeriods: number;
  readonly throttledSeconds: number;
};

/** undefined without a CPU limit. */
export function readThrottling(paths: CgroupPaths = linuxCgroup): Throttling | undefined {
  const [own] = cgroupDirs(paths, 'cpu');
  const text = own === undefined ? undefined : readText(join(own, 'cpu.stat'));
  const numbers = new Map(
    (text ?? '').split('\n').map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)] as const;
    }),
  );
  const periods = numbers.get('nr_periods') ?? 0;
  if (periods === 0) return undefined;
  // v2 counts microseconds, v1 nanoseconds.
  const micros = numbers.get('throttled_usec') ?? (numbers.get('throttled_time') ?? 0) / 1e3;
  return {
    periods,
    throttledPeriods: numbers.get('nr_throttled') ?? 0,
    throttledSeconds: micros / 1e6,
  };
}

/** Above this share of the conntrack table in use, there is a warning. */
export const conntrackShareWarned = 0.8;
/** Below this the warning is over. */
const conntrackShareWell = 0.75;
const lookIntervalMs = 60_000;
const pressureMs = 30_000;

/** Tests use their own. */
export type ConntrackPaths = {
  /** `nf_conntrack_count` and `nf_conntrack_max`, of the agent's network namespace. */
  readonly sysctlDir: string;
  /** Where the manifest mounts /proc/1/net/stat of the node. */
  readonly nodeStatDir: string;
};

export const linuxConntrack: ConntrackPaths = {
  sysctlDir: '/proc/sys/net/netfilter',
  nodeStatDir: '/host/net-stat',
};

/**
 * Used share of the table, 0 to 1: of the node where its statistics are mounted, else of the
 * agent's network namespace; undefined where conntrack is not loaded. The maximum is the same in
 * both.
 */
export function readConntrackShare(paths: ConntrackPaths = linuxConntrack): number | undefined {
  const most = Number(readText(join(paths.sysctlDir, 'nf_conntrack_max')) ?? 0);
  const ownCount = readText(join(paths.sysctlDir, 'nf_conntrack_count'));
  const count = nodeCount(paths.nodeStatDir) ?? (ownCount === undefined ? NaN : Number(ownCount));
  return most > 0 && count >= 0 ? count / most : undefined;
}

/** A line of names, then one of hexadecimal numbers per CPU; `entries` is the same in each. */
function nodeCount(statDir: string): number | undefined {
  const [names = '', first = ''] = (readText(join(statDir, 'nf_conntrack')) ?? '').split('\n');
  const at = names.trim().split(/\s+/).indexOf('entries');
  const entries = first.trim().split(/\s+/)[at];
  return entries === undefined || entries === '' ? undefined : Number.parseInt(entries, 16);
}

/** Call the result often: once a minute it checks the conntrack table. `nowMs` is monotonic. */
export function createConntrackWatch(
  log: Log,
  read: () => number | undefined = readConntrackShare,
  nowMs = () => performance.now(),
): () => void {
  let dueMs = Number.NEGATIVE_INFINITY;
  let isWarned = false;
  return () => {
    if (nowMs() < dueMs) return;
    dueMs = nowMs() + lookIntervalMs;
    const share = read();
    if (share === undefined) return;
    const text = `the node's connection table is ${percentText(share)} full`;
    if (!isWarned && share > conntrackShareWarned) {
      isWarned = true;
      log.warn('CONNTRACK_NEARLY_FULL', `${text}: at 100 % new connections are dropped`);
    } else if (isWarned && share < conntrackShareWell) {
      isWarned = false;
      log.info(undefined, text);
    }
  };
}

export type Pressure = {
  readonly throttling: Throttling | undefined;
  readonly conntrackShare: number | undefined;
};

/** Reads both twice a minute at most: a scrape would spend a fifth of its time on these files. */
export function createPressureReader(): () => Pressure {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let latest: Pressure = { throttling: undefined, conntrackShare: undefined };
  return () => {
    if (performance.now() - readAtMs >= pressureMs) {
      readAtMs = performance.now();
      latest = { throttling: readThrottling(), conntrackShare: readConntrackShare() };
    }
    return latest;
  };
}

/** `82 %` of 0.816. */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
