// Copies of deleted files, with the file system failing at each step of making and reading one.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { fitHeldFiles } from '../../src/tail/held-budget.ts';
import type { KnownOffset } from '../../src/tail/tail-setup.ts';
import { FaultyFs, type CallKind, type FaultyOptions } from '../support/faulty-fs.ts';
import { lineOf, OrphanScene } from './orphan-scene.ts';

const callsMax = 300;

const text = Array.from({ length: 9_000 }, (_, index) => lineOf(index)).join('');

let root: string;
let scene: OrphanScene;
let faulty: FaultyFs | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'orphans-'));
  fresh();
});
afterEach(() => {
  faulty?.restore();
  faulty = undefined;
  rmSync(root, { recursive: true, force: true });
});

function fresh(): void {
  rmSync(root, { recursive: true, force: true });
  scene = new OrphanScene(root, text);
}

/** From now on. */
function makeFaulty(options: FaultyOptions): FaultyFs {
  scene.faulty = faulty = new FaultyFs(options);
  return faulty;
}

async function readAfterRestart(): Promise<string> {
  const { stored, faulty: stillFaulty } = scene;
  scene = new OrphanScene(root, text);
  Object.assign(scene, { stored, faulty: stillFaulty });
  const { text: all, sources } = await scene.readAgain();
  for (const source of sources) expect(source).toEqual(scene.source);
  return all;
}

describe('a copy of a deleted file', () => {
  test.each([0, 100, 300, 20_000, 200_000])(
    'holds what %i acknowledged bytes leave',
    async (bytes) => {
      const chain = scene.makeDeleted(bytes);
      const spooler = scene.makeSpooler();
      await scene.keep(spooler, chain);
      const kept = spooler.orphans.counters.copiedBytes;
      expect(kept).toBeLessThanOrEqual(text.length - bytes + limits.lookBackBytes + 256);
      expect(spooler.orphans.heldBytes).toBe(kept);
      chain.close();
      expect(await readAfterRestart()).toBe(text.slice(bytes));
      expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
    },
  );

  test('goes on at the position that was stored after it was made', async () => {
    const chain = scene.makeDeleted(5_000);
    await scene.keep(scene.makeSpooler(), chain);
    scene.read(chain, 10_000);
    scene.stored = [chain.files[0]?.checkpoint() as KnownOffset];
    chain.close();
    expect(await readAfterRestart()).toBe(text.slice(15_000));
  });

  test('is read on at once, by the task that comes next, and removed at its end', async () => {
    const chain = scene.makeDeleted(5_000);
    const spooler = scene.makeSpooler();
    await scene.keep(spooler, chain);
    expect(chain.files[0]?.inode).toBe(0);
    expect(scene.read(chain)).toBe(text.slice(5_000));
    chain.look(scene.nowMs);
    await scene.keep(spooler, chain);
    expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
    expect(chain.files).toEqual([]);
    expect(scene.setup.openFiles.count).toBe(0);
  });

  test('stays until the position behind its last byte is saved', async () => {
    const chain = scene.makeDeleted(5_000);
    const spooler = scene.makeSpooler();
    await scene.keep(spooler, chain);
    scene.read(chain);
    // The agent's tick, and the timer between two, come before the positions are saved.
    spooler.orphans.keep(
      () => [],
      () => undefined,
    );
    await spooler.orphans.keepAll([], 60_000);
    expect(readdirSync(join(scene.state, 'orphans'))).toHaveLength(2);
    spooler.orphans.sweep();
    expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
    chain.close();
  });

  test('is not made while a task reads the original, which stays open until it answers', async () => {
    const chain = scene.makeDeleted(5_000);
    const { fd } = chain.files[0] ?? {};
    const spooler = scene.makeSpooler();
    chain.startDrain();
    await scene.keep(spooler, chain);
    expect(chain.files[0]?.fd).toBe(fd);
    chain.discardDrain();
    await scene.keep(spooler, chain);
    expect(chain.files[0]?.fd).not.toBe(fd);
    chain.close();
    expect(await readAfterRestart()).toBe(text.slice(5_000));
  });

  test('past the budget waits while a task reads it: no younger one is dropped in its place', () => {
    const [older, younger] = [scene.makeDeleted(0), scene.makeDeleted(0)];
    const fit = () =>
      fitHeldFiles(
        [older, younger].map((chain) => ({ chain })),
        { bytesMax: text.length, ageMaxMs: 1e9 },
        scene.nowMs,
      );
    older.startDrain();
    fit();
    expect(scene.lost).toEqual([]);
    older.discardDrain();
    fit();
    expect(scene.lost).toEqual([{ reason: 'held_bytes', bytes: text.length }]);
    expect(scene.read(younger)).toBe(text);
  });

  test('counts with what it stores against the budget, and is dropped past it', async () => {
    const chain = scene.makeDeleted(200_000);
    const spooler = scene.makeSpooler();
    await scene.keep(spooler, chain);
    const { heldBytes } = spooler.orphans;
    fitHeldFiles([{ chain }], { bytesMax: heldBytes, ageMaxMs: 1e9 }, scene.nowMs);
    expect(scene.lost).toEqual([]);
    fitHeldFiles([{ chain }], { bytesMax: heldBytes - 1, ageMaxMs: 1e9 }, scene.nowMs);
    expect(scene.lost).toEqual([{ reason: 'held_bytes', bytes: text.length - 200_000 }]);
    await scene.keep(spooler, chain);
    expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
  });
});

