import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { Chain } from '../../src/tail/chain.ts';
import type { TailSetup } from '../../src/tail/tail-setup.ts';
import { acknowledgeAll } from './acknowledge.ts';
import { restoreTemplate } from '../../src/encode/entries/entry-template.ts';
import { TailedContainer } from '../../src/tail/tailed-container.ts';
import { WakeList } from '../../src/tail/wake.ts';
import { eventually } from '../support/eventually.ts';
import { makeTailSetup } from './tail-fixture.ts';

const tickMs = 1_000;
const partialFlushMs = 5_000;
let root: string;
let nowMs: number;
let list: WakeList;
let setup: TailSetup;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wake-'));
  nowMs = Date.now();
  list = new WakeList(tickMs);
  setup = makeTailSetup(root);
});
afterEach(() => {
  list.close();
  rmSync(root, { recursive: true, force: true });
});

const line = '2024-03-05T14:07:00Z stdout F x\n';

function makeContainer(name: string): TailedContainer {
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
  chain.addLink(name);
  const log = { linkPath: name, directory, fileName: '0.log', format: 'cri' } as const;
  const template = restoreTemplate({ project: 'p' }, { resource: '{}', labels: '' });
  return new TailedContainer(chain, { ...log, name: undefined }, { template });
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

/** Reads everything and ticks until the container is idle. */
function makeIdle({ chain }: TailedContainer): void {
  for (let ticks = 0; ticks < 20 && list.busyCount > 0; ticks += 1) {
    tick();
    takeAll(chain);
  }
}

test('a container without news becomes idle, and its next write wakes it through inotify', async () => {
  const container = makeContainer('a');
  list.wake(container);
  makeIdle(container);
  expect([list.busyCount, list.idleCount]).toEqual([0, 1]);
  appendFileSync(join(root, 'a', '0.log'), line);
  await eventually(() => expect(list.busyCount).toBe(1));
  expect(list.wakeUps).toBe(1);
  tick();
  expect(container.chain.unread).toBe(line.length);
});

test('a container with unread or unanswered bytes stays busy', () => {
  const container = makeContainer('a');
  list.wake(container);
  for (let ticks = 0; ticks < limits.idleLooks * 3; ticks += 1) tick();
  expect(list.busyCount).toBe(1);
});

test('a container whose rest is the beginning of a line becomes idle when that was flushed, not before', () => {
  const container = makeContainer('a');
  list.wake(container);
  tick();
  const { chain } = container;
  takeAll(chain);
  appendFileSync(join(root, 'a', '0.log'), '2024-03-05T14:07:00Z stdo');
  tick();
  const takeNothing = () => {
    const cut = chain.cut(1e9, Date.now());
    chain.advance(cut, { consumed: cut.segments.map(({ start }) => start), more: false }, nowMs);
  };
  takeNothing();
  // The endpoint is down, and all bodies wait for its answer: none is free for a flush.
  for (let ticks = 0; ticks < (5 * partialFlushMs) / tickMs; ticks += 1) tick();
  expect(list.busyCount).toBe(1);
  expect(chain.isFlushDue(nowMs, partialFlushMs)).toBe(true);
  chain.noteFlush(nowMs);
  takeNothing(); // A hole, perhaps.
  for (let ticks = 0; ticks <= limits.idleLooks; ticks += 1) tick();
  expect(list.busyCount).toBe(0);
});

test('a container that cannot be watched is looked at by the clock, with back-off', () => {
  const container = makeContainer('a');
  list.wake(container);
  makeIdle(container);
  rmSync(join(root, 'a', '0.log'));
  // The file is gone while the container is busy: there is nothing to watch when it becomes idle.
  list.wake(container);
  makeIdle(container);
  for (let ticks = 0; ticks < 10 && list.busyCount > 0; ticks += 1) tick();
  expect(list.watchErrors).toBe(1);
  writeFileSync(join(root, 'a', '0.log'), line);
  for (let ticks = 0; ticks <= limits.idlePollMaxMs / tickMs && list.busyCount === 0; ticks += 1) {
    tick();
  }
  expect(list.busyCount).toBe(1);
});

test('the sweep looks at every idle container within its period, though no event ever comes', () => {
  const containers = ['a', 'b', 'c', 'd', 'e'].map(makeContainer);
  const looks = new Map(containers.map(({ chain }) => [chain, vi.spyOn(chain, 'look')]));
  for (const container of containers) {
    list.wake(container);
    makeIdle(container);
  }
  expect(list.idleCount).toBe(containers.length);
  for (const look of looks.values()) look.mockClear();
  for (let ticks = 0; ticks <= limits.idleSweepMs / tickMs; ticks += 1) tick();
  for (const look of looks.values()) expect(look).toHaveBeenCalled();
});

test('a container that writes little is looked at in one of some ticks, one that writes much in each', () => {
  list.close();
  list = new WakeList(tickMs, 4);
  const [small, large] = [makeContainer('small'), makeContainer('large')];
  const looks = [small, large].map(({ chain }) => vi.spyOn(chain, 'look'));
  for (const container of [small, large]) list.wake(container);
  for (let count = 0; count < 12; count++) {
    // The first look finds what was there before.
    if (count === 4) for (const look of looks) look.mockClear();
    appendFileSync(join(root, 'small', '0.log'), line);
    appendFileSync(join(root, 'large', '0.log'), line.repeat(500));
    list.tick(nowMs, partialFlushMs);
    for (const { chain } of [small, large]) {
      for (const file of chain.files) {
        const { offset, size, unread } = file;
        if (unread === 0) continue;
        file.drained(size, undefined);
        chain.acknowledge(file, file.begin({ start: offset, fallbackTime: '' }));
      }
    }
    nowMs += tickMs;
  }
  expect(looks.map(({ mock }) => mock.calls.length)).toEqual([2, 8]);
  // What is not acknowledged, and a container that is going, is looked at in each.
  small.chain.removeLink('small');
  list.wake(small);
  tick();
  tick();
  expect(looks[0]?.mock.calls.length).toBe(4);
});
