// What was sent of a log, and not acknowledged, has the same ids when it is sent again, from a copy
// of it, too, and where logs begin alike with nothing in their first bytes that tells the time.

import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import type { LineFormat } from '../../src/encode/drain-task.ts';
import type { ChainCut } from '../../src/tail/chain-cut.ts';
import { Chain } from '../../src/tail/chain.ts';
import { positionHash } from '../../src/position-hash.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { fitsAsWell } from '../../src/tail/same-log.ts';
import type { KnownOffset } from '../../src/tail/tail-setup.ts';
import { replaceOnSameInode } from '../support/reuse-inode.ts';
import { acknowledgeAll } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let store: OffsetStore;
let said: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'alike-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  store = new OffsetStore();
  said = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const names = { cri: '0.log', docker: 'id-json.log', raw: 'app.log' };
const blank = '\n'.repeat(300);
let second = 0;

function linesOf(format: LineFormat, ...texts: string[]): string {
  return texts.map((text) => lineOf(format, text)).join('');
}

function lineOf(format: LineFormat, text: string): string {
  second += 1;
  const time = new Date(Date.UTC(2026, 2, 5, 14, 0, second)).toISOString();
  if (format === 'raw') return `${text}\n`;
  if (format === 'cri') return `${time} stdout F ${text}\n`;
  return `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time })}\n`;
}

const live = (format: LineFormat) => join(directory, names[format]);
const rotated = (format: LineFormat, day: number) => `${live(format)}-2026010${day}`;

function startChain(format: LineFormat): Chain {
  const setup = makeTailSetup(root, {
    ...store.setup,
    lost: ({ reason }) => expect.fail(`lost: ${reason}`),
    report: (code) => said.push(code),
  });
  const place = { directory, liveName: names[format], podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, restartCount: 0, format }, setup);
  chain.addLink('link');
  look(chain);
  for (const { spool } of chain.files) spool.postpone(Number.POSITIVE_INFINITY);
  return chain;
}

function look(chain: Chain): void {
  for (let times = 0; times < 4; times += 1) chain.look((nowMs += limits.relistMs));
}

/** A chain whose live file holds blank lines, sent and acknowledged: its birth is its place. */
function startWithBlankLines(format: LineFormat): Chain {
  writeFileSync(live(format), blank);
  const chain = startChain(format);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + limits.identityWaitMs);
  look(chain);
  send(chain, true);
  expect(store.offsets.map(({ offset }) => offset)).toEqual([blank.length]);
  return chain;
}

/** The same, and two lines after them, sent; `isAnswered`: acknowledged. */
function startWithOldLines(format: LineFormat, isAnswered: boolean) {
  const chain = startWithBlankLines(format);
  appendFileSync(live(format), linesOf(format, 'old-1', 'old-2'));
  look(chain);
  const sent = send(chain, isAnswered);
  expect([...sent.keys()]).toEqual(['old-1', 'old-2']);
  return { chain, sent };
}

/**
 * Sends all that can be read: each numbered line with its id. `isAnswered`: it is acknowledged;
 * `flushedAt`: the last record before it has no end.
 */
function send(chain: Chain, isAnswered: boolean, flushedAt?: number): Map<string, string> {
  const sent = new Map<string, string>();
  for (;;) {
    const cut = chain.cut(1e9, nowMs);
    const consumed: number[] = [];
    for (const { fd, start, end, idPrefix } of cut.segments) {
      const bytes = Buffer.alloc(end - start);
      const length = readSync(fd, bytes, 0, bytes.length, start);
      // Zeros at the end may still be filled.
      const text = bytes.toString('latin1', 0, length).replace(/\0+$/, '');
      consumed.push(start + text.length);
      for (const { 0: word, index } of text.matchAll(/\b[a-z]+-\d+\b/g)) {
        sent.set(word, `${idPrefix}/${start + index}`);
      }
    }
    chain.advance(cut, { consumed, more: false }, nowMs);
    if (cut.segments.every(({ start }, index) => start === consumed[index])) return sent;
    if (isAnswered) acknowledgeAll(cut);
    else {
      for (const [index, file] of cut.files.entries()) {
        file.begin(cut.segments[index]!, file.offset === flushedAt);
      }
    }
    for (const file of cut.files) {
      if (isAnswered || file.position.readTimes.length > 0) store.remember(file.checkpoint());
    }
  }
}

