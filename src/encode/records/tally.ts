// What a task counts of one source. The invariant: what the body is cut back to, the counts are,
// too.

import { severityIndex } from '../../log-severity.ts';
import type { RuleCount, SourceResult } from '../drain-task.ts';

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
  readonly ruleCounts: Uint32Array | undefined;
};

const infoIndex = severityIndex('INFO');

/** What every answer counts. */
export const zeroTally = { lines: 0, entries: 0, fastLines: 0, malformedLines: 0 };

export class Tally {
  readonly #counts: Counts = { ...zeroTally, redacted: 0, sampledOut: 0, holeBytes: 0 };
  /** The kernel counts here, too. */
  readonly #severityCounts: Uint32Array;
  readonly #ruleNames: readonly string[];
  /** Of each rule: the records that it could not treat, and those that it left out. */
  readonly #ruleCounts: Uint32Array | undefined;

  constructor(severityCounts: Uint32Array, ruleNames: readonly string[] = []) {
    this.#severityCounts = severityCounts.fill(0);
    this.#ruleNames = ruleNames;
    this.#ruleCounts = ruleNames.length === 0 ? undefined : new Uint32Array(2 * ruleNames.length);
  }

  /** Lines that the kernel has made entries, some of several; their severities it has counted. */
  addFastLines(lines: number, entries: number): void {
    this.#counts.entries += entries;
    this.#counts.lines += lines;
    this.#counts.fastLines += lines;
  }

  /** A record of several lines that the kernel has made an entry, and counted by severity. */
  addFastJoin(): void {
    this.#counts.entries++;
  }

  addLine(): void {
    this.#counts.lines++;
  }

  addMalformedLines(count: number): void {
    this.#counts.malformedLines += count;
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

  /** A record that the rules at these places could not treat. */
  addMisses(indexes: readonly number[]): void {
    for (const index of indexes) this.#ruleCounts![2 * index]! += 1;
  }

  /** A record that the rule at this index has left out. */
  addDropped(index: number): void {
    this.#ruleCounts![2 * index + 1]! += 1;
  }

  addHole(bytes: number): void {
    this.#counts.holeBytes += bytes;
  }

  mark(): TallyMark {
    const severityCounts = this.#severityCounts.slice();
    return { counts: { ...this.#counts }, severityCounts, ruleCounts: this.#ruleCounts?.slice() };
  }

  returnTo({ counts, severityCounts, ruleCounts }: TallyMark): void {
    Object.assign(this.#counts, counts);
    this.#severityCounts.set(severityCounts);
    if (ruleCounts !== undefined) this.#ruleCounts?.set(ruleCounts);
  }

  /**
   * The counts of the answer. It is copied between threads, so those that most have none of are
   * left out, and the severities where all are INFO.
   */
  answer(): Omit<SourceResult, 'consumed' | 'positionHashes' | 'readError' | 'more'> {
    const { lines, entries, fastLines, malformedLines } = this.#counts;
    const { redacted, sampledOut, holeBytes } = this.#counts;
    const isPlain = this.#severityCounts[infoIndex] === entries;
    const severities = isPlain ? undefined : [...this.#severityCounts];
    const hasNone = redacted === 0 && sampledOut === 0 && holeBytes === 0;
    const counts = { lines, entries, fastLines, malformedLines, severities };
    const rules = this.#countsByRule();
    if (hasNone && rules.length === 0) return counts;
    const ruled = rules.length > 0 && { rules };
    return { ...counts, redacted, sampledOut, holeBytes, ...ruled };
  }

  #countsByRule(): RuleCount[] {
    const counts = this.#ruleCounts;
    if (counts === undefined) return [];
    return this.#ruleNames.flatMap((name, index) => {
      const [misses = 0, dropped = 0] = counts.subarray(2 * index, 2 * index + 2);
      return misses + dropped === 0 ? [] : [{ name, misses, dropped }];
    });
  }
}
