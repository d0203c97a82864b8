// What is told as lost is lost, and told once: not what can still be read, here or from a copy.

import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { LineFormat } from '../../src/encode/drain-task.ts';
import { Chain } from '../../src/tail/chain.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { Loss } from '../../src/tail/tail-setup.ts';
import { FaultyFs } from '../support/faulty-fs.ts';
import { acknowledgeAll, finishCut, readCut } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let losses: Pick<Loss, 'reason' | 'bytes'>[];
let store: OffsetStore;
let openFiles: OpenFiles;
let reports: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'false-loss-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  losses = [];
  store = new OffsetStore();
  openFiles = new OpenFiles(100);
  reports = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const path = (fileName: string) => join(directory, fileName);
const line = (text: string, second = 0) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;
const rotated = '0.log.20240305-140721';
const looksMax = 40;

function makeChain(format: LineFormat = 'cri'): Chain {
  const setup = makeTailSetup(root, {
    ...store.setup,
    openFiles,
    lost: ({ reason, bytes }) => losses.push({ reason, bytes }),
    report: (code) => reports.push(code),
  });
  const place = { directory, liveName: '0.log', podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, format, restartCount: 0 }, setup);
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

function look(chain: Chain): void {
  chain.look((nowMs += limits.relistMs));
}

/** Reads and acknowledges up to `bytesMax` bytes. */
function take(chain: Chain, bytesMax = 1e9): string {
  const cut = chain.cut(bytesMax, nowMs);
  const text = readCut(cut);
  finishCut(chain, cut, { nowMs, store });
  return text;
}

/** Looks, unpacks and reads until `text` was read, or for long enough. */
async function readUntil(chain: Chain, text: string): Promise<string> {
  const spooler = new Spooler({ directory: root, roots: [root], report: () => undefined });
  let read = '';
  for (let times = 0; times < looksMax && !read.includes(text); times += 1) {
    look(chain);
    await spooler.start([{ chain }], nowMs);
    read += take(chain);
  }
  return read;
}

test('a closed file of which only a .gz is left that is still being written is not lost', async () => {
  openFiles = new OpenFiles(0);
  writeFileSync(path('0.log'), line('live', 30));
  writeFileSync(path(rotated), line('one') + line('two', 1));
  const chain = makeChain();
  const packed = gzipSync(line('one') + line('two', 1));
  unlinkSync(path(rotated));
  writeFileSync(path(`${rotated}.gz`), packed.subarray(0, 5));
  look(chain);
  look(chain);
  writeFileSync(path(`${rotated}.gz`), packed);
  expect(await readUntil(chain, 'two')).toContain(line('one') + line('two', 1));
  expect(losses).toEqual([]);
  chain.close();
});

test('a closed file of which only a broken .gz is left is counted once', () => {
  openFiles = new OpenFiles(0);
  writeFileSync(path('0.log'), line('live', 30));
  writeFileSync(path(rotated), line('one') + line('two', 1));
  const chain = makeChain();
  unlinkSync(path(rotated));
  writeFileSync(path(`${rotated}.gz`), 'no gzip');
  for (let times = 0; times < looksMax; times += 1) look(chain);
  const bytes = line('one').length + line('two', 1).length;
  expect(losses).toEqual([{ reason: 'not_unpacked', bytes }]);
  chain.close();
});

test('after a start a broken .gz in place of a file that was known is counted once', () => {
  writeFileSync(path('0.log'), line('live', 30));
  writeFileSync(path(rotated), line('one') + line('two', 1));
  const before = makeChain();
  take(before, line('one').length);
  store.replaceAll(before.files.map((file) => file.checkpoint()));
  before.close();
  unlinkSync(path(rotated));
  writeFileSync(path(`${rotated}.gz`), 'no gzip');
  const chain = makeChain();
  for (let times = 0; times < looksMax; times += 1) look(chain);
  expect(losses).toEqual([{ reason: 'not_unpacked', bytes: line('two', 1).length }]);
  chain.close();
});

