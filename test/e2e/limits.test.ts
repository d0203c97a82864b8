// The real agent at the limits of the kernel, of the disk, and of what it may read.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { makeScratch, runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import type { AgentOptions, AgentProcess } from '../support/agent-process.ts';
import { descriptorsOf, entriesOf, holdsOpen, withAdmin } from '../support/agent-status.ts';
import { mayMount, underTmpfs } from '../support/own-mounts.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scratch: Scene['scratch'];
let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agentOptions: Scene['agent'];
useScene(5, (scene) => ({ scratch, emulator, kubelet, agent: agentOptions } = scene));

function startAgent(options: Pick<AgentOptions, 'flags' | 'under'> = {}): AgentProcess {
  return startAgentProcess({ ...agentOptions, ...options });
}

function startPods(count: number): void {
  for (let pod = 0; pod < count; pod += 1) {
    kubelet.startPod({ namespace: 'ns', pod: `pod-${pod}`, containers: ['c'] });
  }
}

function writeAll(lines: number): void {
  for (const container of kubelet.containers) container.writeNext(lines);
}

/** Everything arrived, files that were deleted since included. */
const allArrived = () => expectExactlyOnce({ kubelet, emulator });

/** ext4 does at once; tmpfs never. */
function reusesInodes(): boolean {
  const folder = makeScratch();
  try {
    const file = path.join(folder.path, 'a');
    const numbers = Array.from({ length: 50 }, () => {
      fs.writeFileSync(file, '');
      const { ino } = fs.statSync(file);
      fs.unlinkSync(file);
      return ino;
    });
    return new Set(numbers).size < numbers.length;
  } finally {
    folder.remove();
  }
}

const shell = (script: string) => ['sh', '-c', `${script}; exec "$0" "$@"`];
const noInotify = ['unshare', '-Ur', ...shell('echo 0 >/proc/sys/user/max_inotify_instances')];
const noWatches = ['unshare', '-Ur', ...shell('echo 0 >/proc/sys/user/max_inotify_watches')];
const mayUnshare = spawnSync(noInotify[0] ?? '', [...noInotify.slice(1), 'true']).status === 0;

describe('inotify', () => {
  test.skipIf(!mayUnshare).each([
    { what: 'no instance', under: noInotify },
    { what: 'no watch', under: noWatches },
  ])('with $what left is replaced by the clock', async ({ under }) => {
    startPods(3);
    const agent = startAgent({ under });
    writeAll(50);
    await allArrived();
    startPods(1);
    writeAll(50);
    await allArrived();
    for (const container of kubelet.containers) await container.rotate();
    writeAll(50);
    await allArrived();
    expect(agent.log.join('\n')).toContain('WATCH_DEGRADED');
  });
});

describe('descriptors', () => {
  test('600 files are read with `ulimit -n 256`', async () => {
    startPods(600);
    writeAll(2);
    const agent = startAgent({ under: ['prlimit', '--nofile=256'] });
    await allArrived();
    for (const container of kubelet.containers.slice(0, 200)) container.writeNext(3);
    await allArrived();
    for (const container of kubelet.containers.slice(100, 200)) await container.rotate();
    for (const container of kubelet.containers.slice(100, 200)) container.writeNext(2);
    await allArrived();
    expect(descriptorsOf(agent.pid)).toBeLessThanOrEqual(256);
    expect(agent.isRunning()).toBe(true);
  });

  test('100 restarts with 3 files each are read with `ulimit -n 256`', async () => {
    const pod = kubelet.startPod({ namespace: 'ns', pod: 'loop', containers: ['c'] });
    const container = pod.container();
    for (let run = 0; run < 100; run += 1) {
      for (let round = 0; round < 2; round += 1) {
        container.writeNext(2);
        await container.rotate();
      }
      container.writeNext(1);
      // The files of dead runs stay, as where the kubelet does not get to removing them.
      container.kill();
      if (run < 99) container.start();
    }
    expect(fs.readdirSync(container.directory)).toHaveLength(300);
    const agent = startAgent({ under: ['prlimit', '--nofile=256'] });
    await allArrived();
    await until('the files are closed', () => descriptorsOf(agent.pid) < 100 || undefined);
    expect(agent.warnings()).toEqual([]);
  });
});

