// Measures two peers against each other: a b a b, so that a machine that slows down slows both, and
// a ratio is taken within a round. The invariant: rounds are added while the ratios spread too far
// or their median is over a gate, never taken away, so that a repetition cannot choose its result.

import { mostOf } from './gates.ts';
import { type Spread, spreadOf } from './statistics.ts';

export type PairOptions = {
  readonly rounds: number;
  /** Rounds are added while the middle half of the ratios is wider than this part of the median. */
  readonly spreadMax: number | undefined;
  /** `place:own:other:most`: a few rounds that are over a gate by chance must not break it. */
  readonly gates: readonly string[];
};

/** How often the rounds asked for may be run before the ratios are accepted. */
const repetitionsMax = 2;

/** What was run of one peer, and its cost over that of each peer it was paired with. */
export type Measured<Run> = {
  readonly runs: readonly Run[];
  readonly ratios: Readonly<Record<string, Spread>>;
};

export type Measurement<Peer, Run> = {
  /** As in the gates. */
  readonly place: string;
  readonly run: (peer: Peer) => Promise<Run>;
  /** The cost of each run; a part that is the same in all may come from all of them. */
  readonly costsOf: (runs: readonly Run[]) => readonly number[];
  readonly onRound?: (sentence: string) => void;
};

type Named = { readonly name: string };

async function runPair<Peer extends Named, Run>(
  [own, other]: readonly [Peer, Peer],
  options: PairOptions,
  { place, run, costsOf, onRound }: Measurement<Peer, Run>,
): Promise<{ own: Run[]; other: Run[]; ratio: Spread }> {
  const { rounds, spreadMax = Infinity, gates } = options;
  const most = mostOf(gates, { place, own: own.name, other: other.name });
  const runs = { own: [] as Run[], other: [] as Run[] };
  for (;;) {
    runs.own.push(await run(own));
    runs.other.push(await run(other));
    const others = costsOf(runs.other);
    const ratio = spreadOf(
      costsOf(runs.own).map((cost, index) => cost / (others[index] ?? Number.NaN)),
    );
    const done = runs.own.length;
    onRound?.(`${own.name} and ${other.name}: round ${done} of ${Math.max(done, rounds)} done`);
    if (done < rounds) continue;
    const isClear = ratio.width <= spreadMax && ratio.median <= most;
    if (isClear || done >= repetitionsMax * rounds) return { ...runs, ratio };
  }
}

/**
 * Measures the first peer against each of the others. A single peer is run as often as the rounds
 * say.
 */
export async function measurePairs<Peer extends Named, Run>(
  peers: readonly Peer[],
  options: PairOptions,
  measurement: Measurement<Peer, Run>,
): Promise<Map<Peer, Measured<Run>>> {
  const [own, ...others] = peers;
  const measured = new Map<Peer, Measured<Run>>();
  if (own === undefined) return measured;
  const ownRuns: Run[] = [];
  const ownRatios: Record<string, Spread> = {};
  for (const other of others) {
    const pair = await runPair([own, other], options, measurement);
    ownRuns.push(...pair.own);
    ownRatios[other.name] = pair.ratio;
    const inverse = spreadOf(pair.ratio.each.map((ratio) => 1 / ratio));
    measured.set(other, { runs: pair.other, ratios: { [own.name]: inverse } });
  }
  for (let round = 0; others.length === 0 && round < options.rounds; round++) {
    ownRuns.push(await measurement.run(own));
    measurement.onRound?.(`${own.name}: round ${round + 1} of ${options.rounds} done`);
  }
  return new Map([[own, { runs: ownRuns, ratios: ownRatios }], ...measured]);
}

/** Runs that `measurePairs()` makes if none is repeated. */
export function countRuns(peerCount: number, rounds: number): number {
  return rounds * Math.max(1, 2 * (peerCount - 1));
}