test('what copytruncate cut off and copied before is read from the copy, and not lost', async () => {
  writeFileSync(path('0.log'), line('one') + line('two', 1));
  const chain = makeChain();
  expect(take(chain, line('one').length)).toBe(line('one'));
  copyFileSync(path('0.log'), path(rotated));
  truncateSync(path('0.log'));
  appendFileSync(path('0.log'), line('three', 2));
  expect(await readUntil(chain, 'two')).toContain(line('two', 1));
  expect(losses).toEqual([]);
  chain.close();
});

/** As logrotate's copytruncate does it, and the log goes on. */
function copyAndTruncate(copy: string | undefined, next: string): void {
  if (copy !== undefined) copyFileSync(path('0.log'), path(copy));
  truncateSync(path('0.log'));
  appendFileSync(path('0.log'), next);
}

// A log without times, of which nothing is read yet, as in an outage: no position proves that the
// copy is of it.
test('a raw log that is copied and cut off before any of it is read is not lost', async () => {
  writeFileSync(path('0.log'), 'one\n');
  const chain = makeChain('raw');
  expect(take(chain)).toBe('one\n');
  copyAndTruncate('0.log-20260101', 'two\n'.repeat(20));
  look(chain);
  copyAndTruncate('0.log-20260102', 'three\n'.repeat(30));
  look(chain);
  copyAndTruncate('0.log-20260103', 'four\n');
  expect(await readUntil(chain, 'four')).toBe(`${'two\n'.repeat(20)}${'three\n'.repeat(30)}four\n`);
  expect(losses).toEqual([]);
  chain.close();
});

test('a raw log that is cut off before any of it is read is lost, whatever older copies hold', async () => {
  const banner = `${'x'.repeat(400)}\n`;
  writeFileSync(path('0.log'), `${banner}one\none\n`);
  const chain = makeChain('raw');
  copyFileSync(path('0.log'), path('0.log-20260101'));
  await sleep(50); // A file's times have a grain of 4 ms.
  copyAndTruncate(undefined, `${banner}two\n`);
  look(chain);
  expect(losses).toEqual([]);
  copyAndTruncate(undefined, `${banner}3\n`);
  look(chain);
  look(chain);
  // What the file holds may be the beginning of either.
  expect(losses).toEqual([{ reason: 'truncated', bytes: 'two'.length - '3'.length }]);
  chain.close();
});

test('a raw log that is packed before any of it is read, while no agent runs, is not lost', async () => {
  writeFileSync(path('0.log'), 'one\n'.repeat(5));
  makeChain('raw').close();
  writeFileSync(path('0.log-20260101.gz'), gzipSync('one\n'.repeat(5)));
  unlinkSync(path('0.log'));
  writeFileSync(path('0.log'), 'two\n');
  const chain = makeChain('raw');
  expect(await readUntil(chain, 'two')).toBe(`${'one\n'.repeat(5)}two\n`);
  for (let times = 0; times < looksMax; times += 1) look(chain);
  expect(store.offsets).toHaveLength(2);
  expect(losses).toEqual([]);
  chain.close();
});

test('what replaces a log in its file is not stored as its size, before it is compared', () => {
  writeFileSync(path('0.log'), line('one'));
  const chain = makeChain();
  const cut = chain.cut(1e9, nowMs);
  chain.advance(cut, { consumed: [line('one').length], more: false }, nowMs); // It is in flight.
  writeFileSync(path('0.log'), line('two', 1) + line('three', 2));
  look(chain);
  expect(store.offsets.map(({ size }) => size)).toEqual([line('one').length]);
  acknowledgeAll(cut);
  chain.close();
});

test('what was cut off is told once, also when the agent is killed then', () => {
  writeFileSync(path('0.log'), line('one') + line('two', 1));
  const before = makeChain();
  take(before, line('one').length);
  store.replaceAll(before.files.map((file) => file.checkpoint()));
  const known = store.offsets;
  truncateSync(path('0.log'));
  for (let times = 0; times < looksMax; times += 1) look(before);
  expect(losses).toEqual([{ reason: 'truncated', bytes: line('two', 1).length }]);
  expect(store.offsets).not.toEqual(known);
  before.close();
  const chain = makeChain();
  for (let times = 0; times < looksMax; times += 1) look(chain);
  expect(losses).toHaveLength(1);
  chain.close();
});

