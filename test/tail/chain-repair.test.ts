// What attackers, operators and slow runtimes do to a container's files, and how a chain survives
// it.

import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { ChainCut } from '../../src/tail/chain-cut.ts';
import { Chain } from '../../src/tail/chain.ts';
import { fitHeldFiles } from '../../src/tail/held-budget.ts';
import type { Loss, TailSetup } from '../../src/tail/tail-setup.ts';
import { finishCut, readCut } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let reports: string[];
let losses: Pick<Loss, 'reason' | 'bytes'>[];
let store: OffsetStore;
let setup: TailSetup;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'repair-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  reports = [];
  losses = [];
  store = new OffsetStore();
  setup = makeTailSetup(root, {
    ...store.setup,
    lost: ({ reason, bytes }) => losses.push({ reason, bytes }),
    report: (code) => reports.push(code),
  });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const path = (fileName: string) => join(directory, fileName);
const line = (text: string, second = 0) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;
const rotated = '0.log.20240305-140721';

/** As the store does. */
function makeChain(format: 'cri' | 'raw' = 'cri'): Chain {
  const place = { directory, liveName: '0.log', podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, format, restartCount: 0 }, setup);
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

function look(chain: Chain, waitMs = 1): void {
  chain.look((nowMs += waitMs));
}

/** Looks often enough for superseded files to end, and for those that ended to be dropped. */
function settle(chain: Chain): void {
  for (let times = 0; times < 3; times += 1) look(chain, limits.settleMs + 1);
}

function finish(chain: Chain, cut: ChainCut): void {
  finishCut(chain, cut, { nowMs, store });
}

function take(chain: Chain): string {
  const cut = chain.cut(1e9, nowMs);
  const text = readCut(cut);
  finish(chain, cut);
  return text;
}

describe('while a task reads', () => {
  test('a truncated file keeps its descriptor, and what was read does not count', () => {
    writeFileSync(path('0.log'), line('old one') + line('old two'));
    const chain = makeChain();
    const cut = chain.cut(1e9, nowMs);
    chain.startDrain();
    const fd = cut.segments[0]?.fd ?? -1;
    const { ino } = fstatSync(fd);
    truncateSync(path('0.log'));
    appendFileSync(path('0.log'), line('new', 5));
    look(chain);
    // Were it closed, its number could be another file's by now.
    for (let times = 0; times < 4; times += 1) openSync(path('0.log'), 'r');
    expect(fstatSync(fd).ino).toBe(ino);
    expect(cut.files.map((file) => file.verify())).toEqual([false]);
    chain.discardDrain();
    expect(take(chain)).toBe(line('new', 5));
    expect(losses).toEqual([
      { reason: 'truncated', bytes: line('old one').length + line('old two').length },
    ]);
    settle(chain);
    expect(chain.files).toHaveLength(1);
    expect(setup.openFiles.count).toBe(1);
  });

  test('a file that was truncated and begins as it did before shows it by its length', () => {
    writeFileSync(path('0.log'), 'banner\n');
    const chain = makeChain('raw');
    appendFileSync(path('0.log'), 'old one\nold two\n');
    look(chain);
    const cut = chain.cut(1e9, nowMs);
    writeFileSync(path('0.log'), 'banner\nnew\n'); // Truncates, too.
    // The task may have read the new lines, which the next look gives to another log.
    expect(cut.files.map((file) => file.verify())).toEqual([false]);
  });

  test('a file that was truncated and is longer again shows it by its first line', () => {
    writeFileSync(path('0.log'), line('old'));
    const chain = makeChain();
    take(chain);
    appendFileSync(path('0.log'), line('more'));
    look(chain);
    const cut = chain.cut(1e9, nowMs);
    chain.startDrain();
    truncateSync(path('0.log'));
    appendFileSync(path('0.log'), line('new', 5) + line('and longer', 6) + line('than before', 7));
    expect(cut.files.map((file) => file.verify())).toEqual([false]);
    chain.discardDrain();
    expect(chain.cut(1e9, nowMs).bytes).toBe(0);
    look(chain);
    expect(take(chain)).toBe(line('new', 5) + line('and longer', 6) + line('than before', 7));
  });

  test('nothing of it is closed to make room, nor dropped by the budget', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    const cut = chain.cut(1e9, nowMs);
    chain.startDrain();
    rmSync(directory, { recursive: true });
    look(chain);
    chain.release({ unreadToo: true });
    fitHeldFiles([{ chain }], { bytesMax: 0, ageMaxMs: 0 }, nowMs + 10);
    expect(readCut(cut)).toBe(line('a'));
    finish(chain, cut);
    expect(losses).toEqual([]);
  });
});

