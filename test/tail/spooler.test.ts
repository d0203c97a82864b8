// What is unpacked never takes more of the state directory than it may, a bomb is given up and
// counted, and chains that wait for their next file go on however full it is.

import { createHash } from 'node:crypto';
import {
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  readSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { steadyNowMs } from '../../src/steady-clock.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Chain } from '../../src/tail/chain.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { TailSetup } from '../../src/tail/tail-setup.ts';
import { makeTailSetup } from './tail-fixture.ts';

const MiB = 1024 * 1024;

let root: string;
let setup: TailSetup;
let spooler: Spooler;
let lost: { reason: string; bytes: number }[];
let reports: string[];
let nowMs: number;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spooler '));
  mkdirSync(join(root, 'state'));
  lost = [];
  reports = [];
  nowMs = steadyNowMs();
  setup = makeTailSetup(join(root, 'pods'), {
    openFiles: new OpenFiles(1_000),
    lost: ({ reason, bytes }) => lost.push({ reason, bytes }),
    report: (_code, text) => reports.push(text),
  });
  const report = (_code: string, text: string) => reports.push(text);
  spooler = new Spooler({ directory: join(root, 'state'), roots: setup.roots, report });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function makeChain(name: string, files: Readonly<Record<string, Uint8Array | string>>): Chain {
  const directory = join(root, 'pods', name, 'api');
  mkdirSync(directory, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(directory, file), bytes);
  const place = { directory, liveName: '0.log', podUid: name, container: 'api', restartCount: 0 };
  const chain = new Chain({ ...place, format: 'cri' }, setup);
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

const line = (text: string, second = 0) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;

/** What nameless files in the state directory take, whichever object holds them. */
function spoolBytes(): number {
  let bytes = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(root, 'state'))) continue;
      bytes += fstatSync(Number(fd)).blocks * 512;
    } catch {
      // The descriptor that lists the directory itself.
    }
  }
  return bytes;
}

/** Reads a chain to where `isTaken` says, as a worker does. */
function read(chain: Chain, keptBytes = 0): void {
  const cut = chain.cut(1e9, nowMs);
  chain.startDrain();
  const consumed = cut.segments.map(({ end }) => end);
  const last = consumed.length - 1;
  if (last >= 0) {
    consumed[last] = Math.max(cut.segments[last]?.start ?? 0, (consumed[last] ?? 0) - keptBytes);
  }
  chain.advance(cut, { consumed, more: false }, nowMs);
  for (const [at, file] of cut.files.entries()) {
    const segment = cut.segments[at];
    if (segment !== undefined) file.acknowledge(file.begin(segment));
  }
}

