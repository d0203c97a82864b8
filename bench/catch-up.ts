// The catch-up scenario: everything stands in the files already, ship it once. Run by scenarios.ts.
//
// Peers run in turn, a b c a b c, against one sink, so that a machine that slows down slows all of
// them. Each round also runs every peer on files of a few lines: what that costs is its start-up
// (an agent that has nothing to send never starts half of what it needs), and the cost of a line is
// the difference of the two runs over the difference in lines. Ratios are taken within a round,
// then the median.

import { type Corpus, type CorpusKind, writeCorpus } from './corpus.ts';
import type { Cost } from './measure.ts';
import { type Place, runPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import type { SinkStats } from './sink-client.ts';
import { digits, markdownTable, median } from './statistics.ts';

export type CatchUpOptions = {
  readonly lineCount: number;
  readonly fileCount: number;
  readonly rounds: number;
  readonly kinds: readonly CorpusKind[];
  readonly seed: number;
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
  /** The same over that of each other peer in the same round. */
  readonly ratios: Readonly<Record<string, number>>;
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

type Run = { readonly lines: number; readonly cost: Cost; readonly stats: SinkStats };
/** What one peer did in one round. */
type Round = { readonly start: Run; readonly full: Run };
type Corpora = { readonly start: Corpus; readonly full: Corpus };

function microsPerLine({ start, full }: Round): number {
  const cpuMicros = (full.cost.cpuSeconds - start.cost.cpuSeconds) * 1e6;
  return cpuMicros / (full.lines - start.lines);
}

/** The corpora of each peer: a share of the lines for those that would take too long with all. */
function writeCorpora(
  peers: readonly FoundPeer[],
  kind: CorpusKind,
  options: CatchUpOptions,
  place: Place,
): Map<FoundPeer, Corpora> {
  const { lineCount, fileCount, seed } = options;
  const written = new Map<number, Corpus>();
  const write = (lines: number) => {
    const folder = place.workspace.makeLogs(`${kind}-${lines}`);
    const corpus = writeCorpus({ folder, kind, lineCount: lines, fileCount, seed });
    written.set(lines, corpus);
    return corpus;
  };
  const startLines = Math.min(startLinesPerFile * fileCount, Math.ceil(lineCount / 20));
  return new Map(
    peers.map((peer) => {
      const lines = Math.max(2 * startLines, Math.floor(lineCount * peer.lineShare));
      const start = written.get(startLines) ?? write(startLines);
      return [peer, { start, full: written.get(lines) ?? write(lines) }];
    }),
  );
}

async function runKind(
  peers: readonly FoundPeer[],
  kind: CorpusKind,
  options: CatchUpOptions,
  place: Place,
): Promise<CatchUpRow[]> {
  const { timeoutMs } = options;
  const corpora = writeCorpora(peers, kind, options, place);
  const run = async (peer: FoundPeer, corpus: Corpus): Promise<Run> => {
    const { cost, stats } = await runPeer(peer, corpus, place, timeoutMs);
    place.progress.ran();
    return { lines: corpus.lineCount, cost, stats };
  };
  // Warms the file cache and the compile cache; not counted.
  for (const [peer, { start }] of corpora) await run(peer, start);
  const rounds = new Map<FoundPeer, Round[]>(peers.map((peer) => [peer, []]));
  for (let index = 0; index < options.rounds; index++) {
    for (const [peer, { start, full }] of corpora) {
      rounds.get(peer)?.push({ start: await run(peer, start), full: await run(peer, full) });
    }
    place.progress.say(`catch-up, ${kind}: round ${index + 1} of ${options.rounds} done`);
  }
  const rows = peers.map((peer) => {
    const corpus = corpora.get(peer)?.full;
    const bytesPerLine = corpus === undefined ? 0 : corpus.bytes / corpus.lineCount;
    return { ...summarize(peer, rounds), kind, bytesPerLine };
  });
  for (const { start, full } of corpora.values()) {
    for (const { lineCount } of [start, full]) place.workspace.removeLogs(`${kind}-${lineCount}`);
  }
  return rows;
}

/** The row of one peer among all. */
function summarize(
  peer: FoundPeer,
  all: ReadonlyMap<FoundPeer, readonly Round[]>,
): Omit<CatchUpRow, 'kind' | 'bytesPerLine'> {
  const rounds = all.get(peer) ?? [];
  const own = rounds.map(microsPerLine);
  const ratios = [...all].map(([other, theirs]) => {
    const each = theirs.map((round, index) => (own[index] ?? Number.NaN) / microsPerLine(round));
    return [other.name, median(each)] as const;
  });
  const middle = (read: (round: Round) => number) => median(rounds.map(read));
  return {
    peer: peer.name,
    version: peer.version,
    lines: rounds[0]?.full.lines ?? 0,
    cpuMicrosPerLine: median(own),
    ratios: Object.fromEntries(ratios),
    cpuSeconds: middle(({ full }) => full.cost.cpuSeconds),
    startCpuSeconds: middle(({ start }) => start.cost.cpuSeconds),
    wallSeconds: middle(({ full }) => full.cost.wallSeconds),
    rssPeakBytes: middle(({ full }) => full.cost.rssPeakBytes),
    wireBytesPerLine: middle(({ full }) => full.stats.wireBytes / full.lines),
    requests: middle(({ full }) => full.stats.requests),
  };
}

/** Runs all rounds, one kind of corpus after the other. */
export async function runCatchUp(
  peers: readonly FoundPeer[],
  options: CatchUpOptions,
  place: Place,
): Promise<CatchUpRow[]> {
  const rows: CatchUpRow[] = [];
  // A round of a peer is a short corpus and a full one; one more warms the caches.
  place.progress.plan(options.kinds.length * peers.length * (2 * options.rounds + 1));
  for (const kind of options.kinds) rows.push(...(await runKind(peers, kind, options, place)));
  return rows;
}

/** The table of the report. */
export function tabulateCatchUp(rows: readonly CatchUpRow[]): string {
  const head = ['corpus, peer', 'lines', 'CPU µs/line', '× curl', '÷ tailship', 'start-up CPU s'];
  head.push('CPU s in all', 'wall s', 'RSS peak MB', 'wire bytes/line', 'requests');
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.kind}, ${row.peer} ${row.version}`,
      String(row.lines),
      digits(row.cpuMicrosPerLine, 2),
      digits(row.ratios['curl'], 1),
      digits(row.ratios['tailship'], 1),
      digits(row.startCpuSeconds, 2),
      digits(row.cpuSeconds, 2),
      digits(row.wallSeconds, 2),
      digits(row.rssPeakBytes / 1e6, 0),
      digits(row.wireBytesPerLine, 0),
      digits(row.requests, 0),
    ]),
  ]);
}
