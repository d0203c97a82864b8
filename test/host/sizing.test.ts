// The limits that a cgroup sets, from trees as the kernel writes them, and what the agent makes of
// them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import {
  cgroupDirs,
  type CgroupPaths,
  linuxCgroup,
  readCgroupLimits,
} from '../../src/host/cgroup.ts';
import { limits } from '../../src/config.ts';
import { loadConfig } from '../../src/options/config-loader.ts';
import { slotBytes } from '../../src/encode/shared-memory.ts';
import { createLog } from '../../src/log.ts';
import {
  conntrackShareWarned,
  createConntrackWatch,
  readConntrackShare,
  readThrottling,
} from '../../src/host/node-pressure.ts';
import { fitToCgroup, memoryWarning, slotCountFor } from '../../src/host/sizing.ts';
import { makeConfig } from '../support/make-config.ts';

const MiB = 1024 * 1024;

/** A directory with these files. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'tailship-cgroup-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

function cgroup(membership: string, files: Readonly<Record<string, string>>): CgroupPaths {
  const root = tree({ ...files, membership });
  return { mountDir: root, membershipFile: join(root, 'membership') };
}

const none = { cores: undefined, memoryBytes: undefined };

describe('readCgroupLimits()', () => {
  test('reads cgroup v2 as a container sees it', () => {
    const paths = cgroup('0::/\n', { 'cpu.max': '150000 100000\n', 'memory.max': '268435456\n' });
    expect(readCgroupLimits(paths)).toEqual({ cores: 1.5, memoryBytes: 256 * MiB });
  });

  test('takes the least of its own cgroup and those above', () => {
    const paths = cgroup('0::/kubepods.slice/pod.slice/agent.scope\n', {
      'kubepods.slice/cpu.max': '400000 100000\n',
      'kubepods.slice/memory.max': '1073741824\n',
      'kubepods.slice/pod.slice/memory.max': '134217728\n',
      'kubepods.slice/pod.slice/agent.scope/cpu.max': 'max 100000\n',
      'kubepods.slice/pod.slice/agent.scope/memory.max': 'max\n',
    });
    expect(readCgroupLimits(paths)).toEqual({ cores: 4, memoryBytes: 128 * MiB });
  });

  test('reads cgroup v1, also where only the own cgroup is mounted', () => {
    const files = {
      'cpu/cpu.cfs_quota_us': '50000\n',
      'cpu/cpu.cfs_period_us': '100000\n',
      'memory/memory.limit_in_bytes': '134217728\n',
    };
    const membership = '4:memory:/kubepods/pod1/c1\n3:cpu,cpuacct:/kubepods/pod1/c1\n0::/\n';
    const inContainer = cgroup(membership, files);
    expect(readCgroupLimits(inContainer)).toEqual({ cores: 0.5, memoryBytes: 128 * MiB });
    const onNode = cgroup(membership, {
      ...files,
      'memory/kubepods/pod1/c1/memory.limit_in_bytes': '67108864\n',
    });
    expect(readCgroupLimits(onNode)).toEqual({ cores: 0.5, memoryBytes: 64 * MiB });
  });

  test.each([
    ['v2 says max', '0::/\n', { 'cpu.max': 'max 100000\n', 'memory.max': 'max\n' }],
    [
      'v1 says -1 and a number past all memory',
      '2:cpu:/\n1:memory:/\n',
      {
        'cpu/cpu.cfs_quota_us': '-1\n',
        'cpu/cpu.cfs_period_us': '100000\n',
        'memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
    ],
    ['nothing is there', '', {}],
    ['the files hold nonsense', '0::/../..\n', { 'cpu.max': '\n', 'memory.max': 'many\n' }],
  ])('knows no limit where %s', (_, membership, files) => {
    expect(readCgroupLimits(cgroup(membership, files as Record<string, string>))).toEqual(none);
  });

  test('finds the cgroup of this very process', () => {
    expect(cgroupDirs(linuxCgroup, 'memory')).not.toEqual([]);
  });
});

describe('fitToCgroup()', () => {
  const load = (flags: Record<string, unknown> = {}) =>
    loadConfig({ command: 'run', flags, environment: {} });

  test.each([
    [undefined, undefined, 1],
    [0.2, undefined, 1],
    [2, undefined, 1],
    [3.5, undefined, 2],
    [64, undefined, 4],
    [64, 128 * MiB, 2],
    [64, 96 * MiB, 1],
  ])('with %s cores and %s bytes makes %s workers', async (cores, memoryBytes, workers) => {
    expect(fitToCgroup(await load(), { cores, memoryBytes }).workers).toBe(workers);
  });

  test('leaves what the user set', async () => {
    const loaded = await load({ workers: '2' });
    expect(fitToCgroup(loaded, { cores: 64, memoryBytes: undefined })).toBe(loaded.config);
  });
});

describe('slotCountFor()', () => {
  test('gives a slot to each connection and one to the encoder, as far as memory goes', () => {
    const config = makeConfig();
    expect(slotCountFor(config, Number.MAX_SAFE_INTEGER)).toBe(limits.slotCount);
    expect(slotCountFor({ ...config, connections: 8 }, 1024 * MiB)).toBe(9);
    expect(slotCountFor({ ...config, connections: 8 }, limits.baseRssBytes + 4 * slotBytes)).toBe(
      4,
    );
    expect(slotCountFor(config, 32 * MiB)).toBe(1);
  });

  test('never takes more than the memory limit with all slots at their longest', () => {
    for (let memoryBytes = 96 * MiB; memoryBytes < 400 * MiB; memoryBytes += 7 * MiB) {
      for (const workers of [1, 2, 4]) {
        const count = slotCountFor({ connections: 16, workers }, memoryBytes);
        const fixed = limits.baseRssBytes + (workers - 1) * limits.workerRssBytes;
        const isLeast = count === 1;
        expect(isLeast || fixed + count * slotBytes <= memoryBytes).toBe(true);
      }
    }
  });

  test('memoryWarning() speaks only below what one slot needs', () => {
    expect(memoryWarning({ workers: 1 }, 64 * MiB)).toMatch(/^the memory limit is 64 MiB, and \d+/);
    expect(memoryWarning({ workers: 1 }, limits.baseRssBytes + slotBytes)).toBeUndefined();
  });
});

describe('readThrottling()', () => {
  test('reads v2 and v1 alike', () => {
    const counts = 'nr_periods 100\nnr_throttled 25\n';
    const v2 = cgroup('0::/a\n', {
      'a/cpu.stat': `usage_usec 9\n${counts}throttled_usec 1500000\n`,
    });
    const v1 = cgroup('1:cpu:/\n', { 'cpu/cpu.stat': `${counts}throttled_time 1500000000\n` });
    const expected = { periods: 100, throttledPeriods: 25, throttledSeconds: 1.5 };
    expect(readThrottling(v2)).toEqual(expected);
    expect(readThrottling(v1)).toEqual(expected);
  });

  test('says nothing without a limit', () => {
    const stat = 'nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n';
    expect(readThrottling(cgroup('0::/\n', { 'cpu.stat': stat }))).toBeUndefined();
    expect(readThrottling(cgroup('', {}))).toBeUndefined();
  });
});

describe('readConntrackShare()', () => {
  const sysctl = { nf_conntrack_max: '1000\n', nf_conntrack_count: '850\n' };

  test('takes the counts of its own namespace', () => {
    const sysctlDir = tree(sysctl);
    const share = readConntrackShare({ sysctlDir, nodeStatDir: '/nowhere' });
    expect(share).toBe(0.85);
    expect(share).toBeGreaterThan(conntrackShareWarned);
  });

  test("takes the node's count where it is mounted, in hexadecimal", () => {
    const nodeStatDir = tree({
      nf_conntrack: 'entries  clashres found\n000003e0  0 0\n000003e0  0 0\n',
    });
    expect(readConntrackShare({ sysctlDir: tree(sysctl), nodeStatDir })).toBe(0.992);
  });

  test('is undefined where conntrack is not loaded', () => {
    const paths = { sysctlDir: '/nowhere', nodeStatDir: '/nowhere' };
    expect(readConntrackShare(paths)).toBeUndefined();
  });
});

describe('createConntrackWatch()', () => {
  test('warns once when the table fills, says when it is well, and looks once a minute', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', write: (line) => lines.push(line), readable: true });
    let atMs = 0;
    let looks = 0;
    const shares = [0.5, 0.8, 0.81, 0.95, 0.78, 0.82, 0.6, 0.9, undefined];
    const told: number[] = [];
    const look = createConntrackWatch(
      log,
      () => shares[looks++],
      () => atMs,
    );
    for (; looks < shares.length; atMs += 1_000) {
      look();
      if (lines.length > told.length) told.push(shares[looks - 1] ?? NaN);
    }
    expect(atMs).toBe((shares.length - 1) * 60_000 + 1_000);
    expect(told).toEqual([0.81, 0.6, 0.9]);
    expect(lines[0]).toContain("CONNTRACK_NEARLY_FULL: the node's connection table is 81 % full");
    expect(lines[1]).toContain("INFO  the node's connection table is 60 % full");
  });
});