test('a bomb is given up with its reason, and takes no more room than it may', async () => {
  const bomb = makeChain('bomb', {
    '0.log.20240305-140721.gz': gzipSync(Buffer.alloc(limits.spoolsBytesMax + 8 * MiB, 'x')),
    '0.log': line('live', 1),
  });
  let most = 0;
  const work = spooler.start([{ chain: bomb }], nowMs);
  while (spooler.isBusy) {
    most = Math.max(most, spoolBytes());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await work;
  expect(most).toBeGreaterThan(MiB);
  expect(most).toBeLessThanOrEqual(limits.spoolsBytesMax);
  expect(lost).toEqual([{ reason: 'not_unpacked', bytes: expect.any(Number) }]);
  expect(reports.join()).toMatch(/holds more than \d+ bytes/);
  expect(spoolBytes()).toBe(0);
  bomb.look(nowMs);
  expect(bomb.readable(nowMs)).toBe(line('live', 1).length);
  bomb.close();
});

test('all spools together stay within their room, and every file gets its turn', async () => {
  const size = 30 * MiB;
  const text = line('y'.repeat(1_000)).repeat(Math.ceil(size / line('y'.repeat(1_000)).length));
  const packed = gzipSync(text, { level: 1 });
  const chains = Array.from({ length: 8 }, (_, index) =>
    makeChain(`p-${index}`, { '0.log.20240305-140721.gz': packed, '0.log': line('live', 1) }),
  );
  let unpacked = 0;
  for (let step = 0; step < 100 && unpacked < chains.length; step += 1) {
    await spooler.start(
      chains.map((chain) => ({ chain })),
      nowMs,
    );
    expect(spoolBytes()).toBeLessThanOrEqual(limits.spoolsBytesMax);
    expect(spooler.storedBytes).toBeLessThanOrEqual(limits.spoolsBytesMax);
    // The slowest reader: one chain at a time.
    const full = chains.find((chain) => chain.readable(nowMs) >= size);
    if (full === undefined) continue;
    if (spooler.storedBytes + size < limits.spoolsBytesMax - limits.windowBytes) continue;
    read(full);
    unpacked += 1;
  }
  expect(lost).toEqual([]);
  // None is unpacked in vain.
  expect(reports).toEqual([]);
  expect(unpacked + chains.filter((chain) => chain.readable(nowMs) >= size).length).toBe(8);
  for (const chain of chains) chain.close();
});

test('a file whose trailer lies takes only the room that is left, and waits for more', async () => {
  const name = '0.log.20240305-140721.gz';
  const long = line('y'.repeat(8_000));
  const textOf = (bytes: number) => long.repeat(Math.ceil(bytes / long.length));
  const half = textOf(0.6 * limits.spoolsBytesMax);
  const honest = makeChain('honest', { [name]: gzipSync(half, { level: 1 }), '0.log': line('a') });
  await spooler.start([{ chain: honest }], nowMs);
  expect(honest.readable(nowMs)).toBeGreaterThan(half.length);
  // One that tells its length is not even tried.
  const packedHalf = gzipSync(half, { level: 1 });
  const patient = makeChain('patient', { [name]: packedHalf, '0.log': line('c') });
  await spooler.start([{ chain: honest }, { chain: patient }], nowMs);
  expect(reports).toEqual([]);
  patient.close();
  // The trailer is of the last member.
  const packed = Buffer.concat([packedHalf, gzipSync('')]);
  const liar = makeChain('liar', { [name]: packed, '0.log': line('b') });
  let most = 0;
  const work = spooler.start([{ chain: honest }, { chain: liar }], nowMs);
  while (spooler.isBusy) {
    most = Math.max(most, spoolBytes());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await work;
  expect(most).toBeGreaterThan(half.length);
  expect(most).toBeLessThanOrEqual(limits.spoolsBytesMax);
  expect(reports.join()).toMatch(/holds more than \d+ bytes/);
  expect(lost).toEqual([]);
  read(honest);
  honest.look(nowMs);
  nowMs = steadyNowMs() + limits.spoolRetryMs;
  await spooler.start([{ chain: honest }, { chain: liar }], nowMs);
  expect(liar.files[0]?.size).toBe(half.length);
  expect(lost).toEqual([]);
  for (const chain of [honest, liar]) chain.close();
});

test('chains that each hold a file whose last record ends in the next one go on', async () => {
  const size = 30 * MiB;
  const body = line('y'.repeat(1_000)).repeat(Math.ceil(size / line('y'.repeat(1_000)).length));
  const tail = '2024-03-05T14:07:00.000000001Z stdout P the beginning\n';
  const packed = gzipSync(body + tail, { level: 1 });
  const end = '2024-03-05T14:07:01.000000001Z stdout F and the end\n';
  const chains = Array.from({ length: 5 }, (_, index) =>
    makeChain(`p-${index}`, {
      '0.log.20240305-140721.gz': packed,
      '0.log.20240305-140722.gz': gzipSync(end + body, { level: 1 }),
      '0.log': line('live', 2),
    }),
  );
  const firsts = new Map(chains.map((chain) => [chain, chain.files[0]]));
  for (let step = 0; step < 60; step += 1) {
    await spooler.start(
      chains.map((chain) => ({ chain })),
      nowMs,
    );
    expect(spoolBytes()).toBeLessThanOrEqual(limits.spoolsBytesMax);
    for (const chain of chains) {
      const first = firsts.get(chain);
      if (first?.fd === undefined || chain.waiting) continue;
      if (first.unread > tail.length) read(chain, tail.length);
      else if (chain.files[1]?.spool.isNeeded === false) {
        // What was kept of the first file is what was there.
        const bytes = Buffer.alloc(tail.length);
        readSync(first.fd, bytes, 0, tail.length, first.offset);
        expect(bytes.toString()).toBe(tail);
        read(chain);
        chain.look(nowMs);
      }
    }
    nowMs += limits.spoolLookMs;
  }
  for (const chain of chains) expect(chain.files.every(({ spool }) => !spool.isNeeded)).toBe(true);
  expect(lost).toEqual([]);
  for (const chain of chains) chain.close();
});

test('several members are one file, and what a trailer says of its length is only a guess', async () => {
  const parts = ['a', 'b', ''].map((text) => (text === '' ? '' : line(text.repeat(50))));
  const packed = Buffer.concat(parts.map((part) => gzipSync(part)));
  const chain = makeChain('members', { '0.log.20240305-140721.gz': packed });
  await spooler.start([{ chain }], nowMs);
  const file = chain.files[0];
  expect(file?.size).toBe(parts.join('').length);
  const bytes = Buffer.alloc(file?.size ?? 0);
  readSync(file?.fd ?? -1, bytes, 0, bytes.length, 0);
  const hash = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');
  expect(hash(bytes)).toBe(hash(parts.join('')));
  chain.close();
});
