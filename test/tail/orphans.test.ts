// Copies of deleted files, with the file system failing at each step of making and reading one.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { restoreTemplate } from '../../src/encode/entries/entry-template.ts';
import { steadyNowMs } from '../../src/steady-clock.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Chain } from '../../src/tail/chain.ts';
import { fitHeldFiles } from '../../src/tail/held-budget.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { KnownOffset, TailSetup } from '../../src/tail/tail-setup.ts';
import { FaultyFs, type CallKind } from '../support/faulty-fs.ts';
import { makeTailSetup } from './tail-fixture.ts';

const callsMax = 300;

let root: string;
let directory: string;
let state: string;
let reports: string[];
let lost: { reason: string; bytes: number }[];
let stored: KnownOffset[];
let setup: TailSetup;
let nowMs: number;
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
  directory = join(root, 'pods', 'ns_pod_uid', 'api');
  state = join(root, 'state');
  mkdirSync(directory, { recursive: true });
  mkdirSync(state);
  reports = [];
  lost = [];
  stored = [];
  nowMs = steadyNowMs() - 10_000;
  setup = makeTailSetup(join(root, 'pods'), {
    lookup: () => stored,
    lost: ({ reason, bytes }) => lost.push({ reason, bytes }),
    report: (code, text) => reports.push(`${code} ${text}`),
  });
}

const line = (number: number) =>
  `2024-03-05T14:07:00.${String(number).padStart(9, '0')}Z stdout F line ${'x'.repeat(number % 90)}\n`;
const text = Array.from({ length: 9_000 }, (_, index) => line(index)).join('');

const name = { namespace: 'ns', pod: 'pod', container: 'api', podUid: 'uid', restartCount: 0 };
const source = () => ({
  log: { linkPath: 'x', directory, fileName: '0.log', format: 'cri', name } as const,
  workload: { resource: '{"type":"k8s_container"}', labels: '"k8s-pod/app":"web"' },
  annotations: { 'tailship.dev/rate-limit': '1Mi' },
});

function makeChain(): Chain {
  const place = { directory, liveName: '0.log', format: 'cri', podUid: 'uid' } as const;
  return new Chain({ ...place, container: 'api', restartCount: 0 }, setup);
}

function makeSpooler(): Spooler {
  const report = (code: string, told: string) => reports.push(`${code} ${told}`);
  return new Spooler({ directory: state, roots: setup.roots, report });
}

/** Reads up to `bytes`, and has them acknowledged; returns what was read. */
function read(chain: Chain, bytes = 1e9): string {
  const cut = chain.cut(bytes, nowMs);
  chain.startDrain();
  const wasArmed = faulty?.isArmed === true;
  if (faulty !== undefined) faulty.isArmed = false; // The worker's reads are another matter.
  const pieces = cut.segments.map(({ fd, start, end }) => {
    const piece = Buffer.alloc(end - start);
    readSync(fd, piece, 0, piece.length, start);
    return piece.toString();
  });
  if (faulty !== undefined) faulty.isArmed = wasArmed;
  chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
  for (const [at, file] of cut.files.entries()) {
    const segment = cut.segments[at];
    if (segment !== undefined) file.acknowledge(file.begin(segment));
  }
  return pieces.join('');
}

/** A pod whose log was read in part, and that was deleted some seconds ago. */
function makeDeleted(readBytes: number): Chain {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, '0.log'), text);
  const chain = makeChain();
  chain.look(nowMs);
  if (readBytes > 0) read(chain, readBytes);
  rmSync(directory, { recursive: true });
  for (let times = 0; times < 3; times += 1) chain.look((nowMs += 1_001));
  return chain;
}

async function keep(spooler: Spooler, chain: Chain): Promise<void> {
  const { log: containerLog, workload, annotations } = source();
  const base = restoreTemplate({ project: 'p' }, workload);
  spooler.orphans.sweep();
  await spooler.orphans.keepAll([{ containerLog, annotations, base, chain }], 60_000);
}

