import {
  mkdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

import { Node, id, rememberingEvents, uid } from './fixtures.ts';

test('the first scan finds what is there, with its names, before `new Discovery()` returns', () => {
  const node = new Node();
  const name = node.start('web-1');
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.logs.get(name)).toEqual({
    linkPath: join(node.containers, name),
    directory: join(node.pods, `shop_web-1_${uid}`, 'api'),
    fileName: '0.log',
    format: 'cri',
    name: { namespace: 'shop', pod: 'web-1', container: 'api', podUid: uid, restartCount: 0 },
  });
});

test('a scan reports only what changed', () => {
  const node = new Node();
  const one = node.start('one');
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  const two = node.start('two');
  discovery.scan();
  discovery.scan();
  unlinkSync(join(node.containers, one));
  discovery.scan();
  expect(heard.told).toEqual([`added ${one}`, `added ${two}`, `removed ${one}`]);
  expect(discovery.settledCount).toBe(1);
});

test('a link is not removed while its file is missing, only when it is gone itself', () => {
  const node = new Node();
  const name = node.start('web');
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  rmSync(join(node.pods, `shop_web_${uid}`), { recursive: true });
  node.start('another');
  discovery.scan();
  expect(heard.logs.has(name)).toBe(true);
  unlinkSync(join(node.containers, name));
  discovery.scan();
  expect(heard.told.at(-1)).toBe(`removed ${name}`);
});

test('a link that was replaced by one with another target is removed and added', () => {
  const node = new Node();
  const name = node.start('web');
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  unlinkSync(join(node.containers, name));
  node.link(name, node.writeLog(node.logPath('web', 1)));
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`, `removed ${name}`, `added ${name}`]);
  expect(heard.logs.get(name)?.fileName).toBe('1.log');
});

test('a link that was replaced by one with the same target is no news', () => {
  const node = new Node();
  const name = node.start('web');
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  unlinkSync(join(node.containers, name));
  node.link(name, node.logPath('web'));
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`]);
});

