// What happens to a file in its own place, between two looks or while no agent runs: its log goes
// on, once, under the ids that it has.

import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { verifyCut, type ChainCut } from '../../src/tail/chain-cut.ts';
import { Chain } from '../../src/tail/chain.ts';
import { acknowledgeAll } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let directory: string;
let root: string;
let nowMs: number;
let store: OffsetStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'in-place-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  store = new OffsetStore();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const live = () => join(directory, '0.log');
const line = (text: string, second: number) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;

function startChain(): Chain {
  const place = { directory, liveName: '0.log', podUid: 'uid', container: 'api' };
  const setup = makeTailSetup(root, store.setup);
  const chain = new Chain({ ...place, restartCount: 0, format: 'cri' }, setup);
  chain.addLink('link');
  look(chain);
  return chain;
}

function look(chain: Chain): void {
  for (let times = 0; times < 4; times += 1) chain.look((nowMs += limits.relistMs));
}

function advance(chain: Chain, cut: ChainCut, end = cut.segments.at(-1)!.end): void {
  const consumed = cut.segments.map((segment) => Math.min(segment.end, end));
  chain.advance(cut, { consumed, more: false }, (nowMs += 1));
}

function take(chain: Chain): readonly string[] {
  const cut = chain.cut(1e9, nowMs);
  advance(chain, cut);
  acknowledgeAll(cut);
  for (const file of cut.files) store.remember(file.checkpoint());
  return cut.segments.map(({ idPrefix, start, end }) => `${idPrefix} ${start}-${end}`);
}

test('a hole that is filled is news, though the file does not grow', () => {
  const first = line('one', 1);
  writeFileSync(live(), first + '\0'.repeat(4_096));
  const chain = startChain();
  advance(chain, chain.cut(1e9, nowMs), first.length);
  advance(chain, chain.cut(1e9, nowMs), first.length);
  expect(chain.waiting).toBe(true);
  look(chain);
  expect(chain.waiting).toBe(true);
  const fd = openSync(live(), 'r+');
  writeSync(fd, line('two', 2), first.length);
  closeSync(fd);
  utimesSync(live(), new Date(), new Date(Date.now() + 5_000));
  look(chain);
  expect(chain.waiting).toBe(false);
  chain.close();
});

test('a rotation that was truncated before, which a task finds when it has ended, holds nothing up', () => {
  writeFileSync(live(), line('old', 1));
  const chain = startChain();
  expect(take(chain)).toHaveLength(1);
  // All between two looks: truncated, written again to more than before, renamed.
  truncateSync(live());
  appendFileSync(live(), line('new', 2) + line('new', 3));
  const rotated = `${live()}.20240305-140721`;
  renameSync(live(), rotated);
  writeFileSync(live(), line('live', 4));
  look(chain);
  const cut = chain.cut(1e9, nowMs);
  expect(cut.files[0]?.ended).toBe(true);
  const consumed = cut.segments.map(({ start }) => start);
  chain.advance(cut, { consumed, more: false, replaced: 0 }, nowMs);
  look(chain);
  const size = line('new', 2).length;
  expect(take(chain).map((text) => text.slice(23))).toEqual([`0-${2 * size}`, `0-${size + 1}`]);
  chain.close();
});

test('a log that had no time yet is known by its first one after a restart', () => {
  const blank = '\n'.repeat(65);
  writeFileSync(live(), blank);
  const before = startChain();
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + limits.identityWaitMs);
  look(before);
  const [byBirth = ''] = take(before);
  expect(byBirth.slice(23)).toBe('0-65');
  before.close();
  // Another agent may have sent it by its time, if what it has stored was lost.
  appendFileSync(live(), line('one', 1));
  const stored = [...store.offsets];
  store.replaceAll([]);
  const other = startChain();
  const [byTime = ''] = take(other);
  other.close();
  store.replaceAll(stored);
  const chain = startChain();
  const [again = ''] = take(chain);
  expect(again.slice(23)).toBe(`65-${65 + line('one', 1).length}`);
  expect(again.slice(0, 22)).toBe(byTime.slice(0, 22));
  chain.close();
});

test('a flush is due again when its task is discarded, for another log in its plan was replaced', () => {
  const open = line('open', 1).slice(0, -1);
  writeFileSync(live(), `${open}\n${open}`);
  const chain = startChain();
  advance(chain, chain.cut(1e9, nowMs), open.length + 1);
  advance(chain, chain.cut(1e9, nowMs), open.length + 1);
  nowMs += 1_000;
  expect(chain.isFlushDue(nowMs, 400)).toBe(true);
  chain.startDrain();
  chain.noteFlush(nowMs);
  expect(chain.isFlushDue(nowMs, 400)).toBe(false);
  chain.discardDrain();
  expect(chain.isFlushDue(nowMs, 400)).toBe(true);
  chain.close();
});

test('a read that failed is tried again, also when it was to flush', () => {
  writeFileSync(live(), line('whole', 1));
  const chain = startChain();
  const fail = () => {
    const cut = chain.cut(1e9, nowMs);
    const consumed = cut.segments.map(({ start }) => start);
    chain.advance(cut, { consumed, more: false, readError: 'EIO' }, (nowMs += 1));
  };
  fail();
  for (let times = 0; times < 3; times += 1) {
    expect([chain.waiting, chain.isFlushDue(nowMs, 400)]).toEqual([true, false]);
    nowMs += 400;
    expect(chain.isFlushDue(nowMs, 400)).toBe(true);
    chain.noteFlush(nowMs);
    fail();
  }
  chain.close();
});

test('what was planned of a file counts no more once a look found another log in its place', () => {
  const banner = `${'x'.repeat(300)}\n`;
  writeFileSync(live(), banner + line('one', 1));
  const chain = startChain();
  const cut = chain.cut(1e9, nowMs);
  expect(verifyCut(cut)).toBe(true);
  chain.startDrain();
  writeFileSync(live(), banner + line('two', 1)); // As long as the one before, and begins alike.
  look(chain);
  expect(chain.live).not.toBe(cut.files[0]);
  // The encoder reads now: bytes of the second log, for the first.
  expect(verifyCut(cut)).toBe(false);
  chain.discardDrain();
  expect(take(chain)).toEqual([`${chain.live?.identity?.idPrefix} 0-${cut.segments[0]?.end}`]);
  chain.close();
});
