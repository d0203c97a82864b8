// Cuts the next segments out of a chain's files.
//
// Invariant: segments are in write order; nothing is cut after a file that may still grow.

import assert from 'node:assert/strict';

import { append } from './append.ts';
import { limits } from '../config.ts';
import type { Segment } from '../encode/drain-task.ts';
import type { LogFile } from './log-file.ts';

/** Segments of one chain for one task. */
export type ChainCut = {
  readonly segments: readonly Segment[];
  /** The file of each segment. */
  readonly files: readonly LogFile[];
  readonly bytes: number;
  /** The container's log ends with the last segment. */
  readonly ended: boolean;
};

export type CutOptions = {
  readonly bytesMax: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Nothing comes after the last file. */
  readonly isOver: boolean;
  /** Whether the file can be read now; opens it if need be. */
  readonly open: (file: LogFile) => boolean;
};

/** Up to `bytesMax` bytes of one restart, from the oldest unread one. */
export function cutSegments(chain: readonly LogFile[], options: CutOptions): ChainCut {
  const { bytesMax, nowMs } = options;
  let segments: readonly Segment[] = [];
  let files: readonly LogFile[] = [];
  let bytes = 0;
  for (const file of chain) {
    if (file.unread === 0) continue;
    const first = files[0];
    if (first !== undefined && first.owner.restartCount !== file.owner.restartCount) break;
    if (file.spool.isNeeded && file.spool.dueMs > nowMs) {
      // There is no room to unpack it now. Newer files need not wait, but older bytes must not be
      // joined with newer ones.
      if (first === undefined) continue;
      break;
    }
    if (bytes >= bytesMax || !options.open(file)) break;
    if (file.unread === 0) continue; // Opening it identified it: it was read before.
    // A record that was flushed, and perhaps sent, is read again without what follows it now.
    const last = file.position.flushedEnd ?? file.size;
    const end = Math.min(file.size, last, file.offset + bytesMax - bytes);
    segments = append(segments, segmentOf(file, end));
    files = append(files, file);
    bytes += end - file.offset;
    if (!file.ended || end < file.size) break;
  }
  const ended = segments.at(-1)?.ended === true && endsAfter(chain, files, options.isOver);
  return { segments, files, bytes, ended };
}

/** Whether nothing of the same restart will follow the last of these files. */
function endsAfter(chain: readonly LogFile[], files: readonly LogFile[], isOver: boolean): boolean {
  const last = files.at(-1);
  if (last === undefined) return false;
  const next = chain[chain.indexOf(last) + 1];
  if (next !== undefined) return next.owner.restartCount !== last.owner.restartCount;
  return isOver;
}

function segmentOf(file: LogFile, end: number): Segment {
  assert(file.fd !== undefined && file.identity !== undefined);
  const { fd, offset: start, position } = file;
  const { idPrefix, fallbackTime } = file.identity;
  const ended = file.ended && end === file.size;
  const segment = { fd, start, end, ended, idPrefix, fallbackTime, positionHash: position.hash };
  if (file.format !== 'raw') return segment;
  const lineTimes = position.readTimes.map((read) => ({
    end: read.end,
    time: timeText(read.atMs),
  }));
  return { ...segment, fallbackTime: timeText(Date.now()), lineTimes };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Bytes of the segments that a task has consumed; `consumed` is where it stopped in each. */
export function bytesConsumed(
  segments: readonly Pick<Segment, 'start'>[],
  consumed: readonly number[],
): number {
  const bytesOf = (start: number, index: number) => (consumed[index] ?? start) - start;
  return segments.reduce((bytes, { start }, index) => bytes + bytesOf(start, index), 0);
}

/** Compares the files of a cut that was read; false when one has become another log since. */
export function verifyCut({ files, segments }: ChainCut): boolean {
  // No early return: each replaced file must notice.
  let all = true;
  for (let index = 0; index < files.length; index += 1) {
    const file = files[index]!;
    if (file.name.rotation !== '' && !file.replaced) continue;
    const { start, end } = segments[index]!;
    // A task compares the bytes before what it reads, with the same read if it can.
    const isCompared =
      file.identity?.instance === '' && file.isToldAt(start) && end - start <= limits.readBytes;
    if (isCompared && start >= limits.identityBytes) continue;
    // Of one that a look found replaced meanwhile, nobody knows which bytes were read.
    if (file.replaced || !file.verify(isCompared)) all = false;
  }
  return all;
}