test('a link that dangles is neither added nor refused, and added when its file comes', () => {
  const node = new Node();
  const name = node.link(`web_shop_api-${id}.log`, node.logPath('web'));
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  discovery.scan();
  expect(heard.told).toEqual([]);
  expect(discovery.unsettledCount).toBe(1);
  node.writeLog(node.logPath('web'));
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`]);
});

test('a dangling link that goes away was never there', () => {
  const node = new Node();
  const name = node.link(`web_shop_api-${id}.log`, node.logPath('web'));
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  unlinkSync(join(node.containers, name));
  discovery.scan();
  expect(heard.told).toEqual([]);
  expect(discovery.unsettledCount).toBe(0);
});

test("in a rotation's gap the rotated file is enough to add a log, under the live file's name", () => {
  const node = new Node();
  const name = node.start('web');
  renameSync(node.logPath('web'), `${node.logPath('web')}.20260101-000000`);
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.logs.get(name)).toMatchObject({
    directory: join(node.pods, `shop_web_${uid}`, 'api'),
    fileName: '0.log',
    name: { pod: 'web', restartCount: 0 },
  });
});

test("a neighbour's file, a directory and a link do not make a gap", () => {
  const node = new Node();
  node.link(`web_shop_api-${id}.log`, node.logPath('web'));
  const neighbour = node.writeLog(node.logPath('web', 10));
  mkdirSync(`${node.logPath('web')}.20260101-000000`);
  symlinkSync(neighbour, `${node.logPath('web')}.20260102-000000`);
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told).toEqual([]);
});

test('a link out of the roots is refused once, and again only for another target', () => {
  const node = new Node();
  const secret = join(node.root, 'shadow');
  writeFileSync(secret, 'root:x\n');
  const name = node.link(`evil_shop_api-${id}.log`, secret);
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  discovery.scan();
  discovery.scan();
  expect(heard.told).toEqual([`refused ${name}`]);
  expect(heard.reasons[0]).toContain(secret);
  unlinkSync(join(node.containers, name));
  node.link(name, '/etc/hostname');
  discovery.scan();
  expect(heard.told).toEqual([`refused ${name}`, `refused ${name}`]);
  expect(discovery.counters.refused).toBe(2);
});

test('a link under the roots that is itself a link out of them is refused', () => {
  const node = new Node();
  mkdirSync(join(node.pods, `shop_evil_${uid}`, 'api'), { recursive: true });
  symlinkSync('/etc/hostname', node.logPath('evil'));
  const name = node.link(`evil_shop_api-${id}.log`, node.logPath('evil'));
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told).toEqual([`refused ${name}`]);
});

test('a directory under the roots that is a link out of them is refused, with or without the file', () => {
  const node = new Node();
  const outside = join(node.root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, '0.log'), 'secret\n');
  writeFileSync(join(outside, '1.log.20260101-000000'), 'secret\n');
  mkdirSync(join(node.pods, `shop_evil_${uid}`));
  symlinkSync(outside, join(node.pods, `shop_evil_${uid}`, 'api'));
  node.link('evil-0_shop_api-00.log', node.logPath('evil', 0));
  node.link('evil-1_shop_api-00.log', node.logPath('evil', 1));
  node.link('evil-2_shop_api-00.log', node.logPath('evil', 2));
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told).toEqual([
    'refused evil-0_shop_api-00.log',
    'refused evil-1_shop_api-00.log',
    'refused evil-2_shop_api-00.log',
  ]);
});

test('a root that only begins like a path is no root of it', () => {
  const node = new Node();
  const name = node.link(
    'web_shop_api-00.log',
    node.writeLog(join(node.root, 'pods-of-another/a_b_c/d/0.log')),
  );
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told).toEqual([`refused ${name}`]);
});

test('what is no regular file is refused: a directory, a FIFO, a device', () => {
  const node = new Node();
  mkdirSync(join(node.pods, 'directory'));
  execFileSync('mkfifo', [join(node.pods, 'fifo')]);
  node.link('a.log', join(node.pods, 'directory'));
  node.link('b.log', join(node.pods, 'fifo'));
  node.link('c.log', '/dev/zero');
  node.link('d.log', 'd.log');
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told.toSorted()).toEqual([
    'refused a.log',
    'refused b.log',
    'refused c.log',
    'refused d.log',
  ]);
});

test('a refused link is added when what was wrong with it is mended', () => {
  const node = new Node();
  const later = join(node.root, 'later');
  const name = node.link('web_shop_api-00.log', node.writeLog(join(node.root, 'a_b_c/d/0.log')));
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { logRoots: [later] });
  expect(heard.told).toEqual([`refused ${name}`]);
  symlinkSync(node.root, later);
  discovery.scan();
  expect(heard.told).toEqual([`refused ${name}`, `added ${name}`]);
});

test('a root that is a link, and links by relative paths, are followed', () => {
  const node = new Node();
  const disk = join(node.root, 'disk');
  renameSync(node.pods, disk);
  symlinkSync(disk, node.pods);
  node.writeLog(node.logPath('web'));
  const name = node.link(`web_shop_api-${id}.log`, `../pods/shop_web_${uid}/api/0.log`);
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.logs.get(name)).toMatchObject({
    directory: join(disk, `shop_web_${uid}`, 'api'),
    name: { pod: 'web', podUid: uid },
  });
});

test("docker's files are named by the first link and marked as such", () => {
  const node = new Node();
  const docker = join(node.root, 'docker');
  const file = node.writeLog(join(docker, id, `${id}-json.log`));
  mkdirSync(join(node.pods, `shop_web_${uid}`, 'api'), { recursive: true });
  symlinkSync(file, node.logPath('web', 2));
  const name = node.link(`web_shop_api-${id}.log`, node.logPath('web', 2));
  const heard = rememberingEvents();
  const discovery = node.discover(heard, { logRoots: [node.pods, docker] });
  expect(heard.logs.get(name)).toEqual({
    linkPath: join(node.containers, name),
    directory: join(docker, id),
    fileName: `${id}-json.log`,
    format: 'docker',
    name: { namespace: 'shop', pod: 'web', container: 'api', podUid: uid, restartCount: 2 },
  });
  // The same in the gap of docker's own rotation, where the second link dangles.
  unlinkSync(join(node.containers, name));
  renameSync(file, `${file}.1`);
  discovery.scan();
  node.link(name, node.logPath('web', 2));
  discovery.scan();
  expect(heard.logs.get(name)).toMatchObject({
    directory: join(docker, id),
    format: 'docker',
    name: { pod: 'web', restartCount: 2 },
  });
});

test('a file that is no link is refused, unless the containers directory lies under a root itself', () => {
  const node = new Node();
  const name = `web_shop_api-${id}.log`;
  node.writeLog(join(node.containers, name));
  const outside = rememberingEvents();
  node.discover(outside);
  expect(outside.told).toEqual([`refused ${name}`]);
  const inside = rememberingEvents();
  node.discover(inside, { logRoots: [node.root] });
  expect(inside.logs.get(name)).toMatchObject({
    directory: node.containers,
    fileName: name,
    name: { pod: 'web', podUid: id },
  });
});

test('a log that nothing names is added without names', () => {
  const node = new Node();
  const name = node.link('strange.log', node.writeLog(join(node.pods, 'somewhere.log')));
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.logs.get(name)?.name).toBe(undefined);
});

test('names without `.log` are none of ours', () => {
  const node = new Node();
  node.link('notes.txt', node.writeLog(node.logPath('web')));
  const heard = rememberingEvents();
  node.discover(heard);
  expect(heard.told).toEqual([]);
});

test('two links to one file are read once, and the second takes over from the first', () => {
  const node = new Node();
  const target = node.writeLog(node.logPath('web'));
  node.link('a_shop_api-00.log', target);
  node.link('b_shop_api-00.log', target);
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  expect(heard.logs.size).toBe(1);
  const [first = ''] = heard.logs.keys();
  unlinkSync(join(node.containers, first));
  discovery.scan();
  expect(heard.told).toHaveLength(3);
  expect(heard.told[1]).toBe(`removed ${first}`);
  expect(heard.logs.size).toBe(1);
});

test('a directory that is missing, or goes away, costs no log and is found again', () => {
  const node = new Node();
  rmdirSync(node.containers);
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  discovery.scan();
  expect(discovery.counters.scanErrors).toBe(2);
  mkdirSync(node.containers);
  const name = node.start('web');
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`]);
  renameSync(node.containers, `${node.containers}-away`);
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`]);
  mkdirSync(node.containers);
  discovery.scan();
  expect(heard.told).toEqual([`added ${name}`, `removed ${name}`]);
});

test('a directory whose time is old is listed once, and again when it changes', () => {
  const node = new Node();
  node.start('web');
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(node.containers, longAgo, longAgo);
  const discovery = node.discover(rememberingEvents());
  for (let scan = 0; scan < 10; scan += 1) discovery.scan();
  expect(discovery.counters).toMatchObject({ scans: 11, listings: 1 });
  node.start('another');
  discovery.scan();
  expect(discovery.counters.listings).toBe(2);
  // Within the grain of its clock a directory could change unseen, so it is listed although its
  // time stays.
  discovery.scan();
  expect(discovery.counters.listings).toBe(3);
});
