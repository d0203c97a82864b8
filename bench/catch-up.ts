// The catch-up scenario: everything stands in the files already, ship it once. Run by run.ts.
//
// Peers run in turn, a b c a b c, against one sink, so that a machine that slows down slows all of
// them. Each round also runs every peer on files of a few lines: what that costs is its start-up
// (an agent that has nothing to send never starts half of what it needs), and the cost of a line is
// the difference of the two runs over the difference in lines. Ratios are taken within a round,
// then the median.

import { type Corpus, type CorpusKind, writeCorpus } from './corpus.ts';
import type { Cost } from './measure.ts';
import { runPeer } from './peer-run.ts';
import type { Peer } from './peers/peer.ts';
import type { Sink, SinkStats } from './sink-client.ts';
import { digits, markdownTable, median } from './statistics.ts';
import type { Workspace } from './workspace.ts';

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
  /** Without start-up. */
  readonly cpuMicrosPerLine: number;
  /** The same over curl's in the same round; undefined if curl did not run. */
  readonly ratioToCurl: number | undefined;
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

type Run = { readonly peer: Peer; readonly lines: number; readonly cost: Cost; stats: SinkStats };
/** Per peer name, the runs of one round. */
type Round = ReadonlyMap<string, Run>;

async function runRound(
  peers: readonly Peer[],
  corpus: Corpus,
  place: { readonly sink: Sink; readonly workspace: Workspace; readonly timeoutMs: number },
): Promise<Round> {
  const round = new Map<string, Run>();
  for (const peer of peers) {
    const lines = Math.floor(corpus.lineCount * peer.lineShare);
    const task = {
      ...corpus,
      stateDir: place.workspace.makeState(peer.name),
      endpoint: place.sink.url,
      follow: false,
      lineCount: lines,
    };
    const { cost, stats } = await runPeer(peer, task, place.sink, place.timeoutMs);
    round.set(peer.name, { peer, lines, cost, stats });
  }
  return round;
}

function microsPerLine(run: Run | undefined, start: Run | undefined): number {
  if (run === undefined || start === undefined) return Number.NaN;
  const cpuMicros = (run.cost.cpuSeconds - start.cost.cpuSeconds) * 1e6;
  return cpuMicros / (run.lines - start.lines);
}

/** The rows of one corpus kind; `starts` are the short runs of the same rounds. */
function summarize(
  kind: CorpusKind,
  peers: readonly Peer[],
  measured: { readonly rounds: readonly Round[]; readonly starts: readonly Round[] },
): CatchUpRow[] {
  const { rounds, starts } = measured;
  return peers.map((peer) => {
    const runs = rounds.flatMap((round) => round.get(peer.name) ?? []);
    const costs = rounds.map((round, index) => ({
      own: microsPerLine(round.get(peer.name), starts[index]?.get(peer.name)),
      floor: microsPerLine(round.get('curl'), starts[index]?.get('curl')),
    }));
    const ratio = median(costs.map(({ own, floor }) => own / floor));
    return {
      kind,
      peer: peer.name,
      version: peer.find() ?? '',
      lines: runs[0]?.lines ?? 0,
      cpuMicrosPerLine: median(costs.map(({ own }) => own)),
      ratioToCurl: Number.isNaN(ratio) ? undefined : ratio,
      cpuSeconds: median(runs.map((run) => run.cost.cpuSeconds)),
      startCpuSeconds: median(
        starts.flatMap((round) => round.get(peer.name)?.cost.cpuSeconds ?? []),
      ),
      wallSeconds: median(runs.map((run) => run.cost.wallSeconds)),
      rssPeakBytes: median(runs.map((run) => run.cost.rssPeakBytes)),
      wireBytesPerLine: median(runs.map((run) => run.stats.wireBytes / run.lines)),
      requests: median(runs.map((run) => run.stats.requests)),
    };
  });
}

/** Writes the corpora, runs all rounds. `onProgress` gets a sentence now and then. */
export async function runCatchUp(
  peers: readonly Peer[],
  options: CatchUpOptions,
  place: { readonly sink: Sink; readonly workspace: Workspace },
  onProgress: (sentence: string) => void,
): Promise<{ rows: CatchUpRow[]; corpora: Corpus[] }> {
  const { lineCount, fileCount, seed, timeoutMs } = options;
  const write = (name: string, kind: CorpusKind, lines: number) => {
    const folder = place.workspace.makeLogs(name);
    return writeCorpus({ folder, kind, lineCount: lines, fileCount, seed });
  };
  const start = write('start', 'text', startLinesPerFile * fileCount);
  const corpora = options.kinds.map((kind) => write(kind, kind, lineCount));
  for (const { kind, bytes } of corpora) {
    onProgress(`${lineCount} lines of ${kind}, ${digits(bytes / lineCount, 0)} bytes each`);
  }
  const here = { ...place, timeoutMs };
  await runRound(peers, start, here); // Warms the file cache and the compile cache; not counted.
  const starts: Round[] = [];
  const rounds = new Map<CorpusKind, Round[]>(options.kinds.map((kind) => [kind, []]));
  for (let round = 0; round < options.rounds; round++) {
    starts.push(await runRound(peers, start, here));
    for (const corpus of corpora) {
      rounds.get(corpus.kind)?.push(await runRound(peers, corpus, here));
    }
    onProgress(`round ${round + 1} of ${options.rounds} done`);
  }
  const rows = options.kinds.flatMap((kind) =>
    summarize(kind, peers, { rounds: rounds.get(kind) ?? [], starts }),
  );
  return { rows, corpora };
}

/** The table of the report. */
export function tabulateCatchUp(rows: readonly CatchUpRow[]): string {
  const head = ['corpus, peer', 'lines', 'CPU µs/line', '× curl', 'start-up CPU s'];
  head.push('CPU s in all', 'wall s', 'RSS peak MB', 'wire bytes/line', 'requests');
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.kind}, ${row.peer} ${row.version}`,
      String(row.lines),
      digits(row.cpuMicrosPerLine, 3),
      digits(row.ratioToCurl, 2),
      digits(row.startCpuSeconds, 3),
      digits(row.cpuSeconds, 3),
      digits(row.wallSeconds, 3),
      digits(row.rssPeakBytes / 1e6, 0),
      digits(row.wireBytesPerLine, 1),
      digits(row.requests, 0),
    ]),
  ]);
}