describe('positions that do not fit', () => {
  test('an offset beyond the end of the file starts it over', async () => {
    startPods(1);
    writeAll(100);
    await runOnce(agentOptions);
    const [container] = kubelet.containers;
    const { logPath } = container ?? { logPath: '' };
    const firstLines = fs.readFileSync(logPath, 'utf8').split('\n').slice(0, 3);
    fs.writeFileSync(logPath, `${firstLines.join('\n')}\n`);
    const { code, summary, stderr } = await runOnce(agentOptions);
    expect(code).toBe(0);
    expect(stderr).toContain('FILE_TRUNCATED');
    expect(summary['lines']).toBe(3);
    expect((await emulator.stats()).distinctEntries).toBe(100);
  });

  test.skipIf(!reusesInodes())(
    'a file that got the inode number of a deleted one is read from its start',
    async () => {
      startPods(1);
      writeAll(100);
      await runOnce(agentOptions);
      const [container] = kubelet.containers;
      const { logPath } = container ?? { logPath: '' };
      container?.kill();
      const aside = path.join(path.dirname(agentOptions.stateDir), 'aside');
      fs.mkdirSync(aside);
      let isReused = false;
      // Others on this file system may be given the number first; then the next file is tried.
      for (let round = 0; round < 40 && !isReused; round += 1) {
        const { ino } = fs.statSync(logPath);
        const text = (line: number) =>
          `2024-01-01T00:${10 + round}:0${line}Z stdout F other ${line}\n`;
        fs.unlinkSync(logPath);
        for (let tries = 0; tries < 20 && !isReused; tries += 1) {
          if (tries > 0) fs.renameSync(logPath, path.join(aside, `${round}-${tries}`));
          fs.writeFileSync(logPath, text(1) + text(2).repeat(200));
          isReused = fs.statSync(logPath).ino === ino;
        }
        if (!isReused) await runOnce(agentOptions);
      }
      expect(isReused, 'an inode number was given again').toBe(true);
      const { summary } = await runOnce(agentOptions);
      expect(summary['lines']).toBe(201);
    },
  );
});

describe('a state directory', () => {
  test.skipIf(!mayMount).each([
    { what: 'is read-only', mount: 'ro', below: '' },
    { what: 'is full', mount: 'size=4k,nr_inodes=2', below: '' },
    { what: 'cannot be made', mount: 'size=4k,nr_inodes=1', below: 'of/the/node' },
  ])('that $what costs readiness, not lines', async ({ mount, below }) => {
    startPods(2);
    const [container] = kubelet.containers;
    // What is compressed needs the directory to be unpacked; what is newer does not wait for it.
    container?.writeNext(20);
    await container?.rotate();
    await container?.rotate();
    writeAll(100);
    const admin = await withAdmin();
    const agent = startAgentProcess({
      ...agentOptions,
      stateDir: path.join(agentOptions.stateDir, below),
      flags: admin.flags,
      under: underTmpfs(agentOptions.stateDir, mount),
    });
    await until(
      'the plain files came',
      async () => (await emulator.stats()).distinctEntries >= 200,
    );
    expect(await admin.probe('/readyz')).toBe(503);
    expect(await admin.probe('/livez')).toBe(200);
    expect(agent.log.join('\n')).toContain('STATE_UNWRITABLE');
    writeAll(10);
    await until('new lines came', async () => (await emulator.stats()).distinctEntries >= 220);
    expect(await agent.stop()).toBe(0);
  });
});

test('`run --once` whose positions cannot be saved ships all, and fails', async () => {
  startPods(2);
  writeAll(50);
  const file = path.join(scratch.path, 'file');
  fs.writeFileSync(file, '');
  const { code, summary, stderr } = await runOnce({ ...agentOptions, stateDir: `${file}/below` });
  expect({ code, lines: summary['lines'] }).toEqual({ code: 1, lines: 100 });
  expect(stderr).toMatch(/STATE_UNWRITABLE/);
  expect(stderr).toMatch(/the next run sends the same entries again/);
});

