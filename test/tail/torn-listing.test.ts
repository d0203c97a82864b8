// The directory changes while it is listed: what the listing lacks may be there under another name.

import { mkdirSync, mkdtempSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { Chain } from '../../src/tail/chain.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import type { KnownOffset, Loss } from '../../src/tail/tail-setup.ts';
import { makeTailSetup } from './tail-fixture.ts';

let directory: string;
let nowMs: number;
let losses: Pick<Loss, 'reason' | 'bytes'>[];
let stored: KnownOffset[];

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'torn-')), 'ns_pod_uid', 'api');
  mkdirSync(directory, { recursive: true });
  nowMs = Date.now();
  losses = [];
  stored = [];
});
afterEach(() => rmSync(join(directory, '../..'), { recursive: true, force: true }));

const path = (fileName: string) => join(directory, fileName);
/** Each file begins at a time of its own, as its name says. */
const line = (fileName: string) =>
  `2024-03-05T14:07:00.${fileName.replaceAll(/\D/g, '').slice(-9).padStart(9, '0')}Z stdout F text\n`;
const rotated = '0.log.20240305-140721';

function write(...fileNames: readonly string[]): void {
  for (const fileName of fileNames) writeFileSync(path(fileName), line(fileName));
}

/** `pauses`: a listing takes only a few hundred names and files a look. */
function makeChain({ openMax = 1_000, pauses = (): boolean => true } = {}): Chain {
  const setup = makeTailSetup(join(directory, '../..'), {
    openFiles: new OpenFiles(openMax),
    listUntilMs: () => (pauses() ? 0 : Number.POSITIVE_INFINITY),
    lookup: () => stored,
    lost: ({ reason, bytes }) => losses.push({ reason, bytes }),
  });
  const place = { directory, liveName: '0.log', podUid: 'uid', container: 'api' };
  const chain = new Chain({ ...place, format: 'cri', restartCount: 0 }, setup);
  chain.addLink('link');
  chain.look(nowMs);
  return chain;
}

function look(chain: Chain): void {
  chain.look((nowMs += limits.relistMs));
}

test('a file that is packed while the directory is listed at a start is not lost', () => {
  write(...Array.from({ length: 200 }, (_, index) => `0.log.20240304-${140_000 + index}`));
  write(rotated, '0.log');
  // The length is stored with the position of what was not read yet.
  const before = makeChain({ pauses: () => false });
  stored = before.files.map((file) => file.checkpoint());
  expect(stored).toHaveLength(202);
  before.close();
  let pauses = true;
  const chain = makeChain({ pauses: () => pauses });
  expect(chain.files).toEqual([]); // The names are read, and some of the files were looked at.
  writeFileSync(path(`${rotated}.gz`), gzipSync(line(rotated)));
  unlinkSync(path(rotated));
  pauses = false;
  for (let times = 0; times < 20; times += 1) look(chain);
  expect(chain.files.map((file) => file.path)).toContain(path(`${rotated}.gz`));
  expect(chain.files).toHaveLength(202);
  expect(losses).toEqual([]);
  chain.close();
});

test('a file that is gone is told of even if the directory changes all the time', () => {
  write(rotated, '0.log');
  let pauses = false;
  const chain = makeChain({ openMax: 0, pauses: () => pauses });
  unlinkSync(path(rotated));
  write(...Array.from({ length: 300 }, (_, index) => `0.log.20240306-${140_000 + index}`));
  pauses = true;
  for (let times = 1; times <= 200 && losses.length === 0; times += 1) {
    utimesSync(directory, times, times);
    look(chain);
  }
  expect(losses).toEqual([{ reason: 'deleted', bytes: line(rotated).length }]);
  chain.close();
});
