// Reads mutated journal files: no crash, no hang, no read outside the file, whatever it holds. A
// part of `npm run fuzz`; alone, `node test/journal/journal-fuzz.ts --seconds N --seed N`.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { JournalCorrupt } from '../../src/journal/journal-bytes.ts';
import { JournalFile } from '../../src/journal/journal-file.ts';
import { JournalUnknown } from '../../src/journal/journal-header.ts';
import { PayloadWriter } from '../../src/journal/journal-payload.ts';
import { repackWithLz4 } from './lz4-journal.ts';

const writer = '/usr/lib/systemd/systemd-journal-remote';
const entryCount = 200;
/** A file of this size is read in milliseconds; a loop would not end. */
const hangMs = 5000;
/** Behind each mutant in its file: what a read outside would find. */
const outside = 'OUTSIDE!';
const outsideBytes = Buffer.alloc(64 * 1024, outside);
/** The written part of a file of 8 MiB; the rest is a hole. */
const keptBytes = 4 * 1024 * 1024;

type Random = (most: number) => number;

/** xorshift32: integers below `most`. */
function randomOf(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % most;
  };
}

function makeJournals(directory: string): Buffer[] {
  const text = Array.from({ length: entryCount }, (_, index) => {
    const long = 'y'.repeat(index % 9 === 0 ? 700 + index : 2);
    return `__REALTIME_TIMESTAMP=${1_700_000_000_000_000 + index}\n_PID=${index % 7}\nMESSAGE=${index} ${long}\n\n`;
  });
  const source = join(directory, 'source.export');
  writeFileSync(source, text.join(''));
  return ['0', '1'].flatMap((compact) => {
    const path = join(directory, `compact-${compact}.journal`);
    const env = { SYSTEMD_JOURNAL_COMPACT: compact };
    execFileSync(writer, [`--output=${path}`, source], { env, stdio: 'ignore' });
    const plain = readFileSync(path);
    repackWithLz4(path);
    return [plain, readFileSync(path)];
  });
}

/** Offsets of objects are what a hostile file lies with, so most mutations hit their heads. */
function mutate(original: Buffer, objects: readonly number[], random: Random): Buffer {
  const bytes = Buffer.from(original.subarray(0, random(8) === 0 ? random(keptBytes) : keptBytes));
  for (let count = 1 + random(6); count > 0; count -= 1) {
    const kind = random(4);
    const object = objects[random(objects.length)] ?? 0;
    const at =
      kind === 0 ? random(264) : kind === 1 ? object + random(96) : random(bytes.length || 1);
    if (at + 8 > bytes.length) continue;
    const values = [0, 1, 8, 64, bytes.length, object, object + 1, 0xffff_ffff, random(1 << 30)];
    const value = values[random(values.length)] ?? 0;
    if (random(2) === 0) bytes[at] = random(256);
    else bytes.writeUInt32LE(value >>> 0, at);
    if (random(4) === 0) bytes.writeUInt32LE(random(3) === 0 ? 0xffff_ffff : 0, at + 4);
  }
  return bytes;
}

function objectsOf(bytes: Buffer): number[] {
  const offsets: number[] = [];
  const tail = Number(bytes.readBigUInt64LE(136));
  for (let at = Number(bytes.readBigUInt64LE(88)); at <= tail && at < keptBytes;) {
    offsets.push(at);
    at += Math.ceil(Number(bytes.readBigUInt64LE(at + 8)) / 8) * 8;
  }
  return offsets;
}

/** Entries that could be read; a refused file has none. */
function readMutant(path: string, size: number, random: Random): number {
  const fd = openSync(path, 'r');
  let entries = 0;
  try {
    const file = new JournalFile(fd, { size, blockBytes: 4096 << random(5) });
    const payloads = new PayloadWriter();
    const afterSeqnum = random(3) === 0 ? random(entryCount + 5) : 0;
    const bootId = file.lastHead()?.bootId ?? '';
    file.firstOfLastBoot(bootId);
    file.readHeads(afterSeqnum, () => true);
    file.read({ afterSeqnum }, ({ fields }) => {
      const payload = payloads.write(fields);
      JSON.parse(payload);
      if (payload.includes(outside)) throw new Error('what is outside of the file was read');
      entries += 1;
      return true;
    });
  } catch (error) {
    if (!(error instanceof JournalCorrupt) && !(error instanceof JournalUnknown)) throw error;
  } finally {
    closeSync(fd);
  }
  return entries;
}

/** Returns what it has read; throws when a file is a trap, and keeps the file. */
export function fuzzJournals(options: { seconds: number; seed: number }): string {
  if (!existsSync(writer)) return 'No systemd-journal-remote: no journal was fuzzed.';
  const random = randomOf(options.seed);
  const directory = mkdtempSync(join(tmpdir(), 'tailship-journal-fuzz-'));
  const path = join(directory, 'mutant.journal');
  const originals = makeJournals(directory).map((bytes) => ({ bytes, objects: objectsOf(bytes) }));
  const endMs = performance.now() + options.seconds * 1_000;
  let files = 0;
  let entries = 0;
  try {
    while (performance.now() < endMs) {
      const { bytes, objects } = originals[random(originals.length)]!;
      const mutant = mutate(bytes, objects, random);
      writeFileSync(path, Buffer.concat([mutant, outsideBytes]));
      const startedMs = performance.now();
      entries += readMutant(path, mutant.length, random);
      if (performance.now() - startedMs > hangMs) throw new Error('a file took too long');
      files += 1;
    }
  } catch (error) {
    throw new Error(`journal ${files} of seed ${options.seed}: ${path}`, { cause: error });
  }
  rmSync(directory, { recursive: true, force: true });
  return `No crash in ${files} mutated journals from seed ${options.seed} on, ${entries} entries read.`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } },
  });
  console.log(fuzzJournals({ seconds: Number(values.seconds), seed: Number(values.seed) }));
}