function expectNoneOpen(at: string): void {
  const twice = faulty?.closedTwice;
  const open = [...(faulty?.open.values() ?? [])];
  expect({ at, open, twice }).toEqual({ at, open: [], twice: [] });
  expect({ at, count: scene.setup.openFiles.count }).toEqual({ at, count: 0 });
}

const kinds: readonly CallKind[] = ['open', 'read', 'write', 'stat', 'close', 'sync', 'name'];

describe('whichever call fails', () => {
  test.each(['EIO', 'ENOSPC'])(
    'while a copy is made (%s), nothing is lost or leaked',
    async (code) => {
      for (let failAt = 1; failAt < callsMax; failAt += 1) {
        fresh();
        faulty = makeFaulty({ failAt, kinds, code });
        faulty.isArmed = false;
        const chain = scene.makeDeleted(5_000);
        const spooler = scene.makeSpooler();
        faulty.isArmed = true;
        await scene.keep(spooler, chain);
        faulty.isArmed = false;
        const at = `call ${failAt}, ${faulty.failed}`;
        // Whether it is held open or copied: it is all there.
        await scene.keep(spooler, chain);
        expect({ at, rest: scene.read(chain) === text.slice(5_000) }).toEqual({ at, rest: true });
        chain.look(scene.nowMs);
        await scene.keep(spooler, chain);
        expectNoneOpen(at);
        expect(scene.lost).toEqual([]);
        const folder = join(scene.state, 'orphans');
        const names = existsSync(folder) ? readdirSync(folder) : [];
        expect({ at, names }).toEqual({ at, names: [] });
        faulty.restore();
        if (faulty.failed === undefined) return;
      }
      expect.fail(`more than ${callsMax} calls`);
    },
  );

  test('while one is read after a restart, all of it is read in the end', async () => {
    for (let failAt = 1; failAt < callsMax; failAt += 1) {
      fresh();
      const chain = scene.makeDeleted(5_000);
      await scene.keep(scene.makeSpooler(), chain);
      chain.close();
      faulty = makeFaulty({ failAt, kinds: ['open', 'read', 'close'] });
      const all = await readAfterRestart();
      const at = `call ${failAt}, ${faulty.failed}`;
      expectNoneOpen(at);
      expect({ at, isWhole: all === text.slice(5_000) }).toEqual({ at, isWhole: true });
      faulty.restore();
      if (faulty.failed === undefined) return;
    }
    expect.fail(`more than ${callsMax} calls`);
  });

  test('of a state directory that is full, the file stays open, is told, and copied later', async () => {
    const chain = scene.makeDeleted(0);
    const spooler = scene.makeSpooler();
    faulty = makeFaulty({ failAt: 0, kinds: ['write'], code: 'ENOSPC', isLasting: true });
    await scene.keep(spooler, chain);
    faulty.restore();
    expect(spooler.orphans.counters).toMatchObject({ copiedBytes: 0, failures: 1 });
    expect(scene.reports.join()).toMatch(
      /STATE_UNWRITABLE .*0\.log was deleted and is held open only: ENOSPC/,
    );
    expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
    expect(chain.files[0]?.fd).toBeDefined();
    await scene.keep(spooler, chain);
    chain.close();
    expect(await readAfterRestart()).toBe(text);
  });

  test('of a copy that the disk has not taken, the original is copied again', async () => {
    const chain = scene.makeDeleted(5_000);
    const spooler = scene.makeSpooler();
    faulty = makeFaulty({ failAt: 1, kinds: ['sync'], code: 'ENOSPC' });
    await scene.keep(spooler, chain);
    faulty.restore();
    expect(faulty.failed).toBe('fsync');
    expect(spooler.orphans.counters.failures).toBe(1);
    expect(scene.reports.join()).toMatch(/STATE_UNWRITABLE .*held open only: ENOSPC/);
    // What the kernel could not write it may have dropped, and it says so once.
    const folder = join(scene.state, 'orphans');
    for (const file of readdirSync(folder)) truncateSync(join(folder, file));
    const laterMs = performance.now() + limits.spoolRetryMs;
    vi.spyOn(performance, 'now').mockReturnValue(laterMs);
    await scene.keep(spooler, chain);
    vi.restoreAllMocks();
    expect(scene.read(chain)).toBe(text.slice(5_000));
  });

  test.each(['the state directory', 'only the copies'])(
    'is made again of itself when somebody removes %s',
    async (what) => {
      const chain = scene.makeDeleted(5_000);
      const spooler = scene.makeSpooler();
      await scene.keep(spooler, chain);
      const folder = join(scene.state, 'orphans');
      const first = readdirSync(folder);
      if (what === 'the state directory') rmSync(scene.state, { recursive: true });
      else for (const file of first) rmSync(join(folder, file));
      await scene.keep(spooler, chain); // As at the end of the agent.
      expect(readdirSync(folder)).toHaveLength(first.length);
      chain.close();
      expect(await readAfterRestart()).toBe(text.slice(5_000));
    },
  );

  test('of an earlier run that somebody removes is lost, and told, and holds up nothing', async () => {
    const chain = scene.makeDeleted(5_000);
    await scene.keep(scene.makeSpooler(), chain);
    chain.close();
    scene = new OrphanScene(root, text);
    const spooler = scene.makeSpooler();
    const next = scene.makeChain();
    for (const each of spooler.orphans.list()) {
      spooler.orphans.adopt(next.restore(each, scene.nowMs), next, each);
    }
    rmSync(scene.state, { recursive: true });
    next.look((scene.nowMs += limits.spoolRetryMs));
    await spooler.start([{ chain: next }], scene.nowMs);
    expect(scene.lost).toEqual([{ reason: 'damaged', bytes: text.length - 5_000 }]);
    expect(scene.reports.join()).toContain('ORPHAN_CORRUPT');
    next.close();
  });

  test('while copies of an earlier run are listed, none is lost, and the agent starts', async () => {
    for (let failAt = 1; failAt < callsMax; failAt += 1) {
      fresh();
      const chain = scene.makeDeleted(5_000);
      await scene.keep(scene.makeSpooler(), chain);
      chain.close();
      const unfinished = ['x-1.log', 'x-2.json.tmp', 'x-2.log'].map((file) =>
        join(scene.state, 'orphans', file),
      );
      for (const file of unfinished) writeFileSync(file, 'half of it');
      const spooler = scene.makeSpooler();
      faulty = makeFaulty({ failAt, kinds: ['stat', 'name'], code: 'EROFS', isLasting: true });
      const found = spooler.orphans.list().length;
      faulty.restore();
      const at = `call ${failAt}, ${faulty.failed}`;
      const isTold = scene.reports.length === 1 && spooler.orphans.counters.failures === 1;
      expect({ at, isKnown: found === 1 || isTold }).toEqual({ at, isKnown: true });
      const all = await readAfterRestart();
      expect({ at, isWhole: all === text.slice(5_000) }).toEqual({ at, isWhole: true });
      expect(readdirSync(join(scene.state, 'orphans'))).toEqual([]);
      if (faulty.failed === undefined) return;
    }
    expect.fail(`more than ${callsMax} calls`);
  });
});

