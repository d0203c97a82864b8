// What a task counts of one source. The invariant: what the body is cut back to, the counts are,
// too.

import { severityIndex } from '../../log-severity.ts';
import type { SourceResult } from '../drain-task.ts';

type Counts = {
  lines: number;
  entries: number;
  fastLines: number;
  malformedLines: number;
  redacted: number;
  sampledOut: number;
  holeBytes: number;
};

/** The counts at a mark. */
export type TallyMark = {
  readonly counts: Readonly<Counts>;
  readonly severityCounts: Uint32Array;
};

/** What every answer counts. */
export const zeroTally = { lines: 0, entries: 0, fastLines: 0, malformedLines: 0 };

export class Tally {
  readonly #counts: Counts = { ...zeroTally, redacted: 0, sampledOut: 0, holeBytes: 0 };
  /** The kernel counts here, too. */
  readonly #severityCounts: Uint32Array;

  constructor(severityCounts: Uint32Array) {
    this.#severityCounts = severityCounts.fill(0);
  }

  /** Lines that the kernel has made entries; their severities it has counted. */
  addFastLines(count: number): void {
    this.#counts.entries += count;
    this.#counts.lines += count;
    this.#counts.fastLines += count;
  }

  /** A record of several lines that the kernel has made an entry, and counted by severity. */
  addFastJoin(): void {
    this.#counts.entries++;
  }

  addLine(): void {
    this.#counts.lines++;
  }

  addMalformedLine(): void {
    this.#counts.malformedLines++;
  }

  /** The entries of one record. */
  addEntries(count: number, severity: number, isRedacted: boolean): void {
    this.#counts.entries += count;
    if (isRedacted) this.#counts.redacted += count;
    this.#severityCounts[severity]! += count;
  }

  addSampledOut(): void {
    this.#counts.sampledOut++;
  }

  addHole(bytes: number): void {
    this.#counts.holeBytes += bytes;
  }

  mark(): TallyMark {
    return { counts: { ...this.#counts }, severityCounts: this.#severityCounts.slice() };
  }

  returnTo({ counts, severityCounts }: TallyMark): void {
    Object.assign(this.#counts, counts);
    this.#severityCounts.set(severityCounts);
  }

  /**
   * The counts of the answer. It is copied between threads, so those that most have none of are
   * left out, and the severities where all are INFO.
   */
  answer(): Omit<SourceResult, 'consumed' | 'positionHashes' | 'readError' | 'more'> {
    const { redacted, sampledOut, holeBytes, ...counts } = this.#counts;
    const isPlain = this.#severityCounts[severityIndex('INFO')] === counts.entries;
    const severities = isPlain ? undefined : [...this.#severityCounts];
    if (redacted === 0 && sampledOut === 0 && holeBytes === 0) return { ...counts, severities };
    return { ...counts, severities, redacted, sampledOut, holeBytes };
  }
}
