// What an event does at once, before any scan.

import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { LinkTable } from '../../src/discover/links/link-table.ts';
import { Node, rememberingEvents } from './fixtures.ts';

test('`meet()` reads a new link without a listing, and the next scan reports nothing twice', () => {
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
  table.meet(node.link('no-log', node.writeLog(node.logPath('x'))));
  expect(heard.told).toEqual(['refused bad.log']);
  expect(table.unsettledCount).toBe(1);
});

test('a link that came and went before it was looked at is reported once, others are not', () => {
  const node = new Node();
  const heard = rememberingEvents();
  const table = new LinkTable({ directory: node.containers, logRoots: [node.pods] }, heard);
  table.scan();
  for (let event = 0; event < 2; event += 1) table.meet('short_ns_c-00.log');
  expect(heard.told).toEqual(['missed short_ns_c-00.log']);
  const name = node.start('known');
  table.meet(name);
  unlinkSync(join(node.containers, name));
  table.meet(name);
  table.scan();
  table.meet(name);
  expect(heard.told.slice(1)).toEqual([`added ${name}`, `removed ${name}`]);
  expect(table.counters.missed).toBe(1);
});

test('a link whose log was gone already is reported when it goes, unless it is from before the start', () => {
  const node = new Node();
  const heard = rememberingEvents();
  const table = new LinkTable({ directory: node.containers, logRoots: [node.pods] }, heard);
  const old = node.link('old.log', join(node.pods, 'nowhere/0.log'));
  table.scan();
  const late = node.link('late.log', join(node.pods, 'nowhere/1.log'));
  table.meet(late);
  for (const each of [old, late]) unlinkSync(join(node.containers, each));
  table.scan();
  table.meet(late);
  expect(heard.told).toEqual(['missed late.log']);
});
