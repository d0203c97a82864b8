// The scenarios with a load that goes on: lines are written while the agent runs, at a steady rate,
// over few or many files, with rotations or without. CPU is of a core, over an interval that begins
// after the agent has settled.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer } from './corpus.ts';
import { type IntervalCost, measureInterval } from './measure.ts';
import { countRuns, type Measured, measurePairs, type PairOptions } from './pairs.ts';
import { assertEnded, hasLines, makeTask, type Place, startPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, digitsOf, markdownTable, median, type Spread } from './statistics.ts';

/** Lines a second in turn over so many files. */
export type Load = { readonly rate: number; readonly fileCount: number };

export type LiveOptions = PairOptions & {
  /** Each is a run of its own. */
  readonly loads: readonly Load[];
  /** Under load before the measured interval begins. */
  readonly settleSeconds: number;
  /** Length of the measured interval. */
  readonly seconds: number;
  /** A file of this size is rotated. */
  readonly rotateBytes: number | undefined;
};

/** One run. */
type LiveRun = IntervalCost & {
  readonly rate: number;
  readonly fileCount: number;
  readonly cpuMicrosPerLine: number;
  readonly wireBytesPerLine: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Not arrived some time after the last write: lost, or the agent is that far behind. */
  readonly missing: number;
  readonly doubled: number;
};

/** Medians over the rounds, but for missing and doubled lines, which are the most in any. */
export type LiveRow = LiveRun & {
  readonly peer: string;
  readonly version: string;
  /** CPU over that of the peer it was paired with, within a round. */
  readonly ratios: Readonly<Record<string, Spread>>;
};

/** An agent that uses less of a core than this has started. */
const startedPercent = 5;
const startPollSeconds = 0.5;
const startSecondsMax = 10;
const firstLineTimeoutMs = 60_000;
const drainTimeoutMs = 15_000;

function startWriter(
  files: readonly string[],
  options: LiveOptions,
  load: Load & { readonly seconds: number },
): ChildProcess {
  const args = [path.join(import.meta.dirname, 'live-writer.ts')];
  args.push('--rate', String(load.rate), '--seconds', String(load.seconds));
  if (options.rotateBytes !== undefined) args.push('--rotate-bytes', String(options.rotateBytes));
  return spawn(process.execPath, [...args, ...files], { stdio: 'inherit' });
}

/** Counters of the sink between the begin and the end of the interval. */
async function measureSteady(
  tree: () => number[],
  load: Load,
  seconds: number,
  sink: Place['sink'],
): Promise<Omit<LiveRun, 'missing' | 'doubled'>> {
  await sink.forgetLatencies();
  const before = await sink.stats();
  const cost = await measureInterval(tree, seconds);
  const after = await sink.stats();
  const arrived = after.distinct - before.distinct;
  // Batches make what arrives differ a little from what is written; one that falls behind, a lot.
  const written = load.rate * cost.seconds;
  const lines = arrived > 0.8 * written ? written : arrived;
  return {
    ...cost,
    ...load,
    cpuMicrosPerLine: (cost.cpuPercentOfCore * 1e4 * cost.seconds) / lines,
    wireBytesPerLine: (after.wireBytes - before.wireBytes) / arrived,
    p50Ms: after.p50Ms,
    p99Ms: after.p99Ms,
  };
}

/** Waits until the agent rests, for a while at most: some never do. */
async function waitForStart(tree: () => number[]): Promise<void> {
  const polls = startSecondsMax / startPollSeconds;
  for (let poll = 0; poll < polls; poll++) {
    const { cpuPercentOfCore } = await measureInterval(tree, startPollSeconds);
    if (tree().length > 0 && cpuPercentOfCore < startedPercent && poll > 0) return;
  }
}

