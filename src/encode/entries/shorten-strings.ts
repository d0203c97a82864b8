// Shortens the longest strings of a JSON object until it fits. The invariant: the result is the
// same object but for those strings, which say how much of them is missing; no character is cut in
// two.

import { limits } from '../../config.ts';
import { objectBytes } from './entry-size.ts';
import { applyEdits, scanTokens } from '../json/object-scan.ts';
import type { Edit } from '../json/object-scan.ts';

/** The maximum length of a mark. */
const markBytesMax = 40;

type LongString = { readonly start: number; readonly end: number; readonly bytes: number };

/** Where UTF-8 text can be cut: after `bytes`, or up to three bytes before. */
export function characterBorder(text: Uint8Array, bytes: number): number {
  let border = bytes;
  while (border > 0 && ((text[border] ?? 0) & 0xc0) === 0x80) border--;
  return border;
}

/** Whether a string becomes shorter if at most `kept` of its bytes stay. */
export function isWorthShortening(bytes: number, kept: number): boolean {
  return bytes > kept + markBytesMax;
}

/** The string values that may be shortened. */
function longStrings(json: string): readonly LongString[] {
  const found: LongString[] = [];
  scanTokens(json, (kind, start, end) => {
    // Three bytes of UTF-8 are the most that one UTF-16 unit takes.
    if (kind !== 'string' || !isWorthShortening(3 * (end - start), limits.stringKeptBytesMin)) {
      return;
    }
    const bytes = Buffer.byteLength(JSON.parse(json.slice(start, end)) as string);
    if (isWorthShortening(bytes, limits.stringKeptBytesMin)) found.push({ start, end, bytes });
  });
  return found;
}

/** Bytes saved if at most `kept` bytes of each string stay. */
function savedBytes(strings: readonly { readonly bytes: number }[], kept: number): number {
  let saved = 0;
  for (const { bytes } of strings) saved += Math.max(0, bytes - kept - markBytesMax);
  return saved;
}

/** The largest length that saves `wanted` bytes. */
export function keptBytes(strings: readonly { readonly bytes: number }[], wanted: number): number {
  let fits: number = limits.stringKeptBytesMin;
  let tooLong: number = limits.lineBytesMax * 3;
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (savedBytes(strings, middle) >= wanted) fits = middle;
    else tooLong = middle;
  }
  return fits;
}

/** A raw string, quotes included, with at most `kept` of its bytes and a mark. */
export function shortenString(raw: string, kept: number): string {
  const text = Buffer.from(JSON.parse(raw) as string);
  const border = characterBorder(text, kept);
  const mark = `…[truncated ${text.length - border} bytes]`;
  return JSON.stringify(text.toString('utf8', 0, border) + mark);
}

/**
 * The object with its longest strings shortened to one length, so that it has at most `bytesMax` as
 * a protobuf Struct. Undefined if that is impossible because of keys, numbers, or many small
 * values.
 */
export function shortenStrings(json: string, bytesMax: number): string | undefined {
  const excess = objectBytes(json) - bytesMax;
  if (excess <= 0) return json;
  const strings = longStrings(json);
  if (savedBytes(strings, limits.stringKeptBytesMin) < excess) return undefined;
  const kept = keptBytes(strings, excess);
  const edits: Edit[] = [];
  for (const { start, end, bytes } of strings) {
    if (!isWorthShortening(bytes, kept)) continue;
    edits.push({ start, end, text: shortenString(json.slice(start, end), kept) });
  }
  return applyEdits(json, edits);
}
