// What a journal file may look like besides whole: an entry that is not linked yet, a damaged one,
// a field that cannot be unpacked, an older way of hashing.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PayloadWriter } from '../../src/journal/journal-payload.ts';
import {
  compareWithJournalctl,
  hasSystemd,
  readAll,
  withFile,
  writeJournal,
} from './systemd-journal.ts';

const types = { data: 1, entry: 3 } as const;
const flags = { xz: 1, zstd: 4 } as const;

let directory: string;
let file: string;
let bytes: Buffer;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tailship journal '));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(count: number, isCompact: boolean): void {
  [file = ''] = writeJournal(directory, count, { isCompact });
  bytes = readFileSync(file);
}

/** Offsets of the objects of a type. */
function objects(type: number): number[] {
  const found: number[] = [];
  const last = Number(bytes.readBigUInt64LE(136));
  for (let at = Number(bytes.readBigUInt64LE(88)); at <= last;) {
    if (bytes[at] === type) found.push(at);
    at += Math.ceil(Number(bytes.readBigUInt64LE(at + 8)) / 8) * 8;
  }
  return found;
}

/** Offsets of the arrays that hold all entries; fields have arrays of their own. */
function chainOfEntries(): number[] {
  const arrays: number[] = [];
  for (let at = Number(bytes.readBigUInt64LE(176)); at !== 0;) {
    arrays.push(at);
    at = Number(bytes.readBigUInt64LE(at + 16));
  }
  return arrays;
}

/** Sequence numbers, and what was passed over. */
function look(): { seqnums: number[]; corrupt: number; corruptTail: number; incomplete: number } {
  return withFile(file, (journal) => {
    const seqnums: number[] = [];
    const payloads = new PayloadWriter();
    journal.read({ afterSeqnum: 0 }, ({ seqnum, fields }) => {
      seqnums.push(seqnum);
      JSON.parse(payloads.write(fields));
      return true;
    });
    const { corruptEntries: corrupt, corruptTail } = journal;
    return { seqnums, corrupt, corruptTail, incomplete: journal.fields.incomplete };
  });
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe.skipIf(!hasSystemd).each([
  ['regular', false],
  ['compact', true],
])('a %s journal', (_name, isCompact) => {
  test('is read up to an entry that is not linked yet, and on when it is', () => {
    write(50, isCompact);
    const whole = Buffer.from(bytes);
    // The last item of the last array: the writer adds it after the entry itself.
    const last = objects(types.entry).at(-1)!;
    const array = chainOfEntries().find((at) => itemsOf(at).includes(last))!;
    const index = itemsOf(array).indexOf(last);
    const itemBytes = isCompact ? 4 : 8;
    bytes.fill(0, array + 24 + index * itemBytes, array + 24 + (index + 1) * itemBytes);
    writeFileSync(file, bytes);
    expect(look()).toMatchObject({ seqnums: numbers(49), corrupt: 0, corruptTail: 0 });
    writeFileSync(file, whole);
    expect(look()).toMatchObject({ seqnums: numbers(50), corrupt: 0 });
  });

  function itemsOf(array: number): number[] {
    const size = Number(bytes.readBigUInt64LE(array + 8));
    const items: number[] = [];
    for (let at = array + 24; at < array + size; at += isCompact ? 4 : 8) {
      items.push(isCompact ? bytes.readUInt32LE(at) : Number(bytes.readBigUInt64LE(at)));
    }
    return items;
  }

  test('passes over a damaged entry and counts it; at the end it may be under way', () => {
    write(50, isCompact);
    const entries = objects(types.entry);
    bytes[entries[20]!] = types.data;
    bytes.writeBigUInt64LE(0xffff_ffff_ffff_fff0n, entries[30]! + 8);
    bytes[entries[49]!] = types.data;
    writeFileSync(file, bytes);
    const { seqnums, corrupt, corruptTail } = look();
    expect(seqnums).toEqual(numbers(49).filter((seqnum) => seqnum !== 21 && seqnum !== 31));
    expect({ corrupt, corruptTail }).toEqual({ corrupt: 2, corruptTail: 1 });
  });

  test('says what is missing where only XZ could unpack a field', () => {
    write(20, isCompact);
    const packed = objects(types.data).filter((at) => bytes[at + 1] === flags.zstd);
    expect(packed.length).toBeGreaterThan(0);
    for (const at of packed) bytes[at + 1] = flags.xz;
    bytes.writeUInt32LE(bytes.readUInt32LE(12) | flags.xz, 12);
    writeFileSync(file, bytes);
    const { seqnums, incomplete } = look();
    expect(seqnums).toEqual(numbers(20));
    expect(incomplete).toBe(packed.length);
    const marked = readAll(file).filter(({ payload }) => 'TAILSHIP_INCOMPLETE' in payload);
    expect(marked).toHaveLength(packed.length);
    expect(marked[0]?.payload).not.toHaveProperty('MESSAGE');
  });

  test('is read whatever its hashes are keyed with', () => {
    const files = writeJournal(directory, 200, { isCompact, isKeyed: false });
    expect(files.map(compareWithJournalctl)).toEqual([200]);
  });
});
