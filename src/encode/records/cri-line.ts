// Parses a CRI log line: `<time> <stdout|stderr> <tags> <content>`. The invariant: the kernel,
// which parses the header in its own code, calls the same lines malformed.

import type { Stream } from '../entries/entry-template.ts';
import { parseInstant } from '../rfc3339.ts';

export type CriLine = {
  /** RFC 3339 as in the file, at most nine fraction digits. */
  readonly time: string;
  readonly stream: Stream;
  /** The record goes on in the next line of the same stream. */
  readonly partial: boolean;
  /** Byte range of the content, in the same array as the line. */
  readonly contentStart: number;
  readonly contentEnd: number;
};

const space = 0x20;
const carriageReturn = 0x0d;
/** No time is longer: 29 characters, the zone, and room for fraction digits that are cut off. */
const timeBytesMax = 64;

/** Characters of an ASCII range; other bytes become Latin-1, which no caller accepts. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/**
 * One past the tags that start at `start`: the space before the content, or the line's end. conmon
 * ends a write without a newline with a bare `F` (containers/conmon#629). -1 when there is no tag.
 */
function findTagsEnd(bytes: Uint8Array, start: number, end: number): number {
  const spaceAt = bytes.indexOf(space, start);
  if (spaceAt !== -1 && spaceAt < end) return spaceAt;
  const hasReturn = end > start && bytes[end - 1] === carriageReturn;
  const tagsEnd = hasReturn ? end - 1 : end;
  return tagsEnd > start ? tagsEnd : -1;
}

/**
 * Takes the line in `[start, end)` of `bytes` apart, its `\n` not included; undefined when it is no
 * CRI line (kubelet, parseCRILog). One trailing carriage return of a full line is dropped. In a
 * partial line it is content: the line was cut there by bytes.
 */
export function parseCriLine(bytes: Uint8Array, start: number, end: number): CriLine | undefined {
  const timeEnd = bytes.indexOf(space, start);
  if (timeEnd === -1 || timeEnd >= end || timeEnd - start > timeBytesMax) return undefined;
  const streamEnd = timeEnd + 7;
  if (streamEnd >= end || bytes[streamEnd] !== space) return undefined;
  const stream = latin1(bytes, timeEnd + 1, streamEnd);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tagsStart = streamEnd + 1;
  const tagsEnd = findTagsEnd(bytes, tagsStart, end);
  if (tagsEnd === -1) return undefined;
  const instant = parseInstant(latin1(bytes, start, timeEnd));
  if (instant === undefined) return undefined;
  // Tags are separated by ':'; only the first one counts, and only 'P' means anything.
  const firstTagIsP = bytes[tagsStart] === 0x50;
  const partial = firstTagIsP && (tagsEnd === tagsStart + 1 || bytes[tagsStart + 1] === 0x3a);
  const contentStart = bytes[tagsEnd] === space && tagsEnd < end ? tagsEnd + 1 : end;
  const hasReturn = !partial && end > contentStart && bytes[end - 1] === carriageReturn;
  const contentEnd = hasReturn ? end - 1 : end;
  return { time: instant.text, stream, partial, contentStart, contentEnd };
}
