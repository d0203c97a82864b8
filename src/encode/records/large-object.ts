// Encodes a JSON object that is larger than an entry may be, where the kernel has read and measured
// it. The invariant: the entries are those of the reference (entries/fit-entry.ts), which reads
// such a record character by character.

import { type Severity, severityIndex, severityNames } from '../../log-severity.ts';
import { cutText } from '../entries/fit-entry.ts';
import { partInsertId } from '../entries/insert-id.ts';
import { encodeAsText } from '../entries/log-entry.ts';
import type { RecordInput } from '../entries/log-entry.ts';
import { isWorthShortening, keptBytes, shortenString } from '../entries/shorten-strings.ts';
import type { Kernel, LargeEntry } from '../kernel.ts';
import { sizeMembers, sizeText } from '../kernel/layout.ts';
import type { SourceRun } from './source-run.ts';

type LargeRecord = Omit<RecordInput, 'content' | 'incomplete'>;

const carriageReturn = 0x0d;
/** JSON has no control characters but white space: a byte becomes two at most. */
const escapedMax = 2;
/** The kernel writes past the end of what it writes. */
const paddingBytes = 64;

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
    const content = JSON.stringify(part.toString()).slice(1, -1);
    const split = `{"uid":"${uid}","index":${index},"totalSplits":${parts.length}}`;
    const id = `${middle}${partInsertId('', index)}`;
    return `${before}${content}${id}${after},"split":${split}}`;
  });
}

/**
 * Appends the record as the text it was written as, which the kernel escapes; how many entries it
 * became, 0 if the body has no room.
 */
function appendAsText(
  { body, context }: SourceRun,
  kernel: Kernel,
  { record, severity }: { readonly record: LargeRecord; readonly severity: Severity },
): number {
  const { contentStart, newline, timeStart, timeEnd } = kernel.largeEntry();
  const { memory } = body;
  const isReturn = memory[newline - 1] === carriageReturn;
  const content = memory.subarray(contentStart, isReturn ? newline - 1 : newline);
  const timestamp = memory.toString('latin1', timeStart, timeEnd);
  const parts: Buffer[] = [];
  const partJson = (part: Buffer): string => {
    parts.push(part);
    return '""';
  };
  const own = { severity, timestamp };
  const entries = encodeAsText({ ...record, content }, own, { context, partJson });
  const lengths = entries.map((entry) => 3 * entry.length);
  const bytesMax = lengths.reduce((sum, length) => sum + length, escapedMax * content.length);
  if (body.out + bytesMax + paddingBytes > body.end) return 0;
  const head = `{${context.resource}${context.logName[record.stream]}"textPayload":"`.length;
  let { out } = body;
  for (const [index, entry] of entries.entries()) {
    const part = parts[index]!;
    const from = part.byteOffset - memory.byteOffset;
    out += memory.write(entry.slice(0, head), out);
    out = kernel.escape(from, from + part.length, out);
    out += memory.write(`${entry.slice(head)},\n`, out);
  }
  body.extend(out, entries.length);
  return entries.length;
}

/** As `appendAsText`, for an entry of which something is shortened or cut. */
function appendChanged({ body }: SourceRun, entry: LargeEntry, { insertId }: LargeRecord): number {
  const { memory } = body;
  const entries =
    entry.size === sizeText
      ? cutMessage(memory, entry, insertId)
      : [shortened(memory, entry).toString('utf8').slice(0, -',\n'.length)];
  return body.append(entries) ? entries.length : 0;
}

/** Appends what the kernel stopped for; false, and nothing of it, when the body has no room. */
export function appendLarge(run: SourceRun, kernel: Kernel, record: LargeRecord): boolean {
  const entry = kernel.largeEntry();
  const severity = severityNames[entry.severity]!;
  const count =
    entry.size === sizeMembers
      ? appendAsText(run, kernel, { record, severity })
      : appendChanged(run, entry, record);
  if (count > 0) run.tally.addEntries(count, severityIndex(severity), false);
  return count > 0;
}