test.each<LineFormat>(['cri', 'docker'])(
  '%s: a copy that begins as an older log, which has nothing more, is no copy of that',
  (format) => {
    const before = startWithBlankLines(format);
    before.close();
    // It is not unpacked all the time: nothing tells that it has nothing more.
    writeFileSync(`${rotated(format, 1)}.gz`, gzipSync(readFileSync(live(format))));
    unlinkSync(live(format));
    writeFileSync(live(format), blank + linesOf(format, 'new-1', 'new-2'));
    const chain = startChain(format);
    const sent = send(chain, false);
    expect([...sent.keys()]).toEqual(['new-1', 'new-2']);
    chain.close();
    copyFileSync(live(format), rotated(format, 2));
    truncateSync(live(format), 0);
    appendFileSync(live(format), blank);
    const next = startChain(format);
    expect(send(next, true)).toEqual(sent);
    next.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a log known by its birth that was sent, then copied and truncated, keeps its ids',
  (format) => {
    const { chain: before, sent } = startWithOldLines(format, false);
    before.close();
    copyFileSync(live(format), rotated(format, 1));
    truncateSync(live(format), 0);
    appendFileSync(live(format), blank + linesOf(format, 'new-1', 'new-2', 'new-3'));
    const chain = startChain(format);
    const again = send(chain, true);
    expect([...again.keys()]).toEqual(['old-1', 'old-2', 'new-1', 'new-2', 'new-3']);
    expect(again.get('old-1')).toBe(sent.get('old-1'));
    expect(again.get('old-2')).toBe(sent.get('old-2'));
    expect(new Set(again.values()).size).toBe(5);
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a copy that is finished, and its original truncated, within a look is no other log',
  (format) => {
    const { chain } = startWithOldLines(format, true);
    chain.release({ unreadToo: true });
    const bytes = readFileSync(live(format));
    const half = blank.length + 10;
    writeFileSync(rotated(format, 1), bytes.subarray(0, half));
    let opened = 0;
    vi.spyOn(OpenFiles.prototype, 'makeRoom').mockImplementation(() => {
      // The copy is open, and is about to be compared with its original.
      if ((opened += 1) !== 2) return;
      appendFileSync(rotated(format, 1), bytes.subarray(half));
      truncateSync(live(format), 0);
      appendFileSync(live(format), blank + linesOf(format, 'new-1'));
    });
    look(chain);
    expect(opened).toBeGreaterThan(1);
    expect([...send(chain, true).keys()]).toEqual(['new-1']);
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker'])(
  '%s: a copy that is shorter than what was sent is not finished',
  (format) => {
    const first = lineOf(format, 'old-1');
    const flushed = first + lineOf(format, 'old-2').slice(0, -1);
    writeFileSync(live(format), flushed);
    const chain = startChain(format);
    // The last record has no end: it is flushed.
    const sent = send(chain, false, flushed.length);
    expect([...sent.keys()]).toEqual(['old-1', 'old-2']);
    appendFileSync(live(format), `\n${linesOf(format, 'old-3', 'old-4')}`);
    const bytes = readFileSync(live(format));
    writeFileSync(rotated(format, 1), bytes.subarray(0, first.length + 3));
    look(chain);
    appendFileSync(rotated(format, 1), bytes.subarray(first.length + 3));
    truncateSync(live(format), 0);
    appendFileSync(live(format), linesOf(format, 'new-1'));
    look(chain);
    expect(said).toEqual(['FILE_TRUNCATED']);
    const copy = chain.files.find(({ path }) => path === rotated(format, 1));
    expect(copy?.offset).toBe(0);
    expect(copy?.position.flushedEnd).toBe(flushed.length);
    const again = send(chain, true);
    expect([...again.keys()]).toEqual(['old-1', 'old-2', 'old-3', 'old-4', 'new-1']);
    expect(again).toEqual(new Map([...again, ...sent]));
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a log known by its birth that is copied and truncated while it is closed is not sent again',
  (format) => {
    const { chain } = startWithOldLines(format, true);
    chain.release({ unreadToo: true });
    changes['copytruncate']!(format);
    appendFileSync(live(format), blank + linesOf(format, 'new-1'));
    look(chain);
    expect([...send(chain, true).keys()]).toEqual(['new-1']);
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: half a copy of a log known by its birth that is closed is waited for',
  (format) => {
    const { chain } = startWithOldLines(format, true);
    chain.release({ unreadToo: true });
    const bytes = readFileSync(live(format));
    writeFileSync(rotated(format, 1), bytes.subarray(0, bytes.length - 10));
    look(chain);
    expect(send(chain, true).size).toBe(0);
    appendFileSync(rotated(format, 1), bytes.subarray(bytes.length - 10));
    truncateSync(live(format), 0);
    look(chain);
    expect(send(chain, true).size).toBe(0);
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a late answer for a log that was truncated leaves the position to its copy',
  (format) => {
    const chain = startWithBlankLines(format);
    appendFileSync(live(format), linesOf(format, 'old-1', 'old-2'));
    look(chain);
    const cut = chain.cut(1e9, nowMs);
    chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
    const old = cut.files[0]!;
    const drained = old.begin(cut.segments[0]!);
    store.remember(old.checkpoint());
    changes['copytruncate']!(format);
    look(chain);
    // The copy is sent, with more: what was read when is kept with its position.
    appendFileSync(rotated(format, 1), linesOf(format, 'old-3'));
    look(chain);
    expect([...send(chain, false).keys()]).toEqual(['old-1', 'old-2', 'old-3']);
    const kept = store.offsets.map(({ readTimes }) => readTimes.length);
    expect(chain.acknowledge(old, drained)).toBeGreaterThan(0);
    expect(chain.ownsPosition(old)).toBe(false);
    look(chain);
    expect(store.offsets.map(({ readTimes }) => readTimes.length)).toEqual(kept);
    const copy = chain.files.find(({ path }) => path === rotated(format, 1))!;
    expect(chain.ownsPosition(copy)).toBe(true);
    chain.close();
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a closed log whose name and inode number another has got is read once',
  (format) => {
    const chain = startWithBlankLines(format);
    chain.release({ unreadToo: true });
    replaceOnSameInode(live(format), blank + linesOf(format, 'new-1', 'new-2'));
    const sent = [];
    for (let times = 0; times < 3; times += 1) {
      look(chain);
      sent.push(...send(chain, true).keys());
    }
    expect(sent).toEqual(['new-1', 'new-2']);
    chain.close();
  },
);

test('a record that waits is flushed after a task that began with another file', () => {
  const open = lineOf('cri', 'live-1').slice(0, -1);
  writeFileSync(live('cri'), lineOf('cri', 'live-0') + open);
  const chain = startChain('cri');
  const advance = (cut: ChainCut, consumed: readonly number[]) =>
    chain.advance(cut, { consumed, more: false }, (nowMs += 1));
  const first = chain.cut(1e9, nowMs);
  const { end } = first.segments[0]!;
  advance(first, [end - open.length]);
  nowMs += 1_000;
  expect(chain.isFlushDue(nowMs, 400)).toBe(true);
  writeFileSync(rotated('cri', 1), lineOf('cri', 'older-0'));
  look(chain);
  const both = chain.cut(1e9, nowMs);
  expect(both.files).toHaveLength(2);
  // A flush would be of the older file, which needs none.
  expect(chain.beginsStuck(both)).toBe(false);
  advance(both, [both.segments[0]!.end, end - open.length]);
  expect(chain.beginsStuck(chain.cut(1e9, nowMs))).toBe(true);
  expect(chain.isFlushDue(nowMs + 1_000, 400)).toBe(true);
  chain.close();
});

/** What may be done to a log. */
const changes: Record<string, (format: LineFormat) => void> = {
  nothing: () => undefined,
  rename: (format) => renameSync(live(format), rotated(format, 1)),
  copytruncate(format) {
    copyFileSync(live(format), rotated(format, 1));
    truncateSync(live(format), 0);
  },
};
const formats: readonly LineFormat[] = ['cri', 'docker', 'raw'];
const cases = formats.flatMap((format) =>
  Object.keys(changes).flatMap((change) =>
    [true, false].map((isAnswered) => ({ format, change, isAnswered })),
  ),
);

describe.each(cases)(
  '$format: 200,000 zeros that are filled later are one log; $change, answered: $isAnswered',
  ({ format, change, isAnswered }) => {
    function sendFilled() {
      writeFileSync(live(format), Buffer.alloc(200_000));
      const chain = startChain(format);
      expect(send(chain, true).size).toBe(0);
      const fd = openSync(live(format), 'r+');
      writeSync(fd, linesOf(format, 'old-1', 'old-2'), 0);
      closeSync(fd);
      look(chain);
      const sent = send(chain, isAnswered);
      expect([...sent.keys()]).toEqual(['old-1', 'old-2']);
      return { chain, sent };
    }

    test('while the agent runs', () => {
      const { chain, sent } = sendFilled();
      chain.release({ unreadToo: true });
      changes[change]!(format);
      look(chain);
      // Nothing again under other ids.
      const again = send(chain, isAnswered);
      expect(new Map([...sent, ...again])).toEqual(sent);
      if (isAnswered) expect(again.size).toBe(0);
      chain.close();
    });

    test('while no agent runs', () => {
      const { chain, sent } = sendFilled();
      chain.close();
      changes[change]!(format);
      const next = startChain(format);
      expect(send(next, true)).toEqual(isAnswered ? new Map() : sent);
      next.close();
    });
  },
);

test.each<LineFormat>(['cri', 'docker', 'raw'])(
  '%s: a log that was copied, truncated and renamed between two looks is not sent again',
  (format) => {
    const { chain } = startWithOldLines(format, true);
    chain.release({ unreadToo: true });
    copyFileSync(live(format), rotated(format, 1));
    truncateSync(live(format), 0);
    appendFileSync(live(format), blank + linesOf(format, 'new-1'));
    renameSync(live(format), rotated(format, 2));
    writeFileSync(live(format), blank + linesOf(format, 'new-2'));
    look(chain);
    expect([...send(chain, true).keys()]).toEqual(['new-1', 'new-2']);
    chain.close();
  },
);

test('raw: what ends in a hole, or in a long first line, where another log has the same is no copy', () => {
  const long = `${'x'.repeat(340)}\n`;
  writeFileSync(rotated('raw', 1), long + linesOf('raw', 'old-1'));
  writeFileSync(rotated('raw', 2), long + linesOf('raw', 'old-2') + '\0'.repeat(70_000));
  writeFileSync(rotated('raw', 3), long);
  writeFileSync(
    live('raw'),
    '\0'.repeat(341) + long + '\0'.repeat(80_000) + linesOf('raw', 'new-1'),
  );
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 2 * limits.identityWaitMs);
  const chain = startChain('raw');
  expect(chain.files).toHaveLength(4);
  expect([...send(chain, true).keys()]).toEqual(expect.arrayContaining(['old-1', 'old-2']));
  chain.close();
});

test('raw: what ends in a hole is no copy of a longer rotation that has one there', () => {
  const long = `${'x'.repeat(340)}\n`;
  writeFileSync(rotated('raw', 1), `${long}old-1\n${'\0'.repeat(140_000)}old-2\n`);
  writeFileSync(rotated('raw', 2), `${long}old-3\n${'\0'.repeat(4_176)}`);
  writeFileSync(live('raw'), `${long}new-1\n`);
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 2 * limits.identityWaitMs);
  const chain = startChain('raw');
  expect(chain.files).toHaveLength(3);
  chain.close();
});

test('of the positions that a copy holds, its length tells most, and one in a hole least', () => {
  const known = { offset: 4_000, size: 4_500, readTimes: [] } as unknown as KnownOffset;
  const inHole = { ...known, positionHash: positionHash(new Uint8Array(limits.positionBytes)) };
  const earlier = { ...known, offset: 300, positionHash: 1 };
  expect([fitsAsWell(5_000, inHole, earlier), fitsAsWell(5_000, earlier, inHole)]).toEqual([
    false,
    true,
  ]);
  const whole = { ...inHole, size: 5_000 };
  expect([fitsAsWell(5_000, whole, earlier), fitsAsWell(5_000, earlier, whole)]).toEqual([
    true,
    false,
  ]);
});

test.each<LineFormat>(['cri', 'docker'])(
  '%s: a hole of which one line was filled and read is known again in a copy, by its time',
  (format) => {
    writeFileSync(live(format), Buffer.alloc(200_000));
    const chain = startChain(format);
    expect(send(chain, true).size).toBe(0);
    const fd = openSync(live(format), 'r+');
    writeSync(fd, lineOf(format, 'old-1'), 0);
    closeSync(fd);
    look(chain);
    expect([...send(chain, true).keys()]).toEqual(['old-1']);
    chain.close();
    copyFileSync(live(format), rotated(format, 1));
    truncateSync(live(format), 0);
    appendFileSync(live(format), linesOf(format, 'new-1', 'new-2'));
    const next = startChain(format);
    expect([...send(next, true).keys()]).toEqual(['new-1', 'new-2']);
    next.close();
  },
);
