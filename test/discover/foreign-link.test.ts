import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

import { isOwnLog } from '../../src/discover/container-name.ts';
import { Node, id, rememberingEvents, uid } from './fixtures.ts';

const victim = (node: Node) => node.writeLog(node.logPath('victim'));

/** Puts a link to `target` where `path` was. */
function exchange(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { recursive: true, force: true });
  symlinkSync(target, path);
}

const attacks: readonly [what: string, attack: (node: Node, own: string) => void][] = [
  ['file', (node, own) => exchange(own, victim(node))],
  ['container directory', (node, own) => exchange(dirname(own), dirname(victim(node)))],
  ['pod directory', (node, own) => exchange(dirname(dirname(own)), dirname(dirname(victim(node))))],
  [
    'pod directory, over a chain of links',
    (node, own) => {
      exchange(join(node.root, 'hop'), dirname(dirname(victim(node))));
      exchange(dirname(dirname(own)), join(node.root, 'hop'));
    },
  ],
  [
    'rotated file',
    (node, own) => {
      const rotated = `${victim(node)}.20260101-000000`;
      renameSync(node.logPath('victim'), rotated);
      exchange(own, rotated);
    },
  ],
  [
    'other file in a root',
    (node, own) => exchange(own, node.writeLog(join(node.pods, 'anything', 'x.log'))),
  ],
];

test.for(attacks)(
  "a link whose %s leads to another's is refused, once, until it leads home",
  ([, attack]) => {
    const node = new Node();
    const own = node.logPath('attacker');
    attack(node, own);
    const name = node.link(`attacker_shop_api-${id}.log`, own);
    const heard = rememberingEvents();
    const discovery = node.discover(heard);
    discovery.scan();
    expect(heard.told).toEqual([`refused ${name}`]);
    for (const path of [own, dirname(own), dirname(dirname(own))]) {
      rmSync(path, { recursive: true, force: true });
    }
    node.writeLog(own);
    discovery.scan();
    expect(heard.told).toEqual([`refused ${name}`, `added ${name}`]);
    expect(heard.logs.get(name)?.name).toMatchObject({ pod: 'attacker', podUid: uid });
  },
);

test('what the text of a link says wins over its name, and both over nothing', () => {
  const node = new Node();
  const heard = rememberingEvents();
  const name = node.link(`attacker_shop_api-${id}.log`, victim(node));
  node.discover(heard);
  expect(heard.logs.get(name)?.name).toMatchObject({ pod: 'victim' });
});

test('with docker, the id of the link and of the file must be one', () => {
  const pod = `/var/log/pods/shop_web_${uid}/api/0.log`;
  const docker = (of: string) => `/var/lib/docker/containers/${of}/${of}-json.log`;
  const other = `ff${id.slice(2)}`;
  const name = (of: string) => `web_shop_api-${of}.log`;
  expect(isOwnLog(name(id), pod, docker(id))).toBe(true);
  expect(isOwnLog(name(id), pod, docker(other))).toBe(false);
  expect(isOwnLog(name(id), docker(id), docker(other))).toBe(false);
  // The kubelet cuts names at 255 bytes, the id with them.
  const long = `${'w'.repeat(253)}_shop_api-`;
  expect(isOwnLog(`${long}${id.slice(0, 9)}.log`, pod, docker(id))).toBe(true);
  expect(isOwnLog(`${long}${id.slice(0, 9)}.log`, pod, docker(other))).toBe(false);
});

test('a root that is a link changes nothing, as the end of the path is the same', () => {
  const tail = `shop_web_${uid}/api/0.log`;
  expect(isOwnLog('x.log', `/var/log/pods/${tail}`, `/mnt/disk/pods/${tail}`)).toBe(true);
  expect(isOwnLog('x.log', '/logs/x.log', '/mnt/logs/x.log')).toBe(true);
});
