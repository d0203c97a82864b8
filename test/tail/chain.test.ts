import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import type { ChainCut } from '../../src/tail/chain-cut.ts';
import { Chain } from '../../src/tail/chain.ts';
import type { KnownOffset, TailSetup } from '../../src/tail/tail-setup.ts';
import { replaceOnSameInode } from '../support/reuse-inode.ts';
import { acknowledgeAll } from './acknowledge.ts';
import { makeTailSetup } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let reports: string[];
let known: KnownOffset[];
let setup: TailSetup;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chain-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  reports = [];
  known = [];
  setup = makeTailSetup(root, {
    lookup: () => known,
    forget: (owner, key) => reports.push(`forget ${owner.restartCount} ${key.fingerprint}`),
    report: (code) => reports.push(code),
  });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As an earlier run left it. */
const checkpoint = (fingerprint: string, offset: number): KnownOffset => ({
  restartCount: 0,
  fingerprint,
  instance: '',
  offset,
  positionHash: undefined,
  size: undefined,
  device: 0,
  inode: 0,
  bornMs: 0,
  readTimes: [],
  fileName: '0.log',
});
const path = (fileName: string) => join(directory, fileName);
const line = (text: string, second = 0) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;

function makeChain(overrides: Partial<TailSetup> = {}): Chain {
  Object.assign(setup, overrides);
  const chain = new Chain(
    {
      directory,
      liveName: '0.log',
      format: 'cri',
      podUid: 'uid',
      container: 'api',
      restartCount: 0,
    },
    setup,
  );
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

/** Looks twice, further apart than a superseded file must be quiet. */
function settle(chain: Chain): void {
  for (const waitMs of [1, limits.settleMs + 1, limits.settleMs + 1]) {
    nowMs += waitMs;
    chain.look(nowMs);
  }
}

const textOf = (cut: ChainCut): string =>
  cut.segments
    .map(({ fd, start, end }) => {
      const bytes = Buffer.alloc(end - start);
      readSync(fd, bytes, 0, bytes.length, start);
      return bytes.toString();
    })
    .join('|');

/** Takes everything of a cut as drained and acknowledged. */
function take(chain: Chain, bytesMax = 1e9): string {
  const cut = chain.cut(bytesMax, nowMs);
  const text = textOf(cut);
  chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
  acknowledgeAll(cut);
  return text;
}

test('a chain reads what is appended, once', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  expect(take(chain)).toBe(line('a'));
  appendFileSync(path('0.log'), line('b'));
  expect(chain.look((nowMs += 1))).toBe(true);
  expect(take(chain)).toBe(line('b'));
  expect(chain.look((nowMs += 1))).toBe(false);
  expect(chain.unread).toBe(0);
});

test('a chain waits for the first line of an empty file', () => {
  writeFileSync(path('0.log'), '');
  const chain = makeChain();
  expect(chain.cut(100, nowMs).bytes).toBe(0);
  appendFileSync(path('0.log'), '2024-03-05T14:07:00Z stdo');
  chain.look((nowMs += 1));
  expect(chain.cut(100, nowMs).bytes).toBe(0);
  appendFileSync(path('0.log'), 'ut F a\n');
  chain.look((nowMs += 1));
  expect(take(chain)).toBe('2024-03-05T14:07:00Z stdout F a\n');
});

test('a rotation in the gap between rename and reopen is read under its new name, then its successor', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  renameSync(path('0.log'), path('0.log.20240305-140721'));
  appendFileSync(path('0.log.20240305-140721'), line('b'));
  chain.look((nowMs += 1));
  expect(take(chain)).toBe(line('a') + line('b'));
  writeFileSync(path('0.log'), line('c', 1));
  chain.look((nowMs += 1));
  expect(take(chain)).toBe(line('c', 1));
  appendFileSync(path('0.log.20240305-140721'), line('late'));
  chain.look((nowMs += 1));
  expect(take(chain)).toBe(line('late'));
});

test('a partial line at the end of a rotated file is cut together with its successor once the file has ended', () => {
  const partial = '2024-03-05T14:07:00Z stdout P half \n';
  writeFileSync(path('0.log'), partial);
  const chain = makeChain();
  renameSync(path('0.log'), path('0.log.20240305-140721'));
  writeFileSync(path('0.log'), line('whole', 1));
  chain.look((nowMs += 1));
  const early = chain.cut(1e9, nowMs);
  expect(textOf(early)).toBe(partial);
  expect(early.segments[0]?.ended).toBe(false);
  chain.advance(early, { consumed: [0], more: false }, nowMs);
  expect(chain.waiting).toBe(true);
  settle(chain);
  expect(chain.waiting).toBe(false);
  const late = chain.cut(1e9, nowMs);
  expect(textOf(late)).toBe(`${partial}|${line('whole', 1)}`);
  expect(late.segments.map(({ ended }) => ended)).toEqual([true, false]);
  expect(late.ended).toBe(false);
});

