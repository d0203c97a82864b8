import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { seedOfRun } from '../support/seed.ts';
import { Node, rememberingEvents } from './fixtures.ts';

test('of many links, all that were replaced are found, some scans later', () => {
  const node = new Node();
  const count = limits.linksCheckedPerScanMax * 2 + 50;
  const names = Array.from({ length: count }, (_, index) => node.start(`pod-${index}`));
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  expect(heard.logs.size).toBe(count);
  for (const [index, name] of names.entries()) {
    if (index % 50 !== 0) continue;
    unlinkSync(join(node.containers, name));
    node.link(name, node.writeLog(node.logPath(`pod-${index}`, 1)));
  }
  for (let scan = 0; scan < 3; scan += 1) discovery.scan();
  const moved = names.filter((name) => heard.logs.get(name)?.fileName === '1.log');
  expect(moved).toEqual(names.filter((_, index) => index % 50 === 0));
});

test('of many links that dangle, each is tried in turn', () => {
  const node = new Node();
  const count = limits.linksCheckedPerScanMax * 2 + 50;
  for (let index = 0; index < count; index += 1) {
    node.link(`pod-${index}_shop_api-00.log`, node.logPath('web', index));
  }
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  expect(discovery.unsettledCount).toBe(count);
  for (let index = 0; index < count; index += 1) node.writeLog(node.logPath('web', index));
  for (let scan = 0; scan < 3; scan += 1) discovery.scan();
  expect(heard.logs.size).toBe(count);
});

test('random links, retargets, removals and gaps end in what a look at the directory says', () => {
  const seed = seedOfRun();
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
  const node = new Node();
  const heard = rememberingEvents();
  const discovery = node.discover(heard);
  const wanted = new Map<string, string>();
  for (let restart = 0; restart < 40; restart += 1) node.writeLog(node.logPath('web', restart));
  const free = Array.from({ length: 40 }, (_, restart) => restart);
  for (let step = 0; step < 400; step += 1) {
    const name = `pod-${below(20)}_shop_api-00.log`;
    const before = wanted.get(name);
    if (before !== undefined) {
      unlinkSync(join(node.containers, name));
      wanted.delete(name);
      free.push(Number.parseInt(before, 10));
    }
    if (before === undefined || below(2) === 0) {
      const [restart = 0] = free.splice(below(free.length), 1);
      node.link(name, node.logPath('web', restart));
      wanted.set(name, `${restart}.log`);
    }
    if (below(3) > 0) continue;
    discovery.scan();
    const read = [...heard.logs].map(([link, log]) => `${link} ${log.fileName}`).toSorted();
    expect(read, `seed ${seed}, step ${step}`).toEqual(
      [...wanted].map(([link, file]) => `${link} ${file}`).toSorted(),
    );
  }
});