/** What another run finds and reads; the copies are removed when it is read. */
async function readAfterRestart(): Promise<string> {
  setup = { ...setup, openFiles: new OpenFiles(100) };
  const spooler = makeSpooler();
  const chain = makeChain();
  for (const found of spooler.orphans.list()) {
    expect(found.record.source).toEqual(source());
    spooler.orphans.adopt(chain.restore(found, nowMs), chain, found);
  }
  let all = '';
  for (let step = 0; step < 6; step += 1) {
    chain.look((nowMs += limits.spoolRetryMs));
    await spooler.start([{ chain }], nowMs);
    all += read(chain);
  }
  chain.look(nowMs);
  await keep(spooler, chain);
  chain.close();
  return all;
}

describe('a copy of a deleted file', () => {
  test.each([0, 100, 300, 20_000, 200_000])(
    'holds what %i acknowledged bytes leave',
    async (bytes) => {
      const chain = makeDeleted(bytes);
      const spooler = makeSpooler();
      await keep(spooler, chain);
      const kept = spooler.orphans.counters.copiedBytes;
      expect(kept).toBeLessThanOrEqual(text.length - bytes + limits.lookBackBytes + 256);
      expect(spooler.orphans.heldBytes).toBe(kept);
      chain.close();
      expect(await readAfterRestart()).toBe(text.slice(bytes));
      expect(readdirSync(join(state, 'orphans'))).toEqual([]);
    },
  );

  test('goes on at the position that was stored after it was made', async () => {
    const chain = makeDeleted(5_000);
    await keep(makeSpooler(), chain);
    read(chain, 10_000);
    stored = [chain.files[0]?.checkpoint() as KnownOffset];
    chain.close();
    expect(await readAfterRestart()).toBe(text.slice(15_000));
  });

  test('is read on at once, by the task that comes next, and removed at its end', async () => {
    const chain = makeDeleted(5_000);
    const spooler = makeSpooler();
    await keep(spooler, chain);
    expect(chain.files[0]?.inode).toBe(0);
    expect(read(chain)).toBe(text.slice(5_000));
    chain.look(nowMs);
    await keep(spooler, chain);
    expect(readdirSync(join(state, 'orphans'))).toEqual([]);
    expect(chain.files).toEqual([]);
    expect(setup.openFiles.count).toBe(0);
  });

  test('stays until the position behind its last byte is saved', async () => {
    const chain = makeDeleted(5_000);
    const spooler = makeSpooler();
    await keep(spooler, chain);
    read(chain);
    // The agent's tick, and the timer between two, come before the positions are saved.
    spooler.orphans.keep(
      () => [],
      () => undefined,
    );
    await spooler.orphans.keepAll([], 60_000);
    expect(readdirSync(join(state, 'orphans'))).toHaveLength(2);
    spooler.orphans.sweep();
    expect(readdirSync(join(state, 'orphans'))).toEqual([]);
    chain.close();
  });

  test('is not made while a task reads the original, which stays open until it answers', async () => {
    const chain = makeDeleted(5_000);
    const { fd } = chain.files[0] ?? {};
    const spooler = makeSpooler();
    chain.startDrain();
    await keep(spooler, chain);
    expect(chain.files[0]?.fd).toBe(fd);
    chain.discardDrain();
    await keep(spooler, chain);
    expect(chain.files[0]?.fd).not.toBe(fd);
    chain.close();
    expect(await readAfterRestart()).toBe(text.slice(5_000));
  });

  test('past the budget waits while a task reads it: no younger one is dropped in its place', () => {
    const [older, younger] = [makeDeleted(0), makeDeleted(0)];
    const fit = () =>
      fitHeldFiles(
        [older, younger].map((chain) => ({ chain })),
        { bytesMax: text.length, ageMaxMs: 1e9 },
        nowMs,
      );
    older.startDrain();
    fit();
    expect(lost).toEqual([]);
    older.discardDrain();
    fit();
    expect(lost).toEqual([{ reason: 'held_bytes', bytes: text.length }]);
    expect(read(younger)).toBe(text);
  });

  test('counts with what it stores against the budget, and is dropped past it', async () => {
    const chain = makeDeleted(200_000);
    const spooler = makeSpooler();
    await keep(spooler, chain);
    const { heldBytes } = spooler.orphans;
    fitHeldFiles([{ chain }], { bytesMax: heldBytes, ageMaxMs: 1e9 }, nowMs);
    expect(lost).toEqual([]);
    fitHeldFiles([{ chain }], { bytesMax: heldBytes - 1, ageMaxMs: 1e9 }, nowMs);
    expect(lost).toEqual([{ reason: 'held_bytes', bytes: text.length - 200_000 }]);
    await keep(spooler, chain);
    expect(readdirSync(join(state, 'orphans'))).toEqual([]);
  });
});