test('of more copies than one start takes over, none is removed', async () => {
  const chain = scene.makeDeleted(text.length - lineOf(8_999).length);
  await scene.keep(scene.makeSpooler(), chain);
  chain.close();
  const folder = join(scene.state, 'orphans');
  const [first = ''] = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const bytes = readFileSync(join(folder, first));
  const count = limits.orphansFoundMax + 10;
  for (let number = 1; number < count; number += 1) {
    writeFileSync(join(folder, `x-${number}.json`), bytes);
    writeFileSync(join(folder, `x-${number}.log`), '');
  }
  const { orphans } = scene.makeSpooler();
  expect(orphans.list()).toHaveLength(limits.orphansFoundMax);
  expect(readdirSync(folder)).toHaveLength(2 * count);
  expect(orphans.counters.damaged).toBe(0);
});

test('a file that comes back while another is copied is not copied, nor old', async () => {
  mkdirSync(scene.directory, { recursive: true });
  const names = ['0.log.20260706-120000', '0.log.20260706-120100', '0.log'];
  const linesOf = (at: number) =>
    text.slice(at * 200_000).slice(text.slice(at * 200_000).indexOf('\n') + 1);
  for (const [at, each] of names.entries()) writeFileSync(join(scene.directory, each), linesOf(at));
  const chain = scene.makeChain();
  chain.addLink('x');
  const looks = () => {
    for (let times = 0; times < 3; times += 1) chain.look((scene.nowMs += 1_001));
  };
  looks();
  const away = join(root, 'away');
  mkdirSync(away);
  const rotated = names.slice(0, 2);
  for (const each of rotated) renameSync(join(scene.directory, each), join(away, each));
  looks();
  const spooler = scene.makeSpooler();
  const work = scene.keep(spooler, chain);
  while (!chain.isCopying) await Promise.resolve();
  for (const each of rotated) renameSync(join(away, each), join(scene.directory, each));
  chain.look((scene.nowMs += 1_001));
  await work;
  for (const { record } of scene.makeSpooler().orphans.list()) {
    expect(Date.now() - record.deletedAtMs).toBeLessThan(60_000);
  }
  expect(chain.files.filter(({ spool }) => spool.keptBytes !== undefined)).toHaveLength(1);
  chain.close();
});
