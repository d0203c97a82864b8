// Records that have begun in the chunk and end in it, too, but with lines of the other stream
// between theirs: one of each stream at most. Their own lines are passed over; a record is encoded
// at the line at which the reference would encode it, which keeps the entries in order.
//
// The invariant: when encoding stops for another reason, nothing is left of a pending record or of
// what came after its first line.

import {
  pendingRecords,
  resultEntries,
  resultLastLine,
  resultLines,
  resultOut,
  resultPosition,
  savedCounts,
  severityCount,
  severityCounts,
  stopFull,
  stopOpenTrace,
  stopTag,
} from './layout';

/** A bit for each stream that has one: 1 stdout, 2 stderr. */
export let pendingStreams: u32 = 0;

// A record: four u32.
const recordBytes: u32 = 16;
export const pendingFirst: usize = 0;
/** The line at which it is encoded. */
export const pendingLast: usize = 4;
/** Of a trace: how many records it joins; 0 of partial lines. */
export const pendingCount: usize = 8;
/** Of a trace: where the record begins that ends it; 0 if it ends itself. */
export const pendingEnding: usize = 12;

function recordOf(stream: u32, area: usize): usize {
  return area + pendingRecords + <usize>(stream * recordBytes);
}

/** A field of the stream's record. */
export function pendingField(stream: u32, field: usize, area: usize): usize {
  return <usize>load<u32>(recordOf(stream, area) + field);
}

/** Keeps a record until its last line. */
export function setPending(
  stream: u32,
  first: usize,
  last: usize,
  count: u32,
  ending: usize,
  area: usize,
): void {
  const record = recordOf(stream, area);
  store<u32>(record, <u32>first, pendingFirst);
  store<u32>(record, <u32>last, pendingLast);
  store<u32>(record, count, pendingCount);
  store<u32>(record, <u32>ending, pendingEnding);
  pendingStreams |= 1 << stream;
}

export function endPending(stream: u32): void {
  pendingStreams &= ~(1 << stream);
}

export function forgetPending(): void {
  pendingStreams = 0;
}

// @ts-ignore: decorator
@inline
export function countEntry(severity: u32, area: usize): void {
  const counted = area + <usize>(severity << 2);
  store<u32>(counted, load<u32>(counted, severityCounts) + 1, severityCounts);
}

// What there was before the first line of a pending record.
let savedPosition: usize = 0;
let savedOut: usize = 0;
let savedEntries: u32 = 0;
let savedLines: u32 = 0;
let savedLine: usize = 0;

/** Keeps what there is before the first line of a record; the parameters as for `writeResults`. */
export function savePending(
  position: usize,
  out: usize,
  lines: u32,
  entries: u32,
  lastLine: usize,
  area: usize,
): void {
  savedPosition = position;
  savedOut = out;
  savedLines = lines;
  savedEntries = entries;
  savedLine = lastLine;
  memory.copy(area + savedCounts, area + severityCounts, severityCount * 4);
}

/**
 * Writes that as the results: nothing is left of what is pending. Returns the stop reason, where
 * `reason` was that of a later line.
 */
export function returnToSaved(reason: u32, area: usize): u32 {
  memory.copy(area + severityCounts, area + savedCounts, severityCount * 4);
  writeResults(savedPosition, savedOut, savedLines, savedEntries, savedLine, area);
  return reason == stopFull || reason == stopOpenTrace ? reason : stopTag;
}

/** Writes the results of a call: where it stopped, and what it did until there. */
export function writeResults(
  position: usize,
  out: usize,
  lines: u32,
  entries: u32,
  lastLine: usize,
  area: usize,
): void {
  store<u32>(area, <u32>position, resultPosition);
  store<u32>(area, <u32>out, resultOut);
  store<u32>(area, lines, resultLines);
  store<u32>(area, entries, resultEntries);
  store<u32>(area, <u32>lastLine, resultLastLine);
}