describe('a file', () => {
  test('that is moved away and comes back before it was given up is read on', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    expect(take(chain)).toBe(line('a'));
    renameSync(path('0.log'), join(root, 'away'));
    look(chain);
    renameSync(join(root, 'away'), path('0.log'));
    settle(chain);
    appendFileSync(path('0.log'), line('b'));
    look(chain);
    expect(take(chain)).toBe(line('b'));
    expect(chain.files).toHaveLength(1);
  });

  test('that is deleted while its container runs is read on through its descriptor', () => {
    const writer = openSync(path('0.log'), 'a');
    appendFileSync(writer, line('a'));
    const chain = makeChain();
    expect(take(chain)).toBe(line('a'));
    unlinkSync(path('0.log'));
    settle(chain);
    appendFileSync(writer, line('written to a file without a name'));
    look(chain);
    expect(take(chain)).toBe(line('written to a file without a name'));
    closeSync(writer);
    // The kubelet has the runtime open it again.
    writeFileSync(path('0.log'), line('b', 9));
    settle(chain);
    expect(take(chain)).toBe(line('b', 9));
    settle(chain);
    expect(chain.files).toHaveLength(1);
  });

  test('that was rotated and is appended to after it was taken for ended is read on', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    renameSync(path('0.log'), path(rotated));
    writeFileSync(path('0.log'), line('b', 1));
    look(chain);
    expect(take(chain)).toBe(line('a'));
    // The runtime was stopped for a while between opening the new file and its last write.
    appendFileSync(path(rotated), line('late'));
    chain.look((nowMs += 1));
    settle(chain);
    expect(take(chain)).toContain(line('late'));
    settle(chain);
    appendFileSync(path(rotated), line('very late'));
    writeFileSync(path('unrelated'), '');
    look(chain);
    expect(take(chain)).toContain(line('very late'));
  });

  test('that was closed, then rotated and compressed unseen, is unpacked from where it was', () => {
    writeFileSync(path('0.log'), line('a') + line('b'));
    const chain = makeChain();
    const cut = chain.cut(line('a').length, nowMs);
    finish(chain, cut);
    chain.release({ unreadToo: true });
    writeFileSync(path(`${rotated}.gz`), gzipSync(line('a') + line('b')));
    unlinkSync(path('0.log'));
    writeFileSync(path('0.log'), line('c', 1));
    look(chain);
    const waiting = chain.toSpool(nowMs);
    expect(waiting?.offset).toBe(line('a').length);
    expect(waiting?.unread).toBe(line('b').length);
    expect(chain.files).toHaveLength(2);
    expect(losses).toEqual([]);
  });

  test('that was closed unread as a rotation and is compressed then is unpacked, not read raw', () => {
    writeFileSync(path(rotated), line('a') + line('b'));
    writeFileSync(path('0.log'), line('c', 1));
    const chain = makeChain();
    for (const file of chain.files) file.close();
    writeFileSync(path(`${rotated}.gz`), gzipSync(line('a') + line('b')));
    unlinkSync(path(rotated));
    look(chain);
    expect(chain.toSpool(nowMs)?.path).toBe(path(`${rotated}.gz`));
    expect(chain.cut(1e9, nowMs).bytes).toBe(0);
  });

  test('that was empty, then written, rotated and compressed between two looks is read once', () => {
    writeFileSync(path('0.log'), '');
    const chain = makeChain();
    appendFileSync(path('0.log'), line('a'));
    writeFileSync(path(`${rotated}.gz`), gzipSync(line('a')));
    renameSync(path('0.log'), join(root, 'unlinked'));
    writeFileSync(path('0.log'), line('b', 1));
    settle(chain);
    expect(take(chain)).toBe(line('a') + line('b', 1));
    expect(chain.toSpool(nowMs)).toBeUndefined();
  });

  test('that is deleted while it is closed is counted, and holds nothing up', () => {
    writeFileSync(path(rotated), line('a'));
    writeFileSync(path('0.log'), line('b', 1));
    const chain = makeChain();
    for (const file of chain.files) file.close();
    unlinkSync(path(rotated));
    look(chain);
    expect(losses).toEqual([{ reason: 'deleted', bytes: line('a').length }]);
    expect(take(chain)).toBe(line('b', 1));
    settle(chain);
    expect(chain.files).toHaveLength(1);
  });

  test('that is renamed while it is closed and busy is not sent from its beginning', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    take(chain);
    const [before] = chain.files;
    before?.close();
    renameSync(path('0.log'), path(rotated));
    appendFileSync(path(rotated), line('b'));
    writeFileSync(path('0.log'), line('c', 1));
    settle(chain);
    expect(chain.files[0]).toBe(before);
    expect(take(chain)).toBe(line('b') + line('c', 1));
  });

  test('that is rewritten at the same length is noticed by its time and first line', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    take(chain);
    truncateSync(path('0.log'));
    appendFileSync(path('0.log'), line('b'));
    utimesSync(path('0.log'), new Date(), new Date(nowMs + 5_000));
    look(chain);
    expect(take(chain)).toBe(line('b'));
  });

  test('that is cut to a part of itself while it is closed starts over', () => {
    writeFileSync(path('0.log'), line('a') + line('b'));
    const chain = makeChain();
    take(chain);
    for (const file of chain.files) file.close();
    truncateSync(path('0.log'), line('a').length);
    look(chain);
    expect(reports).toContain('FILE_TRUNCATED');
  });

  test('that `from: end` skipped is not sent after a rename while it was closed', () => {
    let from: 'start' | 'end' = 'end';
    setup = { ...setup, from: () => from };
    writeFileSync(path('0.log'), line('old'));
    const chain = makeChain();
    from = 'start';
    chain.release({ unreadToo: false });
    renameSync(path('0.log'), path(rotated));
    writeFileSync(path('0.log'), line('new', 1));
    settle(chain);
    expect(take(chain)).toBe(line('new', 1));
    expect(take(makeChain())).toBe('');
  });

  test('that is a copy of another, or a link to it, is not read as a second log', () => {
    writeFileSync(path('0.log'), line('a'));
    copyFileSync(path('0.log'), path('0.log.bak'));
    symlinkSync('/etc/passwd', path('2.log'));
    execFileSync('mkfifo', [path('1.log')]);
    const chain = makeChain();
    settle(chain);
    expect(chain.files).toHaveLength(1);
    expect(take(chain)).toBe(line('a'));
  });
});

