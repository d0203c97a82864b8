// Encodes a JSON object that is larger than an entry may be, where the kernel has read and measured
// it. The invariant: the entries are those of the reference (entries/fit-entry.ts), which reads
// such a record character by character.

import assert from 'node:assert';

import { type Severity, severityIndex, severityNames } from '../../log-severity.ts';
import { cutText } from '../entries/fit-entry.ts';
import { partInsertId } from '../entries/insert-id.ts';
import { encodeAsText } from '../entries/log-entry.ts';
import type { RecordInput } from '../entries/log-entry.ts';
import { isWorthShortening, keptBytes, shortenString } from '../entries/shorten-strings.ts';
import type { LargeEntry } from '../kernel.ts';
import { sizeStrings, sizeText } from '../kernel/layout.ts';
import type { SourceRun } from './source-run.ts';

type LargeRecord = Omit<RecordInput, 'content' | 'incomplete'>;

const carriageReturn = 0x0d;

/** The entry as the kernel wrote it, with its longest strings shortened. */
function shortened(memory: Buffer, entry: LargeEntry): Buffer {
  const kept = keptBytes(entry.strings, entry.excess);
  const pieces: Buffer[] = [];
  let at = entry.entryStart;
  for (const { start, end, bytes } of entry.strings) {
    if (!isWorthShortening(bytes, kept)) continue;
    const raw = memory.toString('utf8', start, end);
    pieces.push(memory.subarray(at, start), Buffer.from(shortenString(raw, kept)));
    at = end;
  }
  return Buffer.concat([...pieces, memory.subarray(at, entry.entryEnd)]);
}

/** The parts of an entry whose payload is a text. */
function cutMessage(memory: Buffer, entry: LargeEntry, uid: string): string[] {
  const { entryStart, payloadStart, payloadEnd, idEnd, entryEnd } = entry;
  const text = JSON.parse(`"${memory.toString('utf8', payloadStart, payloadEnd)}"`) as string;
  const parts = cutText(Buffer.from(text), entry.room);
  const before = memory.toString('utf8', entryStart, payloadStart);
  const middle = memory.toString('utf8', payloadEnd, idEnd);
  const after = memory.toString('utf8', idEnd, entryEnd - '},\n'.length);
  return parts.map((part, index) => {
    const content = JSON.stringify(part).slice(1, -1);
    const split = `{"uid":"${uid}","index":${index},"totalSplits":${parts.length}}`;
    const id = `${middle}${partInsertId('', index)}`;
    return `${before}${content}${id}${after},"split":${split}}`;
  });
}

/** The entries of the record that the kernel measured last; `severity` is what it found. */
function entriesOf(run: SourceRun, record: LargeRecord, severity: Severity): readonly string[] {
  const { kernel, context } = run;
  const { memory } = run.body;
  assert(kernel !== undefined);
  const entry = kernel.largeEntry();
  if (entry.size === sizeText) return cutMessage(memory, entry, record.insertId);
  if (entry.size === sizeStrings) {
    const text = shortened(memory, entry).toString();
    return [text.slice(0, -',\n'.length)];
  }
  const { contentStart, newline, timeStart, timeEnd } = entry;
  const isReturn = memory[newline - 1] === carriageReturn;
  const content = memory.subarray(contentStart, isReturn ? newline - 1 : newline);
  const timestamp = memory.toString('latin1', timeStart, timeEnd);
  return encodeAsText({ ...record, content }, { severity, timestamp }, context);
}

/** Appends what the kernel stopped for; false, and nothing of it, when the body has no room. */
export function appendLarge(run: SourceRun, record: LargeRecord): boolean {
  const severity = severityNames[run.kernel!.largeEntry().severity]!;
  const entries = entriesOf(run, record, severity);
  if (!run.body.append(entries)) return false;
  run.tally.addEntries(entries.length, severityIndex(severity), false);
  return true;
}
