// The journal reader against systemd's own: files that systemd-journal-remote writes, read by both.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { JournalCorrupt } from '../../src/journal/journal-bytes.ts';
import { JournalFile, type ArrayHint } from '../../src/journal/journal-file.ts';
import { JournalUnknown } from '../../src/journal/journal-header.ts';
import { PayloadWriter } from '../../src/journal/journal-payload.ts';
import { unpackLz4Block } from '../../src/journal/lz4-block.ts';
import { repackWithLz4 } from './lz4-journal.ts';

const writer = '/usr/lib/systemd/systemd-journal-remote';
const hasSystemd = existsSync(writer) && existsSync('/usr/bin/journalctl');
const directory = mkdtempSync(join(tmpdir(), 'tailship-journal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Payload = Record<string, string | string[]>;
type Read = { readonly seqnum: number; readonly micros: number; readonly payload: Payload };

/** Entries with fields that repeat, that are long, that are no UTF-8, and that occur twice. */
function exportText(count: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const binary = Buffer.from([0x61, 0x0a, 0xc3, 0xbc, 0x22, (index % 256) & 0x7f]);
    const length = Buffer.alloc(8);
    length.writeUInt32LE(binary.length);
    const long = 'x'.repeat(index % 7 === 0 ? 600 + ((index * 13) % 9000) : 3);
    const lines = [
      `__REALTIME_TIMESTAMP=${1_700_000_000_000_000 + index * 1000}`,
      `__MONOTONIC_TIMESTAMP=${index * 1000}`,
      '_BOOT_ID=0123456789abcdef0123456789abcdef',
      `_SYSTEMD_UNIT=${index % 3 === 0 ? 'kubelet' : 'containerd'}.service`,
      `PRIORITY=${index % 8}`,
      `MESSAGE=line ${index} "quoted" \\ü ${long}`,
      ...(index % 5 === 0 ? ['DUP=a', `DUP=${index}`] : []),
    ];
    parts.push(Buffer.from(`${lines.join('\n')}\nBINARY\n`), length, binary, Buffer.from('\n\n'));
  }
  return Buffer.concat(parts);
}

function writeJournal(name: string, count: number, isCompact: boolean): string {
  const path = join(directory, `${name}.journal`);
  const source = join(directory, `${name}.export`);
  writeFileSync(source, exportText(count));
  const env = { SYSTEMD_JOURNAL_COMPACT: isCompact ? '1' : '0' };
  execFileSync(writer, [`--output=${path}`, source], { env, stdio: 'ignore' });
  return path;
}

function withFile<T>(path: string, use: (file: JournalFile) => T, blockBytes = 65_536): T {
  const fd = openSync(path, 'r');
  try {
    return use(new JournalFile(fd, { size: fstatSync(fd).size, blockBytes }));
  } finally {
    closeSync(fd);
  }
}

function readAll(path: string, afterSeqnum = 0, blockBytes?: number): Read[] {
  return withFile(
    path,
    (file) => {
      const found: Read[] = [];
      const payloads = new PayloadWriter();
      file.read({ afterSeqnum }, ({ seqnum, realtimeMicros, fields }) => {
        const payload = JSON.parse(payloads.write(fields)) as Payload;
        found.push({ seqnum, micros: realtimeMicros, payload });
        return true;
      });
      return found;
    },
    blockBytes,
  );
}

/** What journalctl says of a file; it prints values that are not printable as arrays of bytes. */
function oracle(path: string): { micros: string; payload: Payload }[] {
  const printed = execFileSync(
    'journalctl',
    ['--file', path, '-o', 'json', '--all', '--no-pager'],
    {
      maxBuffer: 1 << 30,
      encoding: 'utf8',
    },
  );
  const text = (value: unknown): string =>
    Array.isArray(value) ? Buffer.from(value as number[]).toString('utf8') : String(value);
  return printed
    .trim()
    .split('\n')
    .map((line) => {
      const fields = Object.entries(JSON.parse(line) as Record<string, unknown>);
      const micros = String(fields.find(([name]) => name === '__REALTIME_TIMESTAMP')?.[1]);
      const shown = fields.filter(([name]) => !name.startsWith('__'));
      const payload = shown.map(([name, value]) => {
        const isList = Array.isArray(value) && typeof value[0] !== 'number';
        return [name, isList ? (value as unknown[]).map(text) : text(value)];
      });
      return { micros, payload: Object.fromEntries(payload) as Payload };
    });
}

/** journalctl gives no order for the values of one name. */
function sorted(payload: Payload): Payload {
  const entries = Object.entries(payload).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.toSorted() : value,
  ]);
  return Object.fromEntries(entries) as Payload;
}

describe.skipIf(!hasSystemd)('a journal that systemd wrote', () => {
  test.each([
    ['regular, zstd', false, false],
    ['compact, zstd', true, false],
    ['regular, LZ4', false, true],
    ['compact, LZ4', true, true],
  ])('%s, has every field that journalctl shows', (name, isCompact, isLz4) => {
    const path = writeJournal(name.replaceAll(/\W+/g, '-'), 3000, isCompact);
    if (isLz4) expect(repackWithLz4(path)).toBeGreaterThan(20);
    const expected = oracle(path);
    const found = readAll(path);
    expect(found).toHaveLength(3000);
    expect(found.map(({ seqnum }) => seqnum)).toEqual(found.map((_, index) => index + 1));
    for (const [index, { micros, payload }] of found.entries()) {
      expect(String(micros)).toBe(expected[index]?.micros);
      expect(sorted(payload)).toEqual(sorted(expected[index]?.payload ?? {}));
    }
  });

  test('is read on from any position, with and without a hint, with small blocks', () => {
    const path = writeJournal('positions', 700, true);
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
    const path = writeJournal('flags', 3, true);
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