test('a restart ends the log of the one before: they are never cut together', () => {
  writeFileSync(path('0.log'), line('a'));
  writeFileSync(path('1.log'), line('b', 1));
  const chain = makeChain();
  settle(chain);
  const first = chain.cut(1e9, nowMs);
  expect(textOf(first)).toBe(line('a'));
  expect(first.ended).toBe(true);
  chain.advance(first, { consumed: [line('a').length], more: false }, nowMs);
  expect(textOf(chain.cut(1e9, nowMs))).toBe(line('b', 1));
});

test('a file that was rotated and deleted between two looks comes before the rotations after it', () => {
  const partial = '2024-03-05T14:07:00Z stdout P half \n';
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  appendFileSync(path('0.log'), line('b'));
  rmSync(path('0.log'));
  writeFileSync(path('0.log.20240305-140722'), partial);
  writeFileSync(path('0.log'), line('c', 3));
  settle(chain);
  expect(take(chain)).toBe(`${line('a')}${line('b')}|${partial}|${line('c', 3)}`);
});

test('a file that was rotated and compressed between two looks comes before the rotations after it', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  rmSync(path('0.log'));
  writeFileSync(path('0.log.20240305-140721.gz'), gzipSync(line('a')));
  writeFileSync(path('0.log.20240305-140722'), line('b', 1));
  writeFileSync(path('0.log'), line('c', 3));
  settle(chain);
  expect(take(chain)).toBe(`${line('a')}|${line('b', 1)}|${line('c', 3)}`);
});

test('a deleted file is read to its end through its descriptor and then forgotten', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  appendFileSync(path('0.log'), line('b'));
  rmSync(directory, { recursive: true });
  for (const link of chain.links) chain.removeLink(link);
  chain.look((nowMs += 1));
  expect(chain.atRisk).toBe(true);
  expect(take(chain)).toBe(line('a') + line('b'));
  expect(chain.isFinished).toBe(false);
  settle(chain);
  expect(chain.isFinished).toBe(true);
  expect(reports).toHaveLength(1);
  expect(setup.openFiles.count).toBe(0);
});

test('truncation starts over at the beginning of what the file holds now, even when it has grown past the old size', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  take(chain);
  truncateSync(path('0.log'));
  writeFileSync(path('0.log'), line('b', 2) + line('c', 3), { flag: 'r+' });
  chain.look((nowMs += 1));
  // All had been read: the task that reads on finds it out, before it reads.
  const cut = chain.cut(1e9, nowMs);
  const consumed = cut.segments.map(({ start }) => start);
  chain.advance(cut, { consumed, more: false, replaced: 0 }, nowMs);
  chain.look((nowMs += 1));
  expect(reports.filter((code) => code === 'FILE_TRUNCATED')).toHaveLength(1);
  expect(take(chain)).toBe(line('b', 2) + line('c', 3));
});

test('a file that is closed and replaced by another with the same inode number is read from its start', (context) => {
  let chain: Chain | undefined;
  // Others on this file system may be given the number first.
  for (let tries = 0; tries < 10 && chain === undefined; tries += 1) {
    writeFileSync(path('0.log'), line('old'));
    const tried = makeChain();
    take(tried);
    for (const file of tried.files) file.close();
    if (replaceOnSameInode(path('0.log'), line('new and longer', 5))) chain = tried;
  }
  if (chain === undefined) {
    context.skip('the file system gives no inode number again');
    return;
  }
  chain.look((nowMs += limits.mtimeGrainMs));
  // With the same number, opening it shows that it is another one; the listing comes first.
  let read = '';
  for (let times = 0; times < 3; times += 1) {
    read += take(chain);
    chain.look((nowMs += 1));
  }
  expect(read).toBe(line('new and longer', 5));
});

test('a file that got the inode number of another one, under another name, is read from its start', (context) => {
  const begins = line('a line that all files begin with, and are known by');
  let chain: Chain | undefined;
  for (let tries = 0; tries < 10 && chain === undefined; tries += 1) {
    writeFileSync(path('0.log'), begins);
    const tried = makeChain();
    take(tried);
    for (const file of tried.files) file.close();
    const isReused = replaceOnSameInode(path('0.log'), begins + line('new', 5));
    if (isReused) chain = tried;
  }
  if (chain === undefined) {
    context.skip('the file system gives no inode number again');
    return;
  }
  renameSync(path('0.log'), path('0.log.20240305-140721'));
  writeFileSync(path('0.log'), line('live', 9));
  settle(chain);
  expect(take(chain)).toContain(begins + line('new', 5));
});

