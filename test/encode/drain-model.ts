// What the drain should write, computed the slow and plain way: whole files in memory, line by
// line, everything by the reference encoder. The tests compare the drain with it byte for byte.

import { limits } from '../../src/config.ts';
import { parseCriLine } from '../../src/encode/cri-line.ts';
import { insertIdOf } from '../../src/encode/insert-id.ts';
import { encodeRecord, encodeText } from '../../src/encode/log-entry.ts';
import type { EncodeContext } from '../../src/encode/log-entry.ts';

export type ModelFile = {
  readonly content: Buffer;
  readonly idPrefix: string;
  readonly fallbackTime: string;
};

type Open = { readonly time: string; readonly insertId: string; readonly parts: Buffer[] };

function splitLines(content: Buffer): { start: number; end: number }[] {
  const lines: { start: number; end: number }[] = [];
  let start = 0;
  while (start < content.length) {
    const newline = content.indexOf(0x0a, start);
    const end = newline === -1 ? content.length : newline;
    lines.push({ start, end });
    start = end + 1;
  }
  return lines;
}

/** The time for the line at `at`, from the lines before it. */
function timeBefore(
  file: ModelFile,
  lines: readonly { start: number; end: number }[],
  at: number,
): string {
  for (let index = at - 1; index >= 0; index--) {
    const { start, end } = lines[index]!;
    if (lines[at]!.start - start > limits.lookBackBytes) break;
    const line = parseCriLine(file.content, start, end);
    if (line !== undefined) return line.time;
  }
  return file.fallbackTime;
}

/**
 * The entries of a container whose CRI files are all ended, no line of them longer than
 * `limits.lineBytesMax`.
 */
export function modelEntries(files: readonly ModelFile[], context: EncodeContext): string[] {
  const entries: string[] = [];
  const open = new Map<'stdout' | 'stderr', Open>();
  for (const file of files) {
    const lines = splitLines(file.content);
    for (const [index, { start, end }] of lines.entries()) {
      const insertId = insertIdOf(file.idPrefix, start);
      const line = parseCriLine(file.content.subarray(0, end), start, end);
      if (line === undefined) {
        const stop = end > start && file.content[end - 1] === 0x0d ? end - 1 : end;
        const content = file.content.subarray(start, stop);
        const time = timeBefore(file, lines, index);
        const text = encodeText({ content, time, stream: 'stdout', insertId }, context);
        entries.push(...text.entries);
        continue;
      }
      const { stream } = line;
      const content = file.content.subarray(line.contentStart, line.contentEnd);
      const record = open.get(stream) ?? { time: line.time, insertId, parts: [] };
      record.parts.push(content);
      open.set(stream, record);
      if (line.partial) continue;
      open.delete(stream);
      const whole = { ...record, stream, content: Buffer.concat(record.parts) };
      entries.push(...encodeRecord(whole, context).entries);
    }
  }
  for (const [stream, record] of open) {
    const whole = { ...record, stream, content: Buffer.concat(record.parts) };
    entries.push(...encodeRecord(whole, context).entries);
  }
  return entries;
}
