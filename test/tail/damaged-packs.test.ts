// A `.gz` that a power loss has damaged: what unpacks is read, and the rest is told as lost once,
// however often the agent is started; one that is completed after all is read on.

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gunzipSync, gzipSync, inflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { Chain } from '../../src/tail/chain.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { Loss } from '../../src/tail/tail-setup.ts';
import { finishCut, readCut } from './acknowledge.ts';
import { makeTailSetup, OffsetStore } from './tail-fixture.ts';

let root: string;
let directory: string;
let nowMs: number;
let losses: Pick<Loss, 'reason' | 'bytes'>[];
let store: OffsetStore;
let openFiles: OpenFiles;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'damaged packs '));
  directory = join(root, 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  losses = [];
  store = new OffsetStore();
  openFiles = new OpenFiles(100);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const path = (fileName: string) => join(directory, fileName);
const rotated = '0.log.20240305-140721';
const timed = (index: number, text: string) =>
  `${new Date(1_709_647_200_000 + index).toISOString()} stdout F ${text}\n`;
const log = Array.from({ length: 20_000 }, (_, index) =>
  timed(index, `a-${Math.imul(index, 2_654_435_761) >>> 0}`),
).join('');
const live = timed(100_000, 'live');
const packed = gzipSync(log);
const half = packed.length >> 1;

function makeChain(format: 'cri' | 'raw' = 'cri'): Chain {
  const setup = makeTailSetup(root, {
    ...store.setup,
    openFiles,
    lost: ({ reason, bytes }) => losses.push({ reason, bytes }),
  });
  const place = { directory, liveName: '0.log', podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, format, restartCount: 0 }, setup);
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

/** Reads and acknowledges what can be read. */
function take(chain: Chain, bytesMax = 1e9): string {
  const cut = chain.cut(bytesMax, nowMs);
  const text = readCut(cut);
  finishCut(chain, cut, { nowMs, store });
  return text;
}

/** What a run reads until nothing is left to read or to try. */
async function runOf(chain: Chain): Promise<string> {
  const spooler = new Spooler({ directory: root, roots: [root], report: () => undefined });
  let read = '';
  for (let times = 0; times < 20; times += 1) {
    chain.look((nowMs += limits.relistMs));
    await spooler.start([{ chain }], nowMs);
    read += take(chain);
  }
  return read;
}

async function startOf(format: 'cri' | 'raw' = 'cri'): Promise<string> {
  const chain = makeChain(format);
  try {
    return await runOf(chain);
  } finally {
    chain.close();
  }
}

function filled(from: number, to = packed.length, byte = 0): Buffer {
  return Buffer.from(packed).fill(byte, from, to);
}

/** Its data breaks off with an error. */
function turned(): Buffer {
  for (let at = half; ; at += 1) {
    const bytes = Buffer.from(packed);
    bytes[at]! ^= 0xff;
    try {
      inflateRawSync(bytes.subarray(10, -8));
    } catch {
      return bytes;
    }
  }
}

/** What unpacks of its beginning. */
const beginningOf = (bytes: number) =>
  gunzipSync(packed.subarray(0, bytes), { finishFlush: constants.Z_SYNC_FLUSH }).length;

type Damage = {
  readonly name: string;
  readonly bytes: Buffer;
  /** What unpacks of it, where that is sure. */
  readonly read?: number;
  /** How much is told as lost; undefined: what is not read. */
  readonly lost?: number;
};

const holeAt = 64 * limits.gzBlockBytes;
const damages: readonly Damage[] = [
  { name: 'cut off', bytes: packed.subarray(0, half), read: beginningOf(half), lost: 1 },
  {
    name: 'zeros at its end',
    bytes: filled(half),
    read: beginningOf(half),
    lost: packed.length - half,
  },
  { name: 'no trailer', bytes: packed.subarray(0, -8), read: log.length, lost: 0 },
  { name: 'half a trailer', bytes: packed.subarray(0, -3), read: log.length, lost: 0 },
  { name: 'a wrong checksum', bytes: filled(packed.length - 8, packed.length - 4, 1), lost: 0 },
  { name: 'a hole', bytes: filled(holeAt, holeAt + 4_096), read: beginningOf(holeAt) },
  { name: 'bits turned in its middle', bytes: turned() },
  { name: 'only zeros', bytes: filled(0), read: 0, lost: packed.length },
  { name: 'nothing in it', bytes: Buffer.alloc(0), read: 0, lost: 1 },
  { name: 'a part of its header', bytes: packed.subarray(0, 6), read: 0, lost: 6 },
  { name: 'a header only', bytes: packed.subarray(0, 10), read: 0, lost: 10 },
  { name: 'no line before its end', bytes: packed.subarray(0, 24), read: 0, lost: 24 },
  {
    name: 'zeros after its first lines',
    bytes: filled(256),
    read: beginningOf(256),
    lost: packed.length - 256,
  },
];

describe.each(damages)('a .gz with damage: $name', ({ bytes, read, lost }) => {
  const lossOf = (text: string) => {
    const told = lost ?? log.length - (text.length - live.length);
    return told === 0 ? [] : [{ reason: 'not_unpacked', bytes: told }];
  };

  test.each(['cri', 'raw'] as const)('%s: is read up to it, and told once', async (format) => {
    writeFileSync(path(`${rotated}.gz`), bytes);
    writeFileSync(path('0.log'), live);
    const text = await startOf(format);
    if (read !== undefined) expect(text.length).toBe(read + live.length);
    const intact = Math.min(beginningOf(half) - 100, text.length - live.length);
    expect(text.startsWith(log.slice(0, intact))).toBe(true);
    expect(losses).toEqual(lossOf(text));
    expect(await startOf(format)).toBe('');
    expect(await startOf(format)).toBe('');
    expect(losses).toEqual(lossOf(text));
  });

  test('is told once and read on, if the agent is killed before all of it is read', async () => {
    writeFileSync(path(`${rotated}.gz`), bytes);
    writeFileSync(path('0.log'), live);
    const before = makeChain();
    const spooler = new Spooler({ directory: root, roots: [root], report: () => undefined });
    for (let times = 0; times < 3; times += 1) {
      before.look((nowMs += limits.relistMs));
      await spooler.start([{ chain: before }], nowMs);
    }
    let text = take(before, 1_000);
    before.close();
    text += await startOf();
    if (read !== undefined) expect(text.length).toBe(read + live.length);
    expect(losses).toEqual(lossOf(text));
  });

  test('loses what is known of the log before it was packed', async () => {
    writeFileSync(path(rotated), log);
    writeFileSync(path('0.log'), live);
    const before = makeChain();
    let text = take(before, 100);
    before.close();
    unlinkSync(path(rotated));
    writeFileSync(path(`${rotated}.gz`), bytes);
    text += await startOf();
    const rest = log.length + live.length - text.length;
    const told = rest > 0 ? [{ reason: 'not_unpacked', bytes: rest }] : [];
    expect(losses).toEqual(told);
    expect(await startOf()).toBe('');
    expect(losses).toEqual(told);
  });

  // Where bits have turned, the text may be another.
  const isPart = read !== undefined || lost === 0;
  const times = isPart ? ['while the agent runs', 'while none runs'] : [];
  test.each(times)('is read on, mended %s', async (when) => {
    writeFileSync(path(`${rotated}.gz`), bytes);
    writeFileSync(path('0.log'), live);
    let chain = makeChain();
    let text = await runOf(chain);
    const told = lossOf(text);
    if (when === 'while none runs') chain.close();
    // Of another length, so that it is seen to have changed.
    writeFileSync(path(`${rotated}.gz`), Buffer.concat([packed, gzipSync(timed(90_000, 'end'))]));
    if (when === 'while none runs') chain = makeChain();
    nowMs += limits.spoolRetryMs;
    text += await runOf(chain);
    chain.close();
    expect(text.replace(live, '').length).toBe(`${log}${timed(90_000, 'end')}`.length);
    expect(losses).toEqual(told);
  });
});

test('a .gz that grows slowly is waited for, and read once', async () => {
  writeFileSync(path('0.log'), live);
  writeFileSync(path(`${rotated}.gz`), packed.subarray(0, 100));
  const chain = makeChain();
  const spooler = new Spooler({ directory: root, roots: [root], report: () => undefined });
  let text = '';
  for (let at = 100; at < packed.length; at += 20_000) {
    appendFileSync(path(`${rotated}.gz`), packed.subarray(at, at + 20_000));
    chain.look((nowMs += limits.relistMs));
    await spooler.start([{ chain }], nowMs);
  }
  text = await runOf(chain);
  expect(text.length).toBe(log.length + live.length);
  expect(losses).toEqual([]);
  chain.close();
});

test('a closed file of which only a damaged .gz is left is told by its own length', async () => {
  openFiles = new OpenFiles(0);
  writeFileSync(path('0.log'), live);
  writeFileSync(path(rotated), log);
  const chain = makeChain();
  unlinkSync(path(rotated));
  writeFileSync(path(`${rotated}.gz`), packed.subarray(0, half));
  const text = await runOf(chain);
  expect(text).toBe(log.slice(0, beginningOf(half)));
  expect(losses).toEqual([{ reason: 'not_unpacked', bytes: log.length - beginningOf(half) }]);
  chain.close();
});

test.each(['unread', 'read'])(
  'a log that was $what, renamed by a running agent, and packed as nothing while none ran',
  async (what) => {
    writeFileSync(path('0.log'), log);
    const before = makeChain();
    take(before, what === 'read' ? 1e9 : 1_000);
    renameSync(path('0.log'), path(rotated));
    writeFileSync(path('0.log'), live);
    before.look((nowMs += limits.relistMs));
    before.close();
    unlinkSync(path(rotated));
    writeFileSync(path(`${rotated}.gz`), '');
    await startOf();
    await startOf();
    const bytes = log.length - 1_000;
    expect(losses).toEqual(what === 'read' ? [] : [{ reason: 'not_unpacked', bytes }]);
  },
);

test('a log that grew after it was read, closed and renamed, and was packed then', async () => {
  writeFileSync(path('0.log'), log);
  const chain = makeChain();
  let text = take(chain);
  renameSync(path('0.log'), path(rotated));
  writeFileSync(path('0.log'), live);
  text += await runOf(chain);
  for (const file of chain.files) file.close();
  writeFileSync(path(`${rotated}.gz`), gzipSync(`${log}${timed(90_000, 'end')}`));
  unlinkSync(path(rotated));
  text += await runOf(chain);
  expect(text).toBe(`${log}${live}${timed(90_000, 'end')}`);
  expect(losses).toEqual([]);
  chain.close();
});

test('what unpacks to more than there is room for is told once, too', async () => {
  const size = limits.spoolsBytesMax + 1_000;
  writeFileSync(path(`${rotated}.gz`), gzipSync(Buffer.alloc(size, 'x'), { level: 1 }));
  writeFileSync(path('0.log'), live);
  await startOf();
  expect(losses).toEqual([{ reason: 'not_unpacked', bytes: size }]);
  await startOf();
  expect(losses).toEqual([{ reason: 'not_unpacked', bytes: size }]);
});