test('an earlier run is gone on with in plain, rotated and compressed files', () => {
  writeFileSync(path('0.log'), line('a') + line('b'));
  const first = makeChain();
  const cut = first.cut(line('a').length, nowMs);
  const fingerprint = first.files[0]?.identity?.fingerprint ?? '';
  expect(textOf(cut)).toBe(line('a'));
  first.close();
  known = [checkpoint(fingerprint, line('a').length)];
  renameSync(path('0.log'), path('0.log.20240305-140721'));
  expect(take(makeChain())).toBe(line('b'));
  writeFileSync(path('0.log.20240305-140721.gz'), gzipSync(line('a') + line('b')));
  rmSync(path('0.log.20240305-140721'));
  const third = makeChain();
  expect(third.toSpool(nowMs)?.offset).toBe(line('a').length);
  expect(third.unread).toBe(line('b').length);
  known = [checkpoint(fingerprint, line('a').length * 2)];
  expect(makeChain().toSpool(nowMs)).toBeUndefined();
});

test('a rotation that is compressed after it was read is not read again', () => {
  writeFileSync(path('0.log.20240305-140721'), line('a'));
  writeFileSync(path('0.log'), line('b', 1));
  const chain = makeChain();
  settle(chain);
  expect(take(chain)).toBe(`${line('a')}|${line('b', 1)}`);
  settle(chain);
  writeFileSync(path('0.log.20240305-140721.gz'), gzipSync(line('a')));
  chain.look((nowMs += 1));
  unlinkSync(path('0.log.20240305-140721'));
  settle(chain);
  expect(chain.unread).toBe(0);
  expect(chain.files).toHaveLength(2);
  expect(reports).toEqual([]);
});

test('a link in the log directory is not followed', () => {
  writeFileSync(join(root, 'secret'), line('secret'));
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain();
  symlinkSync(join(root, 'secret'), path('1.log'));
  settle(chain);
  expect(take(chain)).toBe(line('a'));
});

test('a file outside every root is refused, whatever the directory is called', () => {
  writeFileSync(path('0.log'), line('a'));
  const chain = makeChain({ roots: [join(root, 'elsewhere')] });
  expect(chain.cut(1e9, nowMs).bytes).toBe(0);
  expect(reports).toContain('LINK_REFUSED');
});

test('`from: end` skips what is there and reads what comes', () => {
  writeFileSync(path('0.log'), line('old'));
  const chain = makeChain({ from: () => 'end' });
  expect(chain.unread).toBe(0);
  appendFileSync(path('0.log'), line('new'));
  chain.look((nowMs += 1));
  expect(take(chain)).toBe(line('new'));
});

test('past the descriptor limit idle files are closed and found again when they grow', () => {
  writeFileSync(path('0.log'), line('a'));
  // All descriptors belong to others; they can spare one.
  const openFiles: OpenFiles = new OpenFiles(1, () => [{ release: () => openFiles.noteClosed() }]);
  openFiles.noteOpened();
  const chain = makeChain({ openFiles });
  expect(take(chain)).toBe(line('a'));
  chain.closeIfCrowded();
  expect(setup.openFiles.count).toBe(0);
  expect(chain.files[0]?.fd).toBeUndefined();
  appendFileSync(path('0.log'), line('b'));
  chain.look((nowMs += 1));
  expect(take(chain)).toBe(line('b'));
});

test('says what becomes of each file, for whoever has to find out', () => {
  const told: string[] = [];
  const [live, rotated] = [path('0.log'), path('0.log.20260706-120000')];
  writeFileSync(live, line('a'));
  const chain = makeChain({ trace: (text) => told.push(text) });
  expect(take(chain)).toBe(line('a'));
  renameSync(live, rotated);
  writeFileSync(live, line('b', 1));
  settle(chain);
  expect(take(chain)).toBe(line('b', 1));
  rmSync(rotated);
  settle(chain);
  const bytes = line('a').length;
  expect(told).toEqual([
    `${live}: ${bytes} bytes, read from 0 on`,
    `${live}: is ${rotated} now`,
    `${live}: ${bytes} bytes, read from 0 on`,
    `${rotated}: gone, after ${bytes} bytes`,
  ]);
  chain.close();
});

describe('a live file that was followed by another', () => {
  const missed: string[] = [];
  const makeMissing = () => {
    missed.length = 0;
    return makeChain({ missed: (file) => missed.push(file) });
  };

  test('is told when the directory goes before anybody looked', () => {
    writeFileSync(path('0.log'), line('a'));
    const chain = makeMissing();
    renameSync(path('0.log'), path('0.log.20260706-120000'));
    writeFileSync(path('0.log'), line('b', 1));
    rmSync(directory, { recursive: true });
    settle(chain);
    expect(missed).toEqual([path('0.log')]);
    expect(take(chain)).toBe(line('a'));
  });

  test('is not told when it was seen, or when there was none', () => {
    writeFileSync(path('0.log'), line('a'));
    const alone = makeMissing();
    rmSync(directory, { recursive: true });
    settle(alone);
    expect(missed).toEqual([]);

    mkdirSync(directory, { recursive: true });
    writeFileSync(path('0.log'), line('a'));
    const chain = makeMissing();
    renameSync(path('0.log'), path('0.log.20260706-120000'));
    writeFileSync(path('0.log'), line('b', 1));
    settle(chain);
    rmSync(directory, { recursive: true });
    settle(chain);
    expect(missed).toEqual([]);
  });
});
