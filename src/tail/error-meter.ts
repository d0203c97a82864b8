// Which share of the recent entries is ERROR or above: of one container, or of all.

import { severityIndex } from '../log-severity.ts';
import { RecentSums } from './recent-sums.ts';
import type { ContainerTotals } from './totals.ts';

type Counted = Pick<ContainerTotals, 'entries' | 'severities'>;

/** The first shows an outburst at once. */
const spansMs = [15_000, 60_000, 300_000, 900_000] as const;
const firstError = severityIndex('ERROR');

/** Entries that are ERROR or above. */
export function errorCount({ severities }: Pick<Counted, 'severities'>): number {
  let count = 0;
  for (let index = firstError; index < severities.length; index += 1) {
    count += severities[index] ?? 0;
  }
  return count;
}

export class ErrorMeter {
  readonly #recent: RecentSums;

  /** Nothing was counted before `startMs`. */
  constructor(startMs: number) {
    this.#recent = new RecentSums(2, startMs);
  }

  /** Nothing was counted since the last sample. */
  hold(nowMs: number): void {
    this.#recent.hold(nowMs);
  }

  sample(counted: Counted, nowMs: number): void {
    this.#recent.add(nowMs, [counted.entries, errorCount(counted)]);
  }

  /** 0 to 1: of the shortest span with entries, then of 1, 5 and 15 minutes; null: no entries. */
  shares(counted: Counted, nowMs: number): (number | null)[] {
    const sums = [counted.entries, errorCount(counted)];
    const shares = spansMs.map((spanMs) => {
      const [entries = 0, errors = 0] = this.#recent.since(spanMs, nowMs, sums).sums;
      return entries === 0 ? null : errors / entries;
    });
    const [, ...minutes] = shares;
    return [shares.find((share) => share !== null) ?? null, ...minutes];
  }
}
