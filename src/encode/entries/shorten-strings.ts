// Shortens the longest strings of a JSON object until it fits. The invariant: the result is the
// same object but for those strings, which say how much of them is missing; no character is cut in
// two.

import { limits } from '../../config.ts';
import { objectBytes } from './entry-size.ts';
import { applyEdits, scanTokens } from '../json/object-scan.ts';
import type { Edit } from '../json/object-scan.ts';

/** No mark is longer, whatever the count in it. */
const markBytesMax = 40;

type LongString = { readonly start: number; readonly end: number; readonly bytes: Buffer };

/** Where the first `bytes` of UTF-8 text can be cut: there, or up to three bytes before. */
export function characterBorder(text: Uint8Array, bytes: number): number {
  let border = bytes;
  while (border > 0 && ((text[border] ?? 0) & 0xc0) === 0x80) border--;
  return border;
}

/** The string values that are worth shortening. */
function longStrings(json: string): readonly LongString[] {
  const found: LongString[] = [];
  scanTokens(json, (kind, start, end) => {
    if (kind !== 'string' || end - start <= limits.stringKeptBytesMin) return;
    const bytes = Buffer.from(JSON.parse(json.slice(start, end)) as string);
    if (bytes.length > limits.stringKeptBytesMin + markBytesMax) found.push({ start, end, bytes });
  });
  return found;
}

/** Bytes that go when at most `kept` bytes of each string stay. */
function savedBytes(strings: readonly LongString[], kept: number): number {
  let saved = 0;
  for (const { bytes } of strings) saved += Math.max(0, bytes.length - kept - markBytesMax);
  return saved;
}

/** The largest length that saves `wanted` bytes. */
function keptBytes(strings: readonly LongString[], wanted: number): number {
  let fits: number = limits.stringKeptBytesMin;
  let tooLong: number = limits.lineBytesMax * 3;
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (savedBytes(strings, middle) >= wanted) fits = middle;
    else tooLong = middle;
  }
  return fits;
}

function shorten(text: Buffer, kept: number): string {
  const border = characterBorder(text, kept);
  const mark = `…[truncated ${text.length - border} bytes]`;
  return JSON.stringify(text.toString('utf8', 0, border) + mark);
}

/**
 * The object with its longest strings shortened to one length, so that it has at most `bytesMax` as
 * a protobuf Struct. Undefined when strings alone cannot bring it there: then it is keys, numbers,
 * or many small things.
 */
export function shortenStrings(json: string, bytesMax: number): string | undefined {
  const excess = objectBytes(json) - bytesMax;
  if (excess <= 0) return json;
  const strings = longStrings(json);
  if (savedBytes(strings, limits.stringKeptBytesMin) < excess) return undefined;
  const kept = keptBytes(strings, excess);
  const edits: Edit[] = [];
  for (const { start, end, bytes } of strings) {
    if (bytes.length <= kept + markBytesMax) continue;
    edits.push({ start, end, text: shorten(bytes, kept) });
  }
  return applyEdits(json, edits);
}
