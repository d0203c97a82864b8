import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { Chain } from '../../src/tail/chain.ts';
import type { TailSetup } from '../../src/tail/tail-setup.ts';
import { acknowledgeAll } from './acknowledge.ts';
import { WakeList } from '../../src/tail/wake.ts';

const tickMs = 1_000;
const partialFlushMs = 5_000;
let root: string;
let nowMs: number;
let woken: number;
let list: WakeList;
let setup: TailSetup;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wake-'));
  nowMs = Date.now();
  woken = 0;
  list = new WakeList(tickMs, () => (woken += 1));
  setup = {
    roots: [root],
    openFiles: { count: 0, max: 100 },
    from: 'start',
    once: false,
    lookup: () => [],
    forget: () => undefined,
    remember: () => undefined,
    makeRoom: () => undefined,
    lost: () => undefined,
    report: () => undefined,
  };
});
afterEach(() => {
  list.close();
  rmSync(root, { recursive: true, force: true });
});

const line = '2024-03-05T14:07:00Z stdout F x\n';

function makeChain(name: string): Chain {
  const directory = join(root, name);
  mkdirSync(directory);
  writeFileSync(join(directory, '0.log'), line);
  const place = {
    directory,
    liveName: '0.log',
    format: 'cri',
    podUid: name,
    container: 'c',
    restartCount: 0,
  } as const;
  const chain = new Chain(place, setup);
  chain.links.add(name);
  return chain;
}

function takeAll(chain: Chain): void {
  const cut = chain.cut(1e9, Date.now());
  chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
  acknowledgeAll(cut);
}

function tick(): void {
  nowMs += tickMs;
  list.tick(nowMs, partialFlushMs);
}

/** Reads everything and ticks until the chain is idle. */
function layToRest(chain: Chain): void {
  for (let ticks = 0; ticks < 20 && list.busyCount > 0; ticks += 1) {
    tick();
    takeAll(chain);
  }
}

test('a chain without news is laid to rest, and its next write wakes it through inotify', async () => {
  const chain = makeChain('a');
  list.wake(chain);
  layToRest(chain);
  expect([list.busyCount, list.idleCount]).toEqual([0, 1]);
  appendFileSync(join(root, 'a', '0.log'), line);
  await vi.waitFor(() => expect(list.busyCount).toBe(1));
  expect(woken).toBe(1);
  tick();
  expect(chain.unread).toBe(line.length);
});

test('a chain with unread or unanswered bytes stays busy', () => {
  const chain = makeChain('a');
  list.wake(chain);
  for (let ticks = 0; ticks < limits.idleLooks * 3; ticks += 1) tick();
  expect(list.busyCount).toBe(1);
});

test('a chain whose rest is the beginning of a line is laid to rest after it was offered for flushing', () => {
  const chain = makeChain('a');
  list.wake(chain);
  tick();
  takeAll(chain);
  appendFileSync(join(root, 'a', '0.log'), '2024-03-05T14:07:00Z stdo');
  tick();
  const cut = chain.cut(1e9, Date.now());
  chain.advance(cut, { consumed: cut.segments.map(({ start }) => start), more: false }, nowMs);
  for (let ticks = 0; ticks <= limits.idleLooks; ticks += 1) tick();
  expect(list.busyCount).toBe(1);
  for (let ticks = 0; ticks < (2 * partialFlushMs) / tickMs; ticks += 1) tick();
  expect(list.busyCount).toBe(0);
});

test('a chain that cannot be watched is looked at by the clock, with back-off', () => {
  const chain = makeChain('a');
  list.wake(chain);
  layToRest(chain);
  rmSync(join(root, 'a', '0.log'));
  // The file is gone while the chain is busy: there is nothing to watch when it is laid to rest.
  list.wake(chain);
  layToRest(chain);
  for (let ticks = 0; ticks < 10 && list.busyCount > 0; ticks += 1) tick();
  expect(list.counters.watchErrors).toBe(1);
  writeFileSync(join(root, 'a', '0.log'), line);
  for (let ticks = 0; ticks <= limits.idlePollMaxMs / tickMs && list.busyCount === 0; ticks += 1) {
    tick();
  }
  expect(list.busyCount).toBe(1);
});

test('the sweep looks at every idle chain within its period, though no event ever comes', () => {
  const chains = ['a', 'b', 'c', 'd', 'e'].map(makeChain);
  const looks = new Map(chains.map((chain) => [chain, vi.spyOn(chain, 'look')]));
  for (const chain of chains) {
    list.wake(chain);
    layToRest(chain);
  }
  expect(list.idleCount).toBe(chains.length);
  for (const look of looks.values()) look.mockClear();
  for (let ticks = 0; ticks <= limits.idleSweepMs / tickMs; ticks += 1) tick();
  for (const look of looks.values()) expect(look).toHaveBeenCalled();
});
