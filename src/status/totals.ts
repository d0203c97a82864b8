// What has gone through since the start: of the agent, and of each container. Kept by pipeline.ts,
// told by agent-status.ts. The invariant: a record is counted when it was encoded, once for each
// time that it was.

import type { SourceResult } from '../encode/drain-task.ts';
import { severityIndex, severityNames } from '../log-severity.ts';

/** What one container has had shipped; bytes are of its files. */
export type ChainTotals = {
  lines: number;
  bytes: number;
  entries: number;
  /** Entries, in the order of `severityNames`. */
  readonly severities: number[];
};

/** The same of all, and what is counted of the agent only. */
export type Totals = ChainTotals & {
  batches: number;
  retries: number;
  deadLettered: number;
  fastLines: number;
  malformedLines: number;
  /** Entries. */
  redacted: number;
  /** Records. */
  sampledOut: number;
  /** Zeros in the files where lines should have begun. */
  holeBytes: number;
  readErrors: number;
  drainCpuMicros: number;
  tasks: number;
};

/** Nothing yet. */
export function createChainTotals(): ChainTotals {
  return { lines: 0, bytes: 0, entries: 0, severities: severityNames.map(() => 0) };
}

/** Nothing yet. */
export function createTotals(): Totals {
  return {
    ...createChainTotals(),
    batches: 0,
    retries: 0,
    deadLettered: 0,
    fastLines: 0,
    malformedLines: 0,
    redacted: 0,
    sampledOut: 0,
    holeBytes: 0,
    readErrors: 0,
    drainCpuMicros: 0,
    tasks: 0,
  };
}

/** Adds what a task made of one container's `bytes`. */
export function addSource(
  totals: Totals,
  chainTotals: ChainTotals,
  { source, bytes }: { readonly source: SourceResult; readonly bytes: number },
): void {
  for (const sums of [totals, chainTotals]) {
    sums.lines += source.lines;
    sums.bytes += bytes;
    sums.entries += source.entries;
    addSeverities(sums.severities, source);
  }
  totals.fastLines += source.fastLines;
  totals.malformedLines += source.malformedLines;
  totals.redacted += source.redacted ?? 0;
  totals.sampledOut += source.sampledOut ?? 0;
  totals.holeBytes += source.holeBytes ?? 0;
}

function addSeverities(sums: number[], { severities, entries }: SourceResult): void {
  if (severities === undefined) sums[severityIndex('INFO')]! += entries;
  for (const [index, count] of severities?.entries() ?? []) sums[index]! += count;
}