describe('a directory', () => {
  test('that is swapped for a link to another place ships nothing of it', () => {
    writeFileSync(path('0.log'), line('a'));
    const outside = mkdtempSync(join(tmpdir(), 'outside-'));
    writeFileSync(join(outside, '0.log'), line('secret', 1));
    const chain = makeChain();
    take(chain);
    renameSync(directory, `${directory}.moved`);
    symlinkSync(outside, directory);
    settle(chain);
    expect(chain.cut(1e9, nowMs).bytes).toBe(0);
    expect(reports).toContain('LINK_REFUSED');
    rmSync(outside, { recursive: true });
  });

  test('that becomes a file, or is made again, is no reason to stop', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    appendFileSync(path('0.log'), line('b'));
    rmSync(directory, { recursive: true });
    writeFileSync(directory, '');
    look(chain);
    expect(take(chain)).toBe(line('a') + line('b'));
    settle(chain);
    rmSync(directory);
    mkdirSync(directory);
    writeFileSync(path('0.log'), line('c', 3));
    look(chain);
    expect(take(chain)).toBe(line('c', 3));
  });

  test.skipIf(process.getuid?.() !== 0)('that may not be read is reported, and tried again', () => {
    // As nobody in a process of its own: root reads everything.
    const script = join(root, 'unreadable.ts');
    const chainFile = join(import.meta.dirname, '../../src/tail/chain.ts');
    const openFilesFile = join(import.meta.dirname, '../../src/tail/open-files.ts');
    writeFileSync(
      script,
      `import { chmodSync } from 'node:fs';
       import { Chain } from ${JSON.stringify(chainFile)};
       import { OpenFiles } from ${JSON.stringify(openFilesFile)};
       process.setuid(65534);
       const reports = [];
       const setup = { roots: [${JSON.stringify(root)}], openFiles: new OpenFiles(9),
         from: () => 'start', listUntilMs: () => Infinity,
         once: false, lookup: () => [], remember() {}, forget() {}, lost() {}, missed() {},
         report: (code) => reports.push(code) };
       const chain = new Chain({ directory: ${JSON.stringify(directory)}, liveName: '0.log',
         format: 'cri', podUid: 'u', container: 'c', restartCount: 0 }, setup);
       chain.addLink('x');
       chain.look(1);
       console.log(JSON.stringify({ reports, files: chain.files.length }));`,
    );
    writeFileSync(path('0.log'), line('a'));
    execFileSync('chmod', ['755', root, join(root, 'ns_pod_uid')]);
    execFileSync('chmod', ['700', directory]);
    const said = JSON.parse(execFileSync(process.execPath, [script]).toString());
    expect(said).toEqual({ reports: ['FILE_UNREADABLE'], files: 0 });
  });
});