function expectNoneOpen(at: string): void {
  const twice = faulty?.closedTwice;
  const open = [...(faulty?.open.values() ?? [])];
  expect({ at, open, twice }).toEqual({ at, open: [], twice: [] });
  expect({ at, count: setup.openFiles.count }).toEqual({ at, count: 0 });
}

const kinds: readonly CallKind[] = ['open', 'read', 'write', 'stat', 'close', 'sync', 'name'];

describe('whichever call fails', () => {
  test.each(['EIO', 'ENOSPC'])(
    'while a copy is made (%s), nothing is lost or leaked',
    async (code) => {
      for (let failAt = 1; failAt < callsMax; failAt += 1) {
        fresh();
        faulty = new FaultyFs({ failAt, kinds, code });
        faulty.isArmed = false;
        const chain = makeDeleted(5_000);
        const spooler = makeSpooler();
        faulty.isArmed = true;
        await keep(spooler, chain);
        faulty.isArmed = false;
        const at = `call ${failAt}, ${faulty.failed}`;
        // Whether it is held open or copied: it is all there.
        await keep(spooler, chain);
        expect({ at, rest: read(chain) === text.slice(5_000) }).toEqual({ at, rest: true });
        chain.look(nowMs);
        await keep(spooler, chain);
        expectNoneOpen(at);
        expect(lost).toEqual([]);
        const folder = join(state, 'orphans');
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
      const chain = makeDeleted(5_000);
      await keep(makeSpooler(), chain);
      chain.close();
      faulty = new FaultyFs({ failAt, kinds: ['open', 'read', 'close'] });
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
    const chain = makeDeleted(0);
    const spooler = makeSpooler();
    faulty = new FaultyFs({ failAt: 0, kinds: ['write'], code: 'ENOSPC', isLasting: true });
    await keep(spooler, chain);
    faulty.restore();
    expect(spooler.orphans.counters).toMatchObject({ copiedBytes: 0, failures: 1 });
    expect(reports.join()).toMatch(
      /STATE_UNWRITABLE .*0\.log was deleted and is held open only: ENOSPC/,
    );
    expect(readdirSync(join(state, 'orphans'))).toEqual([]);
    expect(chain.files[0]?.fd).toBeDefined();
    await keep(spooler, chain);
    chain.close();
    expect(await readAfterRestart()).toBe(text);
  });

  test('of a copy that the disk has not taken, the original is copied again', async () => {
    const chain = makeDeleted(5_000);
    const spooler = makeSpooler();
    faulty = new FaultyFs({ failAt: 1, kinds: ['sync'], code: 'ENOSPC' });
    await keep(spooler, chain);
    faulty.restore();
    expect(faulty.failed).toBe('fsync');
    expect(spooler.orphans.counters.failures).toBe(1);
    expect(reports.join()).toMatch(/STATE_UNWRITABLE .*held open only: ENOSPC/);
    // What the kernel could not write it may have dropped, and it says so once.
    const folder = join(state, 'orphans');
    for (const file of readdirSync(folder)) truncateSync(join(folder, file));
    const laterMs = performance.now() + limits.spoolRetryMs;
    vi.spyOn(performance, 'now').mockReturnValue(laterMs);
    await keep(spooler, chain);
    vi.restoreAllMocks();
    expect(read(chain)).toBe(text.slice(5_000));
  });

  test('while copies of an earlier run are listed, none is lost, and the agent starts', async () => {
    for (let failAt = 1; failAt < callsMax; failAt += 1) {
      fresh();
      const chain = makeDeleted(5_000);
      await keep(makeSpooler(), chain);
      chain.close();
      const unfinished = ['x-1.log', 'x-2.json.tmp', 'x-2.log'].map((file) =>
        join(state, 'orphans', file),
      );
      for (const file of unfinished) writeFileSync(file, 'half of it');
      const spooler = makeSpooler();
      faulty = new FaultyFs({ failAt, kinds: ['stat', 'name'], code: 'EROFS', isLasting: true });
      const found = spooler.orphans.list().length;
      faulty.restore();
      const at = `call ${failAt}, ${faulty.failed}`;
      const isTold = reports.length === 1 && spooler.orphans.counters.failures === 1;
      expect({ at, isKnown: found === 1 || isTold }).toEqual({ at, isKnown: true });
      const all = await readAfterRestart();
      expect({ at, isWhole: all === text.slice(5_000) }).toEqual({ at, isWhole: true });
      expect(readdirSync(join(state, 'orphans'))).toEqual([]);
      if (faulty.failed === undefined) return;
    }
    expect.fail(`more than ${callsMax} calls`);
  });
});

test('of more copies than one start takes over, none is removed', async () => {
  const chain = makeDeleted(text.length - line(8_999).length);
  await keep(makeSpooler(), chain);
  chain.close();
  const folder = join(state, 'orphans');
  const [first = ''] = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const bytes = readFileSync(join(folder, first));
  const count = limits.orphansFoundMax + 10;
  for (let number = 1; number < count; number += 1) {
    writeFileSync(join(folder, `x-${number}.json`), bytes);
    writeFileSync(join(folder, `x-${number}.log`), '');
  }
  const { orphans } = makeSpooler();
  expect(orphans.list()).toHaveLength(limits.orphansFoundMax);
  expect(readdirSync(folder)).toHaveLength(2 * count);
  expect(orphans.counters.damaged).toBe(0);
});

test('a file that comes back while another is copied is not copied, nor old', async () => {
  mkdirSync(directory, { recursive: true });
  const names = ['0.log.20260706-120000', '0.log.20260706-120100', '0.log'];
  const linesOf = (at: number) =>
    text.slice(at * 200_000).slice(text.slice(at * 200_000).indexOf('\n') + 1);
  for (const [at, each] of names.entries()) writeFileSync(join(directory, each), linesOf(at));
  const chain = makeChain();
  chain.addLink('x');
  const looks = () => {
    for (let times = 0; times < 3; times += 1) chain.look((nowMs += 1_001));
  };
  looks();
  const away = join(root, 'away');
  mkdirSync(away);
  const rotated = names.slice(0, 2);
  for (const each of rotated) renameSync(join(directory, each), join(away, each));
  looks();
  const spooler = makeSpooler();
  const work = keep(spooler, chain);
  while (!chain.isCopying) await Promise.resolve();
  for (const each of rotated) renameSync(join(away, each), join(directory, each));
  chain.look((nowMs += 1_001));
  await work;
  for (const { record } of makeSpooler().orphans.list()) {
    expect(Date.now() - record.deletedAtMs).toBeLessThan(60_000);
  }
  expect(chain.files.filter(({ spool }) => spool.keptBytes !== undefined)).toHaveLength(1);
  chain.close();
});
