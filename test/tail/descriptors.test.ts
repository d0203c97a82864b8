// Every descriptor has one owner: whichever call of the file system fails, nothing is leaked,
// closed twice or hidden, and once the disk is well again every line can be read.

import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { steadyNowMs } from '../../src/steady-clock.ts';
import { Chain } from '../../src/tail/chain.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { TailSetup } from '../../src/tail/tail-setup.ts';
import { FaultyFs } from '../support/faulty-fs.ts';
import { makeTailSetup } from './tail-fixture.ts';

const rotated = '0.log.20240305-140721';
const stepsMax = 12;
const callsMax = 400;

let root: string;
let directory: string;
let state: string;
let reports: string[];
let lost: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'descriptors-'));
  fresh();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function fresh(): void {
  rmSync(root, { recursive: true, force: true });
  directory = join(root, 'pods', 'ns_pod_uid', 'api');
  state = join(root, 'state');
  mkdirSync(directory, { recursive: true });
  mkdirSync(state);
  reports = [];
  lost = [];
}

const path = (name: string) => join(directory, name);
const line = (text: string, second: number) =>
  `2024-03-05T14:07:${String(second).padStart(2, '0')}.000000001Z stdout F ${text}\n`;

function makeSetup(): TailSetup {
  return makeTailSetup(join(root, 'pods'), {
    lost: ({ reason }) => lost.push(reason),
    report: (code, text) => reports.push(`${code} ${text}`),
  });
}

type Scene = { readonly chain: Chain; readonly setup: TailSetup; readonly spooler: Spooler };

function makeScene(): Scene {
  const setup = makeSetup();
  const place = {
    directory,
    liveName: '0.log',
    format: 'cri',
    podUid: 'u',
    container: 'c',
  } as const;
  const chain = new Chain({ ...place, restartCount: 0 }, setup);
  chain.addLink('link');
  const report = (code: string, text: string) => reports.push(`${code} ${text}`);
  const spooler = new Spooler({ directory: state, roots: setup.roots, report });
  return { chain, setup, spooler };
}

/**
 * Looks, unpacks and reads as the agent does, a step at a time; returns how many bytes were read.
 */
async function run({ chain, spooler }: Scene, startMs = steadyNowMs()): Promise<number> {
  let bytes = 0;
  let nowMs = startMs;
  for (let step = 0; step < stepsMax; step += 1) {
    chain.look(nowMs);
    await spooler.start([{ chain }], nowMs);
    const cut = chain.cut(1e9, nowMs);
    if (cut.bytes > 0) {
      bytes += cut.bytes;
      chain.startDrain();
      const consumed = cut.segments.map(({ end }) => end);
      chain.advance(cut, { consumed, more: false }, nowMs);
      for (const [at, file] of cut.files.entries()) {
        const segment = cut.segments[at];
        if (segment !== undefined) file.acknowledge(file.begin(segment));
      }
    }
    nowMs += limits.spoolRetryMs;
  }
  return bytes;
}

type Case = {
  readonly name: string;
  readonly make: () => void;
  readonly bytes: number;
  readonly lost?: readonly string[];
  /** Whatever else fails, this is told. */
  readonly told?: RegExp;
};

const plain = line('plain', 1).repeat(40);
const older = line('older', 0).repeat(4_000);
const brokenEnd = gzipSync(older);
brokenEnd.writeUInt32LE(7, brokenEnd.length - 8);
const cutOff = brokenEnd.subarray(0, brokenEnd.length / 2);

const cases: readonly Case[] = [
  {
    name: 'a plain file and a rotated one',
    make: () => {
      writeFileSync(path(rotated), older);
      writeFileSync(path('0.log'), plain);
    },
    bytes: older.length + plain.length,
  },
  {
    name: 'a .gz that is unpacked',
    make: () => {
      writeFileSync(path(`${rotated}.gz`), gzipSync(older));
      writeFileSync(path('0.log'), plain);
    },
    bytes: older.length + plain.length,
  },
  {
    name: 'a .gz that is broken at its end',
    make: () => {
      writeFileSync(path(`${rotated}.gz`), brokenEnd);
      writeFileSync(path('0.log'), plain);
    },
    bytes: older.length + plain.length,
    told: /incorrect data check/,
  },
  {
    name: 'a .gz that was cut off',
    make: () => {
      writeFileSync(path(`${rotated}.gz`), cutOff);
      writeFileSync(path('0.log'), plain);
    },
    bytes: gunzipSync(cutOff, { finishFlush: constants.Z_SYNC_FLUSH }).length + plain.length,
    lost: ['not_unpacked'],
    told: /unexpected end of file/,
  },
  {
    name: 'a .gz that is broken at its start',
    make: () => {
      writeFileSync(path(`${rotated}.gz`), Buffer.from('no gzip at all, but long enough'));
      writeFileSync(path('0.log'), plain);
    },
    bytes: plain.length,
    lost: ['not_unpacked'],
    told: /it is no \.gz/,
  },
];

