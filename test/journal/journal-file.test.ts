// The journal reader against systemd's own: files that systemd-journal-remote writes, read by both.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { JournalCorrupt } from '../../src/journal/journal-bytes.ts';
import type { ArrayHint } from '../../src/journal/journal-file.ts';
import { JournalUnknown } from '../../src/journal/journal-header.ts';
import { unpackLz4Block } from '../../src/journal/lz4-block.ts';
import {
  compareWithJournalctl,
  hasSystemd,
  readAll,
  withFile,
  writeJournal,
} from './systemd-journal.ts';

const directory = mkdtempSync(join(tmpdir(), 'tailship-journal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A journal that is not rotated. */
function writeOne(name: string, count: number): string {
  const [path = ''] = writeJournal(join(directory, name), count, { isCompact: true });
  return path;
}

describe.skipIf(!hasSystemd)('a journal that systemd wrote', () => {
  test.each([
    ['regular, zstd', false, false],
    ['compact, zstd', true, false],
    ['regular, LZ4', false, true],
    ['compact, LZ4', true, true],
  ])('%s, has every field that journalctl shows', (name, isCompact, isLz4) => {
    const files = writeJournal(join(directory, name), 3000, { isCompact, isLz4 });
    const counts = files.map(compareWithJournalctl);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3000);
  });

  test('is read on from any position, with and without a hint, with small blocks', () => {
    const path = writeOne('positions', 700);
    const all = readAll(path);
    for (const after of [1, 2, 3, 4, 5, 17, 350, 698, 699, 700, 1000]) {
      expect(readAll(path, after, 4096)).toEqual(all.slice(after));
    }
    let hint: ArrayHint | undefined;
    const seen: number[] = [];
    for (;;) {
      const before = seen.length;
      withFile(path, (file) => {
        let left = 37;
        file.read({ afterSeqnum: seen.at(-1) ?? 0, hint }, ({ seqnum }) => {
          seen.push(seqnum);
          left -= 1;
          return left > 0;
        });
        ({ hint } = file);
      });
      if (seen.length === before) break;
    }
    expect(seen).toEqual(all.map(({ seqnum }) => seqnum));
  });

  test('with flags that nobody knows yet is refused, and so is what is no journal', () => {
    const path = writeOne('flags', 3);
    const bytes = readFileSync(path);
    bytes.writeUInt32LE(bytes.readUInt32LE(12) | 32, 12);
    writeFileSync(path, bytes);
    expect(() => readAll(path)).toThrow(JournalUnknown);
    writeFileSync(path, 'not a journal');
    expect(() => readAll(path)).toThrow(JournalCorrupt);
  });
});

test('an LZ4 block unpacks to what was packed, and a torn one throws', () => {
  // Literals "ab", then a match of 10 bytes at distance 2, then literals "end".
  const packed = Buffer.from([0x26, 0x61, 0x62, 0x02, 0x00, 0x30, 0x65, 0x6e, 0x64]);
  expect(unpackLz4Block(packed, 15).toString()).toBe('ababababababend');
  for (let length = 0; length < packed.length; length += 1) {
    expect(() => unpackLz4Block(packed.subarray(0, length), 15)).toThrow(JournalCorrupt);
  }
  expect(() => unpackLz4Block(packed, 14)).toThrow(JournalCorrupt);
});
