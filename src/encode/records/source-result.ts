// What a task has done of a source, by its segments.

import type { Source, SourceResult } from '../drain-task.ts';
import type { BytePosition } from './source-run.ts';
import { zeroTally } from './tally.ts';

/** Per segment, where the next task has to start. */
export function consumedOf(source: Source, next: BytePosition, ends: readonly number[]): number[] {
  return source.segments.map((segment, index) => {
    if (index < next.segment) return ends[index]!;
    return index === next.segment ? next.offset : segment.start;
  });
}

function hasBytes(source: Source): boolean {
  return source.segments.some((segment) => segment.end > segment.start);
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
