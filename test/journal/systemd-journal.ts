// Journals that systemd-journal-remote writes, read by our reader and by journalctl.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';

import { JournalFile } from '../../src/journal/journal-file.ts';
import { PayloadWriter } from '../../src/journal/journal-payload.ts';
import { repackWithLz4 } from './lz4-journal.ts';

const writer = '/usr/lib/systemd/systemd-journal-remote';
export const hasSystemd = existsSync(writer) && existsSync('/usr/bin/journalctl');

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

export type Written = {
  readonly isCompact: boolean;
  readonly isLz4?: boolean;
  readonly isKeyed?: boolean;
};

/**
 * Writes `count` entries into a directory; its files, oldest first: the writer rotates large ones.
 */
export function writeJournal(directory: string, count: number, as: Written): string[] {
  mkdirSync(directory, { recursive: true });
  const source = join(directory, 'source.export');
  writeFileSync(source, exportText(count));
  const env = {
    SYSTEMD_JOURNAL_COMPACT: as.isCompact ? '1' : '0',
    SYSTEMD_JOURNAL_KEYED_HASH: as.isKeyed === false ? '0' : '1',
  };
  const output = join(directory, 'system.journal');
  execFileSync(writer, [`--output=${output}`, source], { env, stdio: 'ignore' });
  rmSync(source);
  const names = readdirSync(directory).toSorted(
    (a, b) => Number(b.includes('@')) - Number(a.includes('@')) || a.localeCompare(b),
  );
  const files = names.map((name) => join(directory, name));
  if (as.isLz4 === true) for (const file of files) assert(repackWithLz4(file) > 0);
  return files;
}

export function withFile<T>(path: string, use: (file: JournalFile) => T, blockBytes = 65_536): T {
  const fd = openSync(path, 'r');
  try {
    return use(new JournalFile(fd, { size: fstatSync(fd).size, blockBytes }));
  } finally {
    closeSync(fd);
  }
}

export function readAll(path: string, afterSeqnum = 0, blockBytes?: number): Read[] {
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

/** Compares each field of each entry with what journalctl shows; the number of entries. */
export function compareWithJournalctl(path: string): number {
  const expected = oracle(path);
  const found = readAll(path);
  expect(found).toHaveLength(expected.length);
  const first = found[0]?.seqnum ?? 0;
  for (const [index, { micros, payload, seqnum }] of found.entries()) {
    // What is equal as it stands need not be sorted.
    const other = expected[index];
    if (seqnum !== first + index) expect(seqnum).toBe(first + index);
    if (String(micros) !== other?.micros) expect(String(micros)).toBe(other?.micros);
    if (isDeepStrictEqual(payload, other?.payload)) continue;
    expect(sorted(payload)).toEqual(sorted(other?.payload ?? {}));
  }
  return found.length;
}
