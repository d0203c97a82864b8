// What the kernel grants the agent, as a real process sees it: a mount namespace shows it a cgroup
// and a connection table of the test's.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  startAgentProcess,
  startCommand,
  startEmulatorProcess,
  until,
} from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { useScratch } from '../support/scene.ts';

const mountNamespace = ['unshare', '--mount', 'sh', '-c'];
const whereMounted = '/proc/sys/net';
const mayMount =
  spawnSync('unshare', ['--mount', 'mount', '--bind', '/tmp', whereMounted]).status === 0;

const scratch = useScratch();

function tree(name: string, files: Readonly<Record<string, string>>): string {
  const root = path.join(scratch.path, name);
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
  return root;
}

/** A command that runs its arguments on a node that is short of CPU, memory and connections. */
function onNarrowNode(): string[] {
  const stat = 'nr_periods 400\nnr_throttled 100\n';
  // Of cgroup v2 and v1: the machine of the test has one of them.
  const cgroup = tree('cgroup', {
    'cpu.max': '200000 100000\n',
    'cpu.stat': `${stat}throttled_usec 2500000\n`,
    'memory.max': '201326592\n',
    'cpu/cpu.cfs_quota_us': '200000\n',
    'cpu/cpu.cfs_period_us': '100000\n',
    'cpu/cpu.stat': `${stat}throttled_time 2500000000\n`,
    'memory/memory.limit_in_bytes': '201326592\n',
    'memory/memory.soft_limit_in_bytes': '201326592\n',
  });
  const net = tree('net', {
    'netfilter/nf_conntrack_max': '1000\n',
    'netfilter/nf_conntrack_count': '930\n',
  });
  const script = `mount --bind "$0" /sys/fs/cgroup && mount --bind "$1" ${whereMounted} && shift && exec "$@"`;
  return [...mountNamespace, script, cgroup, net];
}

const why = mayMount ? '' : ' (skipped: may not mount)';

describe.skipIf(!mayMount)(`a node that is short of everything${why}`, () => {
  test('is told by metrics, by the log and by the size of the heap', async () => {
    const emulator = await startEmulatorProcess();
    const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 3 });
    const admin = await withAdmin();
    const agent = startAgentProcess({
      kubelet,
      stateDir: path.join(scratch.path, 'state'),
      endpoint: emulator.url,
      flags: admin.flags,
      under: onNarrowNode(),
    });
    const status = await until('the agent answers', () => admin.status());
    expect(status.throttling).toEqual({
      periods: 400,
      throttledPeriods: 100,
      throttledSeconds: 2.5,
    });
    expect(status.conntrackShare).toBe(0.93);
    await until('the log warns', () =>
      agent.log.some((line) => /"CONNTRACK_NEARLY_FULL"/.test(line)),
    );
    const words = fs.readFileSync(`/proc/${agent.pid}/cmdline`, 'utf8').split('\0');
    expect(words).toContain('--max-old-space-size-percentage=40');
    expect(await agent.stop()).toBe(0);
  });

  test('is told by `check`', async () => {
    const words = [
      'check',
      '--json',
      '--state-dir',
      scratch.path,
      '--endpoint',
      'http://127.0.0.1:1',
    ];
    const check = startCommand(words, {}, onNarrowNode());
    await check.ended;
    const { findings } = JSON.parse(check.lines[0] ?? '') as {
      findings: { name: string; level: string; text: string }[];
    };
    const levelOf = (name: string) => findings.find((finding) => finding.name === name)?.level;
    expect(levelOf('cpu limit')).toBe('warn');
    expect(levelOf('memory limit')).toBe('ok');
    expect(levelOf('conntrack')).toBe('warn');
  });
});