describe('a descriptor is closed once', () => {
  test.each(cases)('with $name, whichever call fails', async (each) => {
    for (let failAt = 1; failAt < callsMax; failAt += 1) {
      fresh();
      each.make();
      const scene = makeScene();
      const kinds = ['open', 'read', 'write', 'stat', 'close', 'name'] as const;
      const faulty = new FaultyFs({ failAt, kinds });
      let bytes = 0;
      try {
        bytes = await run(scene);
      } finally {
        scene.chain.close();
        faulty.restore();
      }
      const at = `call ${failAt}, ${faulty.failed}`;
      expect({ at, open: [...faulty.open.values()] }).toEqual({ at, open: [] });
      expect({ at, twice: faulty.closedTwice }).toEqual({ at, twice: [] });
      expect({ at, count: scene.setup.openFiles.count }).toEqual({ at, count: 0 });
      expect({ at, bytes, lost }).toEqual({ at, bytes: each.bytes, lost: each.lost ?? [] });
      if (each.told !== undefined) expect(reports.join('\n')).toMatch(each.told);
      if (faulty.failed === undefined) return;
    }
    expect.fail(`more than ${callsMax} calls`);
  });

  test('with a spool file that cannot be created, and one that its directory cannot hold', async () => {
    writeFileSync(path(`${rotated}.gz`), gzipSync(older));
    const scene = makeScene();
    renameSync(state, `${state}.away`);
    writeFileSync(state, ''); // Not even root makes a directory of it.
    const faulty = new FaultyFs({ failAt: 0, kinds: [] });
    try {
      expect(await run(scene)).toBe(0);
      expect([...faulty.open.values()]).toEqual([]);
      rmSync(state);
      renameSync(`${state}.away`, state);
      // The clock of the scene has gone on: the next try is due.
      for (const file of scene.chain.files) file.spool.postpone(0);
      expect(await run(scene)).toBe(older.length);
      scene.chain.close();
      expect([...faulty.open.values()]).toEqual([]);
      expect(faulty.closedTwice).toEqual([]);
    } finally {
      faulty.restore();
    }
    expect(reports.join('\n')).toMatch(/EEXIST|ENOTDIR/);
    expect(lost).toEqual([]);
  });

  test.each([1, 2, 3])('with a state directory that is full from write %i on', async (failAt) => {
    writeFileSync(path(`${rotated}.gz`), gzipSync(older));
    writeFileSync(path('0.log'), plain);
    const scene = makeScene();
    const faulty = new FaultyFs({ failAt, kinds: ['write'], code: 'ENOSPC', isLasting: true });
    try {
      const isWritten = failAt > 2; // It takes two writes.
      // What is newer does not wait.
      expect(await run(scene)).toBe(plain.length + (isWritten ? older.length : 0));
      expect(lost).toEqual([]);
      faulty.isArmed = false;
      for (const file of scene.chain.files) file.spool.postpone(0);
      expect(await run(scene)).toBe(isWritten ? 0 : older.length);
      scene.chain.close();
      expect([...faulty.open.values()]).toEqual([]);
      expect(faulty.closedTwice).toEqual([]);
    } finally {
      faulty.restore();
    }
    expect(/ENOSPC/.test(reports.join('\n'))).toBe(failAt <= 2);
  });

  test('when the container is excluded while its .gz is unpacked', async () => {
    writeFileSync(path(`${rotated}.gz`), gzipSync(older));
    const { chain, setup, spooler } = makeScene();
    const faulty = new FaultyFs({ failAt: 0, kinds: [] });
    try {
      chain.look(steadyNowMs());
      const work = spooler.start([{ chain }], steadyNowMs());
      chain.close();
      await work;
      expect([...faulty.open.values()]).toEqual([]);
      expect(setup.openFiles.count).toBe(0);
    } finally {
      faulty.restore();
    }
  });
});

test('as many descriptors are open after 200 rotations as after a few', async () => {
  const cycles = 200;
  const keptMax = 4;
  const stepMs = stepsMax * limits.spoolRetryMs;
  const startMs = steadyNowMs();
  const scene = makeScene();
  const faulty = new FaultyFs({ failAt: 0, kinds: [] });
  const counts = new Set<number>();
  let [bytes, written] = [0, 0];
  try {
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const text = line(`cycle ${cycle}`, cycle % 60).replace('14:07', `${10 + (cycle % 10)}:07`);
      const content = text.replace('2024', String(2000 + cycle)).repeat(3);
      writeFileSync(path('0.log'), content);
      written += content.length;
      bytes += await run(scene, startMs + cycle * stepMs);
      const nameOf = (index: number) => path(`0.log.20240305-${String(index).padStart(6, '0')}`);
      renameSync(path('0.log'), nameOf(cycle));
      if (cycle > 0) {
        writeFileSync(`${nameOf(cycle - 1)}.gz`, gzipSync(readFileSync(nameOf(cycle - 1))));
        unlinkSync(nameOf(cycle - 1));
      }
      if (cycle >= keptMax) unlinkSync(`${nameOf(cycle - keptMax)}.gz`);
      if (cycle > keptMax) counts.add(faulty.open.size);
    }
    expect(bytes).toBe(written);
    expect(lost).toEqual([]);
    expect(counts.size).toBe(1);
    expect(scene.chain.files.length).toBeLessThanOrEqual(keptMax + 2);
    scene.chain.close();
    expect([...faulty.open.values()]).toEqual([]);
  } finally {
    faulty.restore();
  }
});
