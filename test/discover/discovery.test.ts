import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import type { Discovery } from '../../src/discover/discovery.ts';
import { Node, id, rememberingEvents } from './fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { startOwnClock } from '../support/own-time.ts';

/** How many inotify watches this process holds. Source: proc_pid_fdinfo(5). */
function watchCount(): number {
  let count = 0;
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    try {
      count +=
        readFileSync(join('/proc/self/fdinfo', fd), 'utf8').match(/^inotify wd/gm)?.length ?? 0;
    } catch {
      // The descriptor of the listing itself is closed by now.
    }
  }
  return count;
}

async function untilWatching(discovery: Discovery): Promise<void> {
  await eventually(() => expect(discovery.watching).toBe(true));
  // The first scan, and the one that a new watch asks for; without a clock, further scans come from
  // events alone.
  await eventually(() => expect(discovery.counters.scans).toBeGreaterThanOrEqual(2));
}

test('the clock alone finds new links and removed ones', async () => {
  const node = new Node();
  const heard = rememberingEvents();
  node.discover(heard, { scanIntervalMs: 20 });
  const name = node.start('web');
  await eventually(() => expect(heard.told).toEqual([`added ${name}`]));
  unlinkSync(join(node.containers, name));
  await eventually(() => expect(heard.told).toEqual([`added ${name}`, `removed ${name}`]));
});

test('many links cost one inotify watch, which hears links come, go and change, and nothing of what is written', async () => {
  const node = new Node();
  const names = Array.from({ length: 50 }, (_, index) => node.start(`pod-${index}`));
  const before = watchCount();
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true });
  await untilWatching(discovery);
  expect(watchCount()).toBe(before + 1);
  // No clock here: what is heard is heard from events.
  const added = node.start('web');
  await eventually(() => expect(heard.told.at(-1)).toBe(`added ${added}`));
  unlinkSync(join(node.containers, added));
  await eventually(() => expect(heard.told.at(-1)).toBe(`removed ${added}`));
  const [first = ''] = names;
  symlinkSync(node.writeLog(node.logPath('pod-0', 1)), join(node.root, 'new'));
  renameSync(join(node.root, 'new'), join(node.containers, first));
  await eventually(() => expect(heard.logs.get(first)?.fileName).toBe('1.log'));
  expect(watchCount()).toBe(before + 1);
  // Writes are no events: the next event to arrive is the one of the link that is made after them.
  const { events } = discovery.counters;
  for (let write = 0; write < 100; write += 1) {
    writeFileSync(node.logPath(`pod-${write % 50}`), 'more\n', { flag: 'a' });
  }
  const last = node.start('last');
  await eventually(() => expect(heard.told.at(-1)).toBe(`added ${last}`));
  expect(discovery.counters.events - events).toBeLessThanOrEqual(2);
  await discovery.close();
  expect(watchCount()).toBe(before);
});

test('a burst of links makes few scans', async () => {
  const node = new Node();
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true });
  await untilWatching(discovery);
  const { scans } = discovery.counters;
  for (let index = 0; index < 200; index += 1) node.start(`pod-${index}`);
  await eventually(() => expect(heard.logs.size).toBe(200));
  expect(discovery.counters.scans - scans).toBeLessThan(20);
});

test('a pod that lives for 300 ms is found by its event', async () => {
  const node = new Node();
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true });
  await untilWatching(discovery);
  const tookMs: number[] = [];
  for (let pod = 0; pod < 5; pod += 1) {
    const elapsedMs = startOwnClock();
    const name = node.start(`short-${pod}`);
    await eventually(() => expect(heard.logs.has(name)).toBe(true));
    tookMs.push(elapsedMs());
  }
  // The best of them: on a busy machine single ones say more about the machine. By itself
  // this discovery never scans again.
  expect(Math.min(...tookMs)).toBeLessThan(300);
});

test('a directory that was replaced is watched again, still with one watch', async () => {
  const node = new Node();
  const heard = rememberingEvents();
  const before = watchCount();
  const discovery = node.discover(heard, { watch: true, scanIntervalMs: 50 });
  await untilWatching(discovery);
  for (let round = 0; round < 3; round += 1) {
    rmSync(node.containers, { recursive: true });
    mkdirSync(node.containers);
    const name = node.start(`round-${round}`);
    await eventually(() => expect(heard.logs.has(name)).toBe(true));
    await eventually(() => expect([discovery.watching, watchCount()]).toEqual([true, before + 1]));
    const { events } = discovery.counters;
    node.link(`event-${round}.txt`, node.pods);
    await eventually(() => expect(discovery.counters.events).toBeGreaterThan(events));
  }
  expect(heard.told).not.toContain('degraded');
});

test('a missing directory is scanned for, and watched when it comes', async () => {
  const node = new Node();
  rmdirSync(node.containers);
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true, scanIntervalMs: 20 });
  await eventually(() => expect(discovery.counters.scanErrors).toBeGreaterThan(2));
  expect(discovery.watching).toBe(false);
  mkdirSync(node.containers);
  const name = node.start('web');
  await eventually(() => expect(heard.told).toEqual([`added ${name}`]));
  await eventually(() => expect(discovery.watching).toBe(true));
});

test('a containers directory that is a link itself is watched where it leads', async () => {
  const node = new Node();
  const away = join(node.root, 'away');
  renameSync(node.containers, away);
  symlinkSync(away, node.containers);
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true });
  await untilWatching(discovery);
  const name = node.start('web');
  await eventually(() => expect(heard.logs.get(name)?.linkPath).toBe(join(node.containers, name)));
});

test('after `close()` nothing more is reported', async () => {
  const node = new Node();
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { watch: true, scanIntervalMs: 5 });
  // Also while the watch is only being set up.
  await discovery.close();
  const { scans } = discovery.counters;
  node.start('web');
  discovery.scan();
  expect(discovery.counters.scans).toBe(scans);
  expect(heard.told).toEqual([]);
  await discovery.close();
});

const canLimitInotify =
  spawnSync('unshare', [
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    'echo 0 > /proc/sys/user/max_inotify_instances',
  ]).status === 0;

// Needs user namespaces, where the limit holds for one child process alone.
test.skipIf(!canLimitInotify)('without inotify the scan goes on alone, told once', () => {
  const node = new Node();
  expect(playWithout('echo 0 > /proc/sys/user/max_inotify_instances', node)).toEqual({
    told: ['degraded', `added web_shop_api-${id}.log`],
    watching: false,
    watchErrors: 1,
  });
});

test.skipIf(!canLimitInotify)(
  'without a single inotify watch the scan goes on alone, told once',
  () => {
    const node = new Node();
    expect(playWithout('echo 0 > /proc/sys/user/max_inotify_watches', node)).toEqual({
      told: ['degraded', `added web_shop_api-${id}.log`],
      watching: false,
      watchErrors: 1,
    });
  },
);

function playWithout(limit: string, node: Node): unknown {
  const program = `${limit} && exec "$0" "$@"`;
  const scene = join(import.meta.dirname, 'degraded-scene.ts');
  const shell = [
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    program,
    process.execPath,
    scene,
    node.root,
  ];
  return JSON.parse(execFileSync('unshare', shell, { encoding: 'utf8' }));
}
