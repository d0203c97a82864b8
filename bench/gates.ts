// What a benchmark may be failed for: one peer against another, in one run, never microseconds of
// one run against those of another. Called by run.ts.

import type { CatchUpRow } from './catch-up.ts';
import type { LiveRow } from './live.ts';
import { digits } from './statistics.ts';

export type Verdict = { readonly sentence: string; readonly isKept: boolean };
type Rows = { readonly catchUpRows: readonly CatchUpRow[]; readonly liveRows: readonly LiveRow[] };

/** Cost of `own` over that of `other`; NaN if one did not run. */
function ratioOf(place: string, own: string, other: string, rows: Rows): number {
  const row = rows.catchUpRows.find(({ kind, peer }) => kind === place && peer === own);
  if (row !== undefined) return row.ratios[other] ?? Number.NaN;
  const costOf = (name: string) =>
    rows.liveRows.find(({ rate, peer }) => String(rate) === place && peer === name)
      ?.cpuMicrosPerLine ?? Number.NaN;
  return costOf(own) / costOf(other);
}

/**
 * Judges each `place:own:other:most` whose place is in these rows; the place is a kind of corpus or
 * the lines/s of a live load. A peer that did not run breaks its gate.
 */
export function judgeGates(gates: readonly string[], rows: Rows): Verdict[] {
  const places = new Set<string>([
    ...rows.catchUpRows.map(({ kind }) => kind),
    ...rows.liveRows.map(({ rate }) => String(rate)),
  ]);
  return gates.flatMap((gate) => {
    const [place = '', own = '', other = '', most = ''] = gate.split(':');
    if (!places.has(place)) return [];
    const ratio = ratioOf(place, own, other, rows);
    // Written so that NaN breaks the gate.
    const isKept = ratio <= Number(most);
    const times = digits(ratio, ratio < 0.1 ? 4 : 2);
    const inverse = ratio < 1 ? `, 1/${digits(1 / ratio, 0)}` : '';
    const sentence = `gate ${gate}: ${times} times${inverse}, ${isKept ? 'kept' : 'BROKEN'}`;
    return [{ sentence, isKept }];
  });
}
