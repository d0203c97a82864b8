// The result of a task for one source. The invariant: counts that are zero for most sources are
// absent, because the result is copied between threads.

import { readSync } from 'node:fs';

import { limits } from '../../config.ts';
import { severityIndex } from '../../log-severity.ts';
import { positionBytesOf, positionHash } from '../../position-hash.ts';
import type { Source, SourceResult } from '../drain-task.ts';
import type { BytePosition, SourceRun } from './source-run.ts';

const positionScratch = Buffer.allocUnsafeSlow(limits.positionBytes);

/** What every answer counts. */
export const zeroTally = { lines: 0, entries: 0, fastLines: 0, malformedLines: 0 };

/** Per segment, where the next task has to start. */
export function consumedOf(source: Source, next: BytePosition, ends: readonly number[]): number[] {
  return source.segments.map((segment, index) => {
    if (index < next.segment) return ends[index]!;
    return index === next.segment ? next.offset : segment.start;
  });
}

/** The hash of the bytes before `consumed`, from the window where they are still there. */
export function positionHashOf(
  run: SourceRun,
  index: number,
  consumed: number,
): number | undefined {
  const { fd, start } = run.source.segments[index]!;
  if (consumed === start) return undefined;
  const { memory } = run.body;
  const length = positionBytesOf(consumed);
  const at = consumed - length - run.fileBase;
  if (index === run.segment && at >= run.encoder.window) {
    return positionHash(memory.subarray(at, at + length));
  }
  try {
    const count = readSync(fd, positionScratch, 0, length, consumed - length);
    return count < length ? undefined : positionHash(positionScratch.subarray(0, length));
  } catch {
    return undefined; // The next read says what is wrong with the disk.
  }
}

function hasBytes(source: Source): boolean {
  return source.segments.some((segment) => segment.end > segment.start);
}

/** Entries by severity; undefined when all are INFO, as most are: it is copied between threads. */
function severitiesOf({ encoder, tally }: SourceRun): readonly number[] | undefined {
  const { severityCounts } = encoder;
  const isPlain = severityCounts[severityIndex('INFO')] === tally.entries;
  return isPlain ? undefined : [...severityCounts];
}

/** The counts of the answer, those that most have none of left out. */
export function talliedOf(
  run: SourceRun,
): Omit<SourceResult, 'consumed' | 'positionHashes' | 'readError' | 'more'> {
  const { redacted, sampledOut, holeBytes, ...tally } = run.tally;
  const severities = severitiesOf(run);
  if (redacted === 0 && sampledOut === 0 && holeBytes === 0) return { ...tally, severities };
  return { ...tally, severities, redacted, sampledOut, holeBytes };
}

/** The answer for a source that was not begun. */
export function skipSource(source: Source): SourceResult {
  const consumed = source.segments.map((segment) => segment.start);
  return {
    consumed,
    ...zeroTally,
    severities: undefined,
    readError: undefined,
    more: hasBytes(source),
  };
}
