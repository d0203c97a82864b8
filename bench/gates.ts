// What a benchmark may be failed for: one peer against another, in one run, never microseconds of
// one run against those of another.
//
// Where the ratios of the rounds still spread after all repetitions, their median says little.
// Such a gate breaks only if three quarters of the rounds are over it: work beside the benchmark
// widens the spread, while a slower agent moves all of it.

import { digits, digitsOf, type Spread } from './statistics.ts';

export type Verdict = { readonly sentence: string; readonly isKept: boolean };

/** What a scenario measured at one place: a kind of corpus, or the lines/s of a live load. */
export type Rated = {
  readonly place: string;
  readonly peer: string;
  /** Its cost over that of other peers. */
  readonly ratios: Readonly<Record<string, Spread>>;
};

type Pair = { readonly place: string; readonly own: string; readonly other: string };

/** The least that a gate allows this ratio; Infinity without a gate. */
export function mostOf(gates: readonly string[], { place, own, other }: Pair): number {
  const prefix = `${place}:${own}:${other}:`;
  const found = gates.filter((gate) => gate.startsWith(prefix));
  return Math.min(Infinity, ...found.map((gate) => Number(gate.slice(prefix.length))));
}

/**
 * Judges each `place:own:other:most` whose place is in these rows. `spreadMax` is the width up to
 * which the median is believed. A peer that did not run breaks its gate.
 */
export function judgeGates(
  gates: readonly string[],
  rows: readonly Rated[],
  spreadMax = Infinity,
): Verdict[] {
  const places = new Set(rows.map(({ place }) => place));
  return gates.flatMap((gate) => {
    const [place = '', own = '', other = '', most = ''] = gate.split(':');
    if (!places.has(place)) return [];
    const row = rows.find((each) => each.place === place && each.peer === own);
    const ratio = row?.ratios[other];
    if (ratio === undefined) {
      return [{ sentence: `gate ${gate}: one of the two did not run, BROKEN`, isKept: false }];
    }
    const isNoisy = ratio.width > spreadMax;
    // Written so that NaN breaks the gate.
    const isKept = (isNoisy ? ratio.low : ratio.median) <= Number(most);
    const times = digitsOf(ratio, ratio.median < 0.1 ? 4 : 2);
    const inverse = ratio.median < 0.5 ? `, 1/${digits(1 / ratio.median, 0)}` : '';
    const noise = isNoisy ? ', noisy' : '';
    const rounds = `${ratio.each.length} rounds`;
    const verdict = isKept ? 'kept' : 'BROKEN';
    return [
      { sentence: `gate ${gate}: ${times}${inverse}, ${rounds}${noise}, ${verdict}`, isKept },
    ];
  });
}