describe('a .gz', () => {
  test('that is broken is tried some times, then given up and counted', () => {
    writeFileSync(path('0.log'), line('b', 1));
    const broken = gzipSync(line('a'));
    broken[0] = 0;
    writeFileSync(path(`${rotated}.gz`), broken);
    const chain = makeChain();
    expect(losses).toEqual([]);
    for (let times = 0; times < 5; times += 1) look(chain);
    expect(losses).toEqual([{ reason: 'not_unpacked', bytes: broken.length }]);
    expect(take(chain)).toBe(line('b', 1));
  });

  test('for which there is no room does not hold up what is newer', () => {
    writeFileSync(path(`${rotated}.gz`), gzipSync(line('a')));
    writeFileSync(path('0.log'), line('b', 1));
    const chain = makeChain();
    const waiting = chain.toSpool(nowMs);
    expect(chain.cut(1e9, nowMs).bytes).toBe(0);
    waiting?.spool.postpone(nowMs + 1_000);
    expect(chain.toSpool(nowMs)).toBeUndefined();
    expect(take(chain)).toBe(line('b', 1));
    expect(chain.toSpool(nowMs + 1_001)).toBe(waiting);
  });

  test('that cannot be opened for want of descriptors is never read as plain text', () => {
    writeFileSync(path(`${rotated}.gz`), gzipSync(line('a')));
    const scene = join(import.meta.dirname, 'starved-chain.ts');
    const words = ['-c', 'ulimit -n 25; exec "$0" "$@"', process.execPath, scene, root, directory];
    const said = JSON.parse(execFileSync('sh', words).toString());
    expect(said).toEqual({ before: 0, waits: true });
  });
});

describe('the budget for deleted files', () => {
  test('drops the oldest first, and counts exactly what was unread of it', () => {
    writeFileSync(path(rotated), line('x'.repeat(1_000)));
    writeFileSync(path('0.log'), line('y'.repeat(1_000), 1));
    const chain = makeChain();
    unlinkSync(path(rotated));
    look(chain);
    rmSync(directory, { recursive: true });
    look(chain);
    const bytes = line('x'.repeat(1_000)).length;
    fitHeldFiles([{ chain }], { bytesMax: bytes, ageMaxMs: 1e9 }, nowMs);
    expect(losses).toEqual([{ reason: 'held_bytes', bytes }]);
    expect(take(chain)).toBe(line('y'.repeat(1_000), 1));
    expect(setup.openFiles.count).toBe(1);
  });

  test('lets go of what is too old', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeChain();
    rmSync(directory, { recursive: true });
    for (const link of chain.links) chain.removeLink(link);
    look(chain);
    fitHeldFiles([{ chain }], { bytesMax: 1e9, ageMaxMs: 1_000 }, nowMs + 1_000);
    expect(losses).toEqual([]);
    fitHeldFiles([{ chain }], { bytesMax: 1e9, ageMaxMs: 1_000 }, nowMs + 1_001);
    expect(losses).toEqual([{ reason: 'held_age', bytes: line('a').length }]);
    settle(chain);
    expect(chain.isFinished).toBe(true);
    expect(setup.openFiles.count).toBe(0);
  });
});

describe('after a downtime', () => {
  test('what was read to its end and is gone is forgotten, and nothing is told', () => {
    writeFileSync(path('0.log'), line('a'));
    take(makeChain());
    unlinkSync(path('0.log'));
    makeChain();
    expect([store.offsets, reports, losses]).toEqual([[], [], []]);
  });

  test('what is gone and was longer than it was read is told with its bytes', () => {
    writeFileSync(path('0.log'), line('a') + line('unread'));
    const before = makeChain();
    finish(before, before.cut(line('a').length, nowMs));
    renameSync(path('0.log'), path(rotated));
    unlinkSync(path(rotated));
    writeFileSync(path('0.log'), line('b', 1));
    expect(store.offsets).toHaveLength(1);
    const chain = makeChain();
    expect(store.offsets.map(({ size }) => size)).toEqual([line('b', 1).length]);
    expect(losses).toEqual([{ reason: 'deleted', bytes: line('unread').length }]);
    expect(take(chain)).toBe(line('b', 1));
  });
});