test('what was cut off while no agent ran is read from its copy, and not lost', async () => {
  writeFileSync(path('0.log'), line('one') + line('two', 1));
  const before = makeChain();
  take(before, line('one').length);
  store.replaceAll(before.files.map((file) => file.checkpoint()));
  before.close();
  copyFileSync(path('0.log'), path(rotated));
  truncateSync(path('0.log'));
  appendFileSync(path('0.log'), line('three', 2));
  const chain = makeChain();
  expect(await readUntil(chain, 'two')).toContain(line('two', 1));
  expect(losses).toEqual([]);
  chain.close();
});

test.each([
  { what: 'alone', remove: () => rmSync(path(`${rotated}.gz`)) },
  { what: 'with its pod', remove: () => rmSync(join(directory, '..'), { recursive: true }) },
])('a .gz that is deleted $what before it is unpacked is counted, by its length', ({ remove }) => {
  writeFileSync(path('0.log'), line('live', 30));
  writeFileSync(path(`${rotated}.gz`), gzipSync(line('one') + line('two', 1)));
  const chain = makeChain();
  remove();
  for (let times = 0; times < 3; times += 1) look(chain);
  const bytes = line('one').length + line('two', 1).length;
  expect(losses).toEqual([{ reason: 'deleted', bytes }]);
  chain.close();
});

// It was renamed again, or packed, between the listing and its opening; or there is no descriptor.
test.each(['ENOENT', 'EMFILE', 'EIO'])(
  'a closed file that was rotated, and that cannot be opened at this look (%s), is not lost',
  async (code) => {
    // The first one opens the directory: it would be gone.
    for (let failAt = code === 'ENOENT' ? 2 : 1; failAt < 20; failAt += 1) {
      rmSync(directory, { recursive: true });
      mkdirSync(directory);
      store.replaceAll([]);
      writeFileSync(path('0.log'), line('one') + line('two', 1));
      const chain = makeChain();
      for (const file of chain.files) file.close();
      renameSync(path('0.log'), path(rotated));
      writeFileSync(path('0.log'), line('three', 2));
      const faulty = new FaultyFs({ failAt, kinds: ['open'], code });
      look(chain);
      look(chain);
      faulty.restore();
      const at = `open ${failAt}, ${faulty.failed}`;
      const read = await readUntil(chain, 'three');
      expect({ at, read }).toEqual({ at, read: line('one') + line('two', 1) + line('three', 2) });
      expect({ at, losses }).toEqual({ at, losses: [] });
      // It is under another name, and the next listing shows it: nothing is wrong.
      if (code === 'ENOENT') expect({ at, reports }).toEqual({ at, reports: [] });
      chain.close();
      if (faulty.failed === undefined) return;
    }
    expect.fail('more opens than expected');
  },
);

test('a closed file whose inode number is given to the next live one was not truncated', async () => {
  const text = line('one') + line('two', 1);
  for (let tries = 1; ; tries += 1) {
    writeFileSync(path('0.log'), text);
    const { ino } = statSync(path('0.log'));
    const chain = makeChain();
    for (const file of chain.files) file.close();
    writeFileSync(path(`${rotated}.gz`), gzipSync(text));
    rmSync(path('0.log'));
    writeFileSync(path('0.log'), line('three', 2));
    const isReused = statSync(path('0.log')).ino === ino;
    expect(await readUntil(chain, 'three')).toBe(text + line('three', 2));
    expect(losses).toEqual([]);
    expect(reports).toEqual([]);
    chain.close();
    if (isReused || tries === 50) return;
    store.replaceAll([]);
    for (const name of ['0.log', `${rotated}.gz`]) rmSync(path(name));
  }
});

test('a live file that was closed while it was empty, then written and rotated, is not lost', async () => {
  writeFileSync(path('0.log'), '');
  const chain = makeChain();
  for (const file of chain.files) file.close();
  appendFileSync(path('0.log'), line('one'));
  look(chain);
  for (const file of chain.files) file.close();
  renameSync(path('0.log'), path(rotated));
  writeFileSync(path('0.log'), line('two', 1));
  expect(await readUntil(chain, 'two')).toBe(line('one') + line('two', 1));
  expect(losses).toEqual([]);
  chain.close();
});