describe('a small state directory', () => {
  // Needs root, to mount a real one.
  test.skipIf(!mayMount)(
    'that deleted files do not fit into is told, and they are read where they are',
    async () => {
      startPods(3);
      writeAll(8_000);
      await emulator.setFaults({ mode: 'status', status: 503 });
      const agent = startAgent({ under: underTmpfs(agentOptions.stateDir, 'size=1m') });
      const isOpen = () => kubelet.pods.every(({ directory }) => holdsOpen(agent.pid, directory));
      await until('all logs are open', isOpen);
      for (const pod of kubelet.pods) pod.delete();
      await until('it is told', () => /held open only: ENOSPC/.test(agent.log.join('\n')));
      await emulator.setFaults({});
      await expectExactlyOnce({ kubelet, emulator }, { deletedToo: true });
      expect(agent.log.join('\n')).not.toMatch(/LINES_LOST/);
      expect(await agent.stop()).toBe(0);
    },
  );
});

describe('what a pod may plant', () => {
  test('links, pipes and swapped directories are never shipped', async () => {
    startPods(2);
    writeAll(10);
    const agent = startAgent();
    await allArrived();
    const secret = path.join(scratch.path, 'secrets');
    fs.mkdirSync(secret);
    fs.writeFileSync(path.join(secret, '0.log'), '2024-01-01T00:00:00Z stdout F root:secret\n');
    const [first, second] = kubelet.containers;
    const link = (name: string, target: string) =>
      fs.symlinkSync(target, path.join(kubelet.containersDir, `${name}.log`));
    link(`a_ns_c-${'a'.repeat(64)}`, path.join(secret, '0.log'));
    link(`b_ns_c-${'b'.repeat(64)}`, '/etc/shadow');
    link(`c_ns_c-${'c'.repeat(64)}`, '/proc/self/environ');
    link(`d_ns_c-${'d'.repeat(64)}`, `d_ns_c-${'d'.repeat(64)}.log`);
    // A link in the log's own directory, and one in the middle of a path.
    fs.symlinkSync(path.join(secret, '0.log'), path.join(first?.directory ?? '', '7.log'));
    link(`e_ns_c-${'e'.repeat(64)}`, path.join(first?.directory ?? '', '7.log'));
    spawnSync('mkfifo', [path.join(first?.directory ?? '', '8.log')]);
    link(`f_ns_c-${'f'.repeat(64)}`, path.join(first?.directory ?? '', '8.log'));
    const directory = second?.directory ?? '';
    fs.renameSync(directory, `${directory}.moved`);
    fs.symlinkSync(secret, directory);
    await until('it was refused', () => agent.log.join('\n').includes('LINK_REFUSED'));
    first?.writeNext(10);
    await until('the others go on', async () => (await emulator.stats()).distinctEntries >= 30);
    // What it has opened by now, it sends before it ends.
    expect(await agent.stop()).toBe(0);
    const shown = await entriesOf(emulator.url);
    expect(shown.filter((entry) => JSON.stringify(entry).includes('root:'))).toEqual([]);
    expect(shown).toHaveLength(30);
  });
});

describe('a line without an end', () => {
  test('of 24 MiB is cut, and holds nobody up', async () => {
    startPods(4);
    const [endless, ...others] = kubelet.containers;
    const agent = startAgent();
    for (const other of others) other.writeNext(1);
    await until('it runs', async () => (await emulator.stats()).distinctEntries === 3);
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const { logPath } = endless ?? { logPath: '' };
    fs.appendFileSync(logPath, '2024-01-01T00:00:00Z stdout F ');
    for (let mebibyte = 0; mebibyte < 24; mebibyte += 1) {
      fs.appendFileSync(logPath, chunk);
      for (const other of others) other.writeNext(1);
      await sleep(20);
    }
    fs.appendFileSync(logPath, '\n');
    await until('the others came', async () => {
      const shown = await entriesOf(emulator.url);
      return shown.filter((entry) => entry.resource.labels['pod_name'] !== 'pod-0').length === 75;
    });
    const bytes = async () => {
      const shown = await entriesOf(emulator.url);
      const parts = shown.filter((entry) => entry.resource.labels['pod_name'] === 'pod-0');
      return parts.reduce((sum, { textPayload = '' }) => sum + textPayload.length, 0);
    };
    await until('all of it came', async () => (await bytes()) === 24 * 1024 * 1024, {
      everyMs: 1_000,
    });
    endless?.writeNext(1);
    await until('it goes on', async () =>
      (await entriesOf(emulator.url)).some(
        ({ textPayload = '', jsonPayload }) =>
          /seq= *1\b/.test(textPayload) || jsonPayload?.['seq'] === 1,
      ),
    );
    expect(agent.isRunning()).toBe(true);
  });
});
