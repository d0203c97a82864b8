// What an event does at once, before any scan.

import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { LinkTable } from '../../src/discover/link-table.ts';
import { Node, rememberingEvents } from './fixtures.ts';

test('`meet()` reads a new link without a listing, and the next scan tells nothing twice', () => {
  const node = new Node();
  const heard = rememberingEvents();
  const table = new LinkTable({ directory: node.containers, logRoots: [node.pods] }, heard);
  table.scan();
  const name = node.start('short');
  const { listings } = table.counters;
  table.meet(name);
  table.meet(name);
  expect(heard.told).toEqual([`added ${name}`]);
  expect(table.counters.listings).toBe(listings);
  table.scan();
  expect(heard.told).toEqual([`added ${name}`]);
  unlinkSync(join(node.containers, name));
  table.scan();
  expect(heard.told).toEqual([`added ${name}`, `removed ${name}`]);
});

test('`meet()` refuses, and forgets, what a scan would', () => {
  const node = new Node();
  const heard = rememberingEvents();
  const table = new LinkTable({ directory: node.containers, logRoots: [node.pods] }, heard);
  table.scan();
  table.meet(node.link('bad.log', '/etc/passwd'));
  table.meet('never-was.log');
  table.meet(node.link('no-log', node.writeLog(node.logPath('x'))));
  expect(heard.told).toEqual(['refused bad.log']);
  expect(table.unsettledCount).toBe(1);
});
