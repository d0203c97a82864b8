// What the drain should write, computed the slow and plain way: whole files in memory, line by
// line, everything by the reference encoder. The tests compare the drain with it byte for byte.

import { limits } from '../../src/config.ts';
import { parseCriLine } from '../../src/encode/records/cri-line.ts';
import { parseDockerLine } from '../../src/encode/records/docker-line.ts';
import { incompleteInsertId, insertIdOf } from '../../src/encode/entries/insert-id.ts';
import { encodeRecord, encodeText } from '../../src/encode/entries/log-entry.ts';
import type { Stream } from '../../src/encode/entries/entry-template.ts';
import type { EncodeContext } from '../../src/encode/entries/entry.ts';

export type ModelFile = {
  readonly content: Buffer;
  readonly idPrefix: string;
  readonly fallbackTime: string;
};

export type ModelFormat = 'cri' | 'docker';

type Line = { time: string; stream: Stream; partial: boolean; content: Buffer };
/**
 * Bytes of a file between holes and newlines; `line` when they are one of its format. `atEnd`: the
 * file ends without a newline, so they may have been flushed before it did.
 */
type Piece = {
  readonly start: number;
  readonly end: number;
  readonly line: Line | undefined;
  readonly atEnd: boolean;
};
type Open = { readonly time: string; readonly insertId: string; readonly parts: Buffer[] };

const tornZeros = Buffer.alloc(16);

function parse(bytes: Buffer, format: ModelFormat): Line | undefined {
  if (format === 'docker') {
    const line = parseDockerLine(bytes, 0, bytes.length);
    return line && { ...line, content: Buffer.from(line.content) };
  }
  const line = parseCriLine(bytes, 0, bytes.length);
  return line && { ...line, content: bytes.subarray(line.contentStart, line.contentEnd) };
}

/** Where the content of a CRI line breaks off: zeros, and the header of another line; or -1. */
function tearAt(bytes: Buffer): number {
  for (const { index, 0: zeros } of bytes.toString('latin1').matchAll(/\0{32,}/g)) {
    if (parseCriLine(bytes, index + zeros.length, bytes.length) !== undefined) return index;
  }
  return -1;
}

/** The pieces of an ended file, and the bytes of its holes. */
function takeApart(content: Buffer, format: ModelFormat): { pieces: Piece[]; holeBytes: number } {
  const pieces: Piece[] = [];
  let holeBytes = 0;
  for (let start = 0; start < content.length;) {
    if (content[start] === 0) {
      while (content[start] === 0) {
        start++;
        holeBytes++;
      }
      const after = content.subarray(start, start + 2).toString('latin1');
      start += ['\r\n', '\r'].includes(after) ? after.length : after.startsWith('\n') ? 1 : 0;
      continue;
    }
    const newline = content.indexOf(0x0a, start);
    let end = newline === -1 ? content.length : newline;
    if (newline === -1) while (content[end - 1] === 0) end--;
    const all = content.subarray(start, end);
    const tear = format === 'cri' ? tearAt(all) : -1;
    const bytes = tear === -1 ? all : all.subarray(0, tear);
    const whole = parse(bytes, format);
    const line = whole && tear !== -1 ? { ...whole, partial: false } : whole;
    const torn = line === undefined ? all.indexOf(tornZeros) : tear;
    if (torn !== -1) end = start + torn;
    const before = content.subarray(Math.max(0, start - 2), start).toString('latin1');
    const isEmptyAgain =
      end === start && /^\n\n?$/.test(before) && before.length === Math.min(start, 2);
    if (!isEmptyAgain) pieces.push({ start, end, line, atEnd: newline === -1 && torn === -1 });
    start = end === newline ? end + 1 : end;
  }
  return { pieces, holeBytes };
}

/** The time of the piece at `index`, which has none: from the lines before it, or after it. */
function borrowedTime(pieces: readonly Piece[], index: number): string | undefined {
  const { start, end } = pieces[index]!;
  const before = pieces
    .slice(0, index)
    .findLast((one) => one.line !== undefined && start - one.start <= limits.lookBackBytes);
  if (before !== undefined) return before.line!.time;
  const block = limits.lookAheadBytes;
  const limit = (Math.floor(end / block) + 2) * block;
  const after = pieces.slice(index + 1).find((one) => one.line !== undefined);
  return after !== undefined && after.start < limit ? after.line!.time : undefined;
}

/**
 * The entries of a container whose files are all ended, no line of them longer than
 * `limits.lineBytesMax`, and the bytes of their holes.
 */
export function modelDrain(
  files: readonly ModelFile[],
  context: EncodeContext,
  format: ModelFormat = 'cri',
): { entries: string[]; holeBytes: number } {
  const entries: string[] = [];
  const open = new Map<Stream, Open>();
  let holeBytes = 0;
  for (const file of files) {
    const apart = takeApart(file.content, format);
    holeBytes += apart.holeBytes;
    for (const [index, { start, end, line, atEnd }] of apart.pieces.entries()) {
      const insertId = insertIdOf(file.idPrefix, start);
      if (line === undefined) {
        const isReturn = !atEnd && end > start && file.content[end - 1] === 0x0d;
        const content = file.content.subarray(start, isReturn ? end - 1 : end);
        const time = borrowedTime(apart.pieces, index) ?? file.fallbackTime;
        const id = atEnd ? incompleteInsertId(insertId, content.length) : insertId;
        const text = encodeText({ content, time, stream: 'stdout', insertId: id }, context);
        entries.push(...text.entries);
        continue;
      }
      const { stream } = line;
      const record = open.get(stream) ?? { time: line.time, insertId, parts: [] };
      record.parts.push(line.content);
      open.set(stream, record);
      if (line.partial) continue;
      open.delete(stream);
      const content = Buffer.concat(record.parts);
      const id = atEnd ? incompleteInsertId(record.insertId, content.length) : record.insertId;
      const whole = { ...record, stream, content, insertId: id };
      entries.push(...encodeRecord(whole, context).entries);
    }
  }
  for (const [stream, record] of open) {
    const content = Buffer.concat(record.parts);
    const insertId = incompleteInsertId(record.insertId, content.length);
    entries.push(...encodeRecord({ ...record, stream, content, insertId }, context).entries);
  }
  return { entries, holeBytes };
}

/** Its entries alone, of CRI files. */
export function modelEntries(files: readonly ModelFile[], context: EncodeContext): string[] {
  return modelDrain(files, context).entries;
}
