// The catch-up scenario: all lines are in the files before the agent starts; it ships them once.
//
// Each peer is also run on files of a few lines: what that costs is its start-up (an agent that has
// nothing to send never starts half of what it needs), and the cost of a line is what a full run
// costs beyond the median start-up, over the difference in lines. The invariant: the two peers of a
// pair get the same lines, unless the slower one would take longer than a run may.

import { type Corpus, type CorpusKind, writeCorpus } from './corpus.ts';
import type { Cost } from './measure.ts';
import { countRuns, type Measured, measurePairs, type PairOptions } from './pairs.ts';
import { type Place, runPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import type { SinkStats } from './sink-client.ts';
import { digits, digitsOf, markdownTable, median, type Spread } from './statistics.ts';

export type CatchUpOptions = PairOptions & {
  readonly lineCount: number;
  readonly fileCount: number;
  readonly kinds: readonly CorpusKind[];
  readonly seed: number;
  /** A run that would take longer gets fewer lines. */
  readonly runSeconds: number;
  readonly timeoutMs: number;
};

/** Medians over the rounds of one peer on one kind of corpus. */
export type CatchUpRow = {
  readonly kind: CorpusKind;
  readonly peer: string;
  readonly version: string;
  readonly lines: number;
  /** Of the corpus, on disk. */
  readonly bytesPerLine: number;
  /** Without start-up. */
  readonly cpuMicrosPerLine: number;
  /** The same over that of the peer it was paired with, within a round. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** Start-up included. */
  readonly cpuSeconds: number;
  readonly startCpuSeconds: number;
  readonly wallSeconds: number;
  readonly rssPeakBytes: number;
  readonly wireBytesPerLine: number;
  readonly requests: number;
};

/** Lines in each file of the short run. */
const startLinesPerFile = 100;
/** The corpus is cut into so many parts; a slow peer gets some of them. */
const parts = 20;

type Run = { readonly lines: number; readonly cost: Cost; readonly stats: SinkStats };
/** What one peer did in one round. */
export type CatchUpRound = { readonly start: Run; readonly full: Run };
/** What a peer runs on. */
type Corpora = { readonly start: Corpus; readonly full: Corpus };

/** Microseconds a line of each round. */
export function microsPerLine(rounds: readonly CatchUpRound[]): number[] {
  const startSeconds = median(rounds.map(({ start }) => start.cost.cpuSeconds));
  return rounds.map(({ start, full }) => {
    return ((full.cost.cpuSeconds - startSeconds) * 1e6) / (full.lines - start.lines);
  });
}

/** Writes corpora of one kind, each once. */
function makeCorpora(kind: CorpusKind, options: CatchUpOptions, place: Place) {
  const { fileCount, seed } = options;
  const written = new Map<number, Corpus>();
  return {
    of(lineCount: number): Corpus {
      const present = written.get(lineCount);
      if (present !== undefined) return present;
      const folder = place.workspace.makeLogs(`${kind}-${lineCount}`);
      const corpus = writeCorpus({ folder, kind, lineCount, fileCount, seed });
      written.set(lineCount, corpus);
      return corpus;
    },
    remove() {
      for (const lines of written.keys()) place.workspace.removeLogs(`${kind}-${lines}`);
    },
  };
}

/**
 * So many lines that a run ends in time, from the wall time of two shorter runs. Both also load the
 * file cache and the compile cache.
 */
function linesInTime(start: Run, pilot: Run, { lineCount, runSeconds }: CatchUpOptions): number {
  const seconds = pilot.cost.wallSeconds - start.cost.wallSeconds;
  const secondsPerLine = Math.max(0, seconds) / (pilot.lines - start.lines);
  const inTime = (runSeconds - start.cost.wallSeconds) / secondsPerLine;
  if (inTime >= lineCount) return lineCount;
  return Math.max(1, Math.floor((inTime / lineCount) * parts)) * Math.ceil(lineCount / parts);
}

async function runKind(
  peers: readonly FoundPeer[],
  kind: CorpusKind,
  options: CatchUpOptions,
  place: Place,
): Promise<CatchUpRow[]> {
  const { lineCount, fileCount, timeoutMs } = options;
  const corpora = makeCorpora(kind, options, place);
  const run = async (peer: FoundPeer, corpus: Corpus): Promise<Run> => {
    const { cost, stats } = await runPeer(peer, corpus, place, timeoutMs);
    place.progress.ran();
    return { lines: corpus.lineCount, cost, stats };
  };
  const pilotLines = Math.ceil(lineCount / parts);
  const startLines = Math.min(startLinesPerFile * fileCount, Math.ceil(pilotLines / 2));
  const chosen = new Map<FoundPeer, Corpora>();
  for (const peer of peers) {
    const start = corpora.of(startLines);
    const first = await run(peer, start);
    const lines = linesInTime(first, await run(peer, corpora.of(pilotLines)), options);
    chosen.set(peer, { start, full: corpora.of(lines) });
  }
  const measured = await measurePairs(peers, options, {
    place: kind,
    async run(peer): Promise<CatchUpRound> {
      const { start, full } = chosen.get(peer) ?? {
        start: corpora.of(startLines),
        full: corpora.of(lineCount),
      };
      return { start: await run(peer, start), full: await run(peer, full) };
    },
    costsOf: microsPerLine,
    onRound: (sentence) => place.progress.say(`catch-up, ${kind}: ${sentence}`),
  });
  const rows = [...measured].map(([peer, each]) => {
    const corpus = chosen.get(peer)?.full;
    const bytesPerLine = corpus === undefined ? 0 : corpus.bytes / corpus.lineCount;
    return { ...summarize(peer, each), kind, bytesPerLine };
  });
  corpora.remove();
  return rows;
}

/** The row of one peer. */
function summarize(
  peer: FoundPeer,
  { runs: rounds, ratios }: Measured<CatchUpRound>,
): Omit<CatchUpRow, 'kind' | 'bytesPerLine'> {
  const middle = (read: (round: CatchUpRound) => number) => median(rounds.map(read));
  return {
    peer: peer.name,
    version: peer.version,
    lines: rounds[0]?.full.lines ?? 0,
    cpuMicrosPerLine: median(microsPerLine(rounds)),
    ratios,
    cpuSeconds: middle(({ full }) => full.cost.cpuSeconds),
    startCpuSeconds: middle(({ start }) => start.cost.cpuSeconds),
    wallSeconds: middle(({ full }) => full.cost.wallSeconds),
    rssPeakBytes: middle(({ full }) => full.cost.rssPeakBytes),
    wireBytesPerLine: middle(({ full }) => full.stats.wireBytes / full.lines),
    requests: middle(({ full }) => full.stats.requests),
  };
}

/** Runs all pairs, one kind of corpus after the other. */
export async function runCatchUp(
  peers: readonly FoundPeer[],
  options: CatchUpOptions,
  place: Place,
): Promise<CatchUpRow[]> {
  const rows: CatchUpRow[] = [];
  // A round of a peer is a short corpus and a full one; two more find out how many lines it gets.
  const runs = 2 * countRuns(peers.length, options.rounds) + 2 * peers.length;
  place.progress.plan(options.kinds.length * runs);
  for (const kind of options.kinds) rows.push(...(await runKind(peers, kind, options, place)));
  return rows;
}

/** The table of the report. */
export function tabulateCatchUp(rows: readonly CatchUpRow[]): string {
  const own = rows[0]?.peer ?? '';
  const head = ['corpus, peer', 'lines', 'CPU µs/line', `× ${own}`, 'start-up CPU s'];
  head.push('CPU s in all', 'wall s', 'RSS peak MB', 'wire bytes/line', 'requests');
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.kind}, ${row.peer} ${row.version}`,
      String(row.lines),
      digits(row.cpuMicrosPerLine, 2),
      digitsOf(row.ratios[own], 2),
      digits(row.startCpuSeconds, 2),
      digits(row.cpuSeconds, 2),
      digits(row.wallSeconds, 2),
      digits(row.rssPeakBytes / 1e6, 0),
      digits(row.wireBytesPerLine, 0),
      digits(row.requests, 0),
    ]),
  ]);
}
