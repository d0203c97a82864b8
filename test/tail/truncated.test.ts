// What is said of a log file that was truncated is what is known: that it was, once, and how many
// bytes were unread, as far as they cannot be read any more.

import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import type { LineFormat } from '../../src/encode/drain-task.ts';
import { Chain } from '../../src/tail/chain.ts';
import { finishCut, readCut } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let said: string[];
let store: OffsetStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'truncated-'));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  said = [];
  store = new OffsetStore();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const names = { cri: '0.log', docker: 'id-json.log', raw: 'app.log' };
const formats: readonly LineFormat[] = ['cri', 'docker', 'raw'];

function lineOf(format: LineFormat, text: string, second = 0): string {
  const time = `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z`;
  if (format === 'raw') return `${text}\n`;
  if (format === 'cri') return `${time} stdout F ${text}\n`;
  return `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time })}\n`;
}

/** A live file with a header and lines, and what may be written after it was truncated. */
function makeLog(format: LineFormat) {
  const live = join(directory, names[format]);
  const header = lineOf(format, 'time,level,msg');
  const old = [1, 2, 3].map((second) => lineOf(format, `old ${second}`, second)).join('');
  const fresh = [11, 12].map((second) => lineOf(format, `new ${second}`, second)).join('');
  writeFileSync(live, header + old);
  return { format, live, header, old, fresh, all: header.length + old.length };
}

function startChain(format: LineFormat): Chain {
  const setup = makeTailSetup(root, {
    ...store.setup,
    lost: ({ reason, bytes }) => said.push(`LINES_LOST ${reason} ${bytes}`),
    report: (code) => said.push(code),
  });
  const place = { directory, liveName: names[format], podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, restartCount: 0, format }, setup);
  chain.addLink('link');
  look(chain);
  return chain;
}

function look(chain: Chain): void {
  for (let times = 0; times < 4; times += 1) chain.look((nowMs += limits.relistMs));
}

/** Reads and acknowledges up to `bytesMax` bytes. */
function take(chain: Chain, bytesMax = 1e9): string {
  const cut = chain.cut(bytesMax, nowMs);
  const text = readCut(cut);
  finishCut(chain, cut, { nowMs, store });
  return text;
}

/** What follows is read, and nothing more is said. */
function expectRest(chain: Chain, live: string, { kept, fresh }: { kept: string; fresh: string }) {
  const before = [...said];
  appendFileSync(live, fresh);
  look(chain);
  expect(take(chain)).toBe(kept + fresh);
  look(chain);
  expect(said).toEqual(before);
  chain.close();
}

describe.each(formats)('%s: a live file', (format) => {
  test('that is cut to its beginning, all of which was read, has lost no line', () => {
    const { live, header, fresh } = makeLog(format);
    const chain = startChain(format);
    take(chain);
    truncateSync(live, header.length);
    look(chain);
    expect(said).toEqual(['FILE_TRUNCATED']);
    // What it kept cannot be told from another log that begins alike.
    expectRest(chain, live, { kept: header, fresh });
  });

  test('that is cut behind what was read has lost what was cut off', () => {
    const { live, header, old, fresh } = makeLog(format);
    const chain = startChain(format);
    take(chain, header.length);
    const kept = header + old.slice(0, old.length / 3);
    truncateSync(live, kept.length);
    look(chain);
    expect(said).toEqual(['FILE_TRUNCATED', `LINES_LOST truncated ${(old.length / 3) * 2}`]);
    expectRest(chain, live, { kept, fresh });
  });

  test('that is written again with the same header before any of it was read', () => {
    const { live, header, old, fresh } = makeLog(format);
    const chain = startChain(format);
    truncateSync(live, 0);
    appendFileSync(live, header + fresh);
    look(chain);
    // Its beginning may be the old one; what is gone for sure is told.
    const gone = old.length - fresh.length;
    const bytes = format === 'raw' ? gone : expect.any(Number);
    expect(said).toEqual(['FILE_TRUNCATED', expect.stringMatching(/^LINES_LOST truncated \d+$/)]);
    if (format === 'raw') expect(said[1]).toBe(`LINES_LOST truncated ${bytes}`);
    expectRest(chain, live, { kept: header + fresh, fresh: lineOf(format, 'more', 20) });
  });

  test.each(['emptied', 'cut', 'written again, longer'])(
    'that is %s while it is idle and closed is told once',
    (how) => {
      const { live, header, old, fresh } = makeLog(format);
      const chain = startChain(format);
      take(chain);
      chain.release({ unreadToo: false });
      expect(chain.files.map(({ fd }) => fd)).toEqual([undefined]);
      const kept = { emptied: '', cut: header, 'written again, longer': header + old + fresh }[
        how
      ]!;
      truncateSync(live, 0);
      appendFileSync(live, how === 'cut' ? header : kept.replaceAll('old', 'neu'));
      look(chain);
      const text = take(chain); // Opening it may be what shows it.
      look(chain);
      expect(said).toEqual(['FILE_TRUNCATED']);
      expect(text + take(chain)).toBe(kept.replaceAll('old', 'neu'));
      expectRest(chain, live, { kept: '', fresh: lineOf(format, 'more', 20) });
    },
  );

  test('that is cut behind what was read while no agent runs is told by the next one, once', () => {
    const { live, header, old, fresh } = makeLog(format);
    const before = startChain(format);
    take(before, header.length);
    before.close();
    const kept = old.slice(0, old.length / 3);
    truncateSync(live, header.length + kept.length);
    const chain = startChain(format);
    const told = ['FILE_TRUNCATED', `LINES_LOST truncated ${(old.length / 3) * 2}`];
    expect(said).toEqual(told);
    chain.close();
    const third = startChain(format);
    expect(said).toEqual(told);
    expectRest(third, live, { kept, fresh });
  });

  test('that is cut to what was read, while no agent runs, has lost what was unread', () => {
    const { live, header, old, all } = makeLog(format);
    const before = startChain(format);
    take(before, header.length + old.length / 3);
    before.close();
    truncateSync(live, header.length);
    const chain = startChain(format);
    const bytes = all - header.length - old.length / 3;
    expect(said).toEqual(['FILE_TRUNCATED', `LINES_LOST truncated ${bytes}`]);
    chain.close();
    startChain(format).close();
    expect(said).toHaveLength(2);
  });

  test('of which a copy was made before, while no agent ran, has lost nothing', () => {
    const { live, header, fresh } = makeLog(format);
    const before = startChain(format);
    take(before, header.length);
    before.close();
    copyFileSync(live, `${live}.${format === 'cri' ? '20240305-140721' : '1'}`);
    truncateSync(live, 0);
    appendFileSync(live, header + fresh);
    const chain = startChain(format);
    expect(said.filter((text) => text !== 'FILE_TRUNCATED')).toEqual([]);
    chain.close();
  });

  test('that was read to the end of a long line, and written again with one as long', () => {
    const { live } = makeLog(format);
    const long = (first: string, second: number) => lineOf(format, first + 'x'.repeat(400), second);
    writeFileSync(live, long('a', 1));
    const chain = startChain(format);
    expect(take(chain)).toBe(long('a', 1));
    truncateSync(live, 0);
    appendFileSync(live, long('b', 2) + lineOf(format, 'more', 3));
    look(chain);
    const [file] = chain.files;
    file?.verify(); // As after each task.
    look(chain);
    expect(said).toEqual(['FILE_TRUNCATED']);
    expect(take(chain)).toBe(long('b', 2) + lineOf(format, 'more', 3));
    chain.close();
  });
});