async function runLivePeer(
  peer: FoundPeer,
  options: LiveOptions,
  load: Load,
  place: Place,
): Promise<LiveRun> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs('live');
  const files = Array.from({ length: load.fileCount }, (_, i) => createContainer(folder, i));
  const writeSeconds = options.settleSeconds + Math.ceil(options.seconds) + 1;
  const lineCount = load.rate * writeSeconds;
  await sink.reset(lineCount, 'live');
  const places = { containersDir: path.join(folder, 'containers'), logRoot: `${folder}/pods` };
  const running = startPeer(peer, makeTask(place, peer, { kind: 'text', files, ...places }, true));
  let writer: ChildProcess | undefined;
  try {
    // A load that begins before the agent is up would be measured as its catch-up.
    await waitForStart(running.tree);
    writer = startWriter(files, options, { ...load, seconds: writeSeconds });
    const written = once(writer, 'exit');
    const isUp = await hasLines(sink, { lineCount: 1, timeoutMs: firstLineTimeoutMs });
    if (!isUp) throw new Error(`${peer.name} sent nothing: ${(await running.stop()).stderr}`);
    await sleep(options.settleSeconds * 1000);
    const steady = await measureSteady(running.tree, load, options.seconds, sink);
    const [code] = (await written) as [number | null];
    if (code !== 0) throw new Error(`the writer ended with ${code}`);
    await hasLines(sink, { lineCount, timeoutMs: drainTimeoutMs });
    const { distinct, doubled } = await sink.stats();
    const ended = await running.stop();
    const missing = lineCount - distinct;
    // An agent that cannot keep up may have to be killed.
    if (missing === 0) assertEnded(peer.name, ended);
    return { ...steady, missing, doubled };
  } finally {
    writer?.kill('SIGTERM');
    await running.stop();
    workspace.removeLogs('live');
  }
}

function summarize(
  { name, version }: FoundPeer,
  load: Load,
  { runs, ratios }: Measured<LiveRun>,
): LiveRow {
  const middle = (read: (run: LiveRun) => number) => median(runs.map(read));
  return {
    peer: name,
    version,
    ...load,
    ratios,
    seconds: middle((run) => run.seconds),
    cpuPercentOfCore: middle((run) => run.cpuPercentOfCore),
    cpuMicrosPerLine: middle((run) => run.cpuMicrosPerLine),
    rssBytes: middle((run) => run.rssBytes),
    rssPeakBytes: Math.max(...runs.map((run) => run.rssPeakBytes)),
    wireBytesPerLine: middle((run) => run.wireBytesPerLine),
    wakeUpsPerSecond: middle((run) => run.wakeUpsPerSecond),
    p50Ms: middle((run) => run.p50Ms ?? Number.NaN),
    p99Ms: middle((run) => run.p99Ms ?? Number.NaN),
    missing: Math.max(...runs.map((run) => run.missing)),
    doubled: Math.max(...runs.map((run) => run.doubled)),
  };
}

/** Runs the pairs of peers under the writer's load, one load after the other. */
export async function runLive(
  peers: readonly FoundPeer[],
  options: LiveOptions,
  place: Place,
): Promise<LiveRow[]> {
  const rows: LiveRow[] = [];
  place.progress.plan(options.loads.length * countRuns(peers.length, options.rounds));
  for (const load of options.loads) {
    const measured = await measurePairs(peers, options, {
      place: String(load.rate),
      async run(peer) {
        const run = await runLivePeer(peer, options, load, place);
        place.progress.ran();
        return run;
      },
      costsOf: (runs) => runs.map((run) => run.cpuMicrosPerLine),
      onRound: (sentence) => place.progress.say(`${load.rate} lines/s: ${sentence}`),
    });
    rows.push(...[...measured].map(([peer, each]) => summarize(peer, load, each)));
  }
  return rows;
}

/** The table of the report. */
export function tabulateLive(rows: readonly LiveRow[]): string {
  const own = rows[0]?.peer ?? '';
  const head = ['lines/s, peer', 'files', 'CPU % of a core', `× ${own}`, 'CPU µs/line'];
  head.push(
    'wake-ups/s',
    'RSS MB',
    'RSS peak MB',
    'wire bytes/line',
    'p50 ms',
    'p99 ms',
    'missing',
    'doubled',
  );
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.rate}, ${row.peer} ${row.version}`,
      String(row.fileCount),
      digits(row.cpuPercentOfCore, 2),
      digitsOf(row.ratios[own], 2),
      digits(row.cpuMicrosPerLine, 2),
      digits(row.wakeUpsPerSecond, 0),
      digits(row.rssBytes / 1e6, 0),
      digits(row.rssPeakBytes / 1e6, 0),
      digits(row.wireBytesPerLine, 0),
      digits(row.p50Ms, 0),
      digits(row.p99Ms, 0),
      String(row.missing),
      String(row.doubled),
    ]),
  ]);
}
