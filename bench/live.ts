// The scenarios with a load that goes on: lines are written while the agent runs, at a steady rate,
// over few or many files, with rotations or without. CPU is of a core, over an interval that begins
// after the agent has settled. Run by scenarios.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer } from './corpus.ts';
import { type IntervalCost, measureInterval } from './measure.ts';
import { assertEnded, hasLines, makeTask, type Place, startPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, markdownTable, median } from './statistics.ts';

export type LiveOptions = {
  /** Lines a second over all files; each rate is a run of its own. */
  readonly rates: readonly number[];
  readonly fileCount: number;
  /** Under load before the measured interval begins. */
  readonly settleSeconds: number;
  /** Length of the measured interval. */
  readonly seconds: number;
  readonly rounds: number;
  /** A file of this size is rotated. */
  readonly rotateBytes: number | undefined;
};

/** Medians over the rounds, but for missing and doubled lines, which are the most in any. */
export type LiveRow = IntervalCost & {
  readonly peer: string;
  readonly version: string;
  readonly rate: number;
  readonly cpuMicrosPerLine: number;
  readonly wireBytesPerLine: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Not arrived some time after the last write: lost, or the agent is that far behind. */
  readonly missing: number;
  readonly doubled: number;
};

const startSeconds = 5;
const firstLineTimeoutMs = 60_000;
const drainTimeoutMs = 15_000;

function startWriter(
  files: readonly string[],
  options: LiveOptions,
  load: { readonly rate: number; readonly seconds: number },
): ChildProcess {
  const args = [path.join(import.meta.dirname, 'live-writer.ts')];
  args.push('--rate', String(load.rate), '--seconds', String(load.seconds));
  if (options.rotateBytes !== undefined) args.push('--rotate-bytes', String(options.rotateBytes));
  return spawn(process.execPath, [...args, ...files], { stdio: 'inherit' });
}

/** Counters of the sink between the begin and the end of the interval. */
async function measureSteady(
  tree: () => number[],
  rate: number,
  seconds: number,
  sink: Place['sink'],
): Promise<Omit<LiveRow, 'peer' | 'version' | 'missing' | 'doubled'>> {
  await sink.forgetLatencies();
  const before = await sink.stats();
  const cost = await measureInterval(tree, seconds);
  const after = await sink.stats();
  const arrived = after.distinct - before.distinct;
  // Batches make what arrives differ a little from what is written; one that falls behind, a lot.
  const written = rate * cost.seconds;
  const lines = arrived > 0.8 * written ? written : arrived;
  return {
    ...cost,
    rate,
    cpuMicrosPerLine: (cost.cpuPercentOfCore * 1e4 * cost.seconds) / lines,
    wireBytesPerLine: (after.wireBytes - before.wireBytes) / arrived,
    p50Ms: after.p50Ms,
    p99Ms: after.p99Ms,
  };
}

async function runLivePeer(
  peer: FoundPeer,
  options: LiveOptions,
  rate: number,
  place: Place,
): Promise<LiveRow> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs('live');
  const files = Array.from({ length: options.fileCount }, (_, i) => createContainer(folder, i));
  const writeSeconds = options.settleSeconds + Math.ceil(options.seconds) + 1;
  const lineCount = rate * writeSeconds;
  await sink.reset(lineCount, 'live');
  const places = { containersDir: path.join(folder, 'containers'), logRoot: `${folder}/pods` };
  const running = startPeer(peer, makeTask(place, peer, { kind: 'text', files, ...places }, true));
  const load = { rate, seconds: writeSeconds };
  let writer: ChildProcess | undefined;
  try {
    // A load that begins before the agent is up would be measured as its catch-up.
    await sleep(startSeconds * 1000);
    writer = startWriter(files, options, load);
    const written = once(writer, 'exit');
    const isUp = await hasLines(sink, { lineCount: 1, timeoutMs: firstLineTimeoutMs });
    if (!isUp) throw new Error(`${peer.name} sent nothing: ${(await running.stop()).stderr}`);
    await sleep(options.settleSeconds * 1000);
    const steady = await measureSteady(running.tree, rate, options.seconds, sink);
    const [code] = (await written) as [number | null];
    if (code !== 0) throw new Error(`the writer ended with ${code}`);
    await hasLines(sink, { lineCount, timeoutMs: drainTimeoutMs });
    const { distinct, doubled } = await sink.stats();
    const ended = await running.stop();
    const missing = lineCount - distinct;
    // An agent that cannot keep up may have to be killed.
    if (missing === 0) assertEnded(peer.name, ended);
    return { ...steady, peer: peer.name, version: peer.version, missing, doubled };
  } finally {
    writer?.kill('SIGTERM');
    await running.stop();
    workspace.removeLogs('live');
  }
}

function summarize(runs: readonly LiveRow[]): LiveRow[] {
  const [first] = runs;
  if (first === undefined) return [];
  const middle = (read: (row: LiveRow) => number) => median(runs.map(read));
  return [
    {
      ...first,
      seconds: middle((row) => row.seconds),
      cpuPercentOfCore: middle((row) => row.cpuPercentOfCore),
      cpuMicrosPerLine: middle((row) => row.cpuMicrosPerLine),
      rssBytes: middle((row) => row.rssBytes),
      rssPeakBytes: Math.max(...runs.map((row) => row.rssPeakBytes)),
      wireBytesPerLine: middle((row) => row.wireBytesPerLine),
      wakeUpsPerSecond: middle((row) => row.wakeUpsPerSecond),
      p50Ms: middle((row) => row.p50Ms ?? Number.NaN),
      p99Ms: middle((row) => row.p99Ms ?? Number.NaN),
      missing: Math.max(...runs.map((row) => row.missing)),
      doubled: Math.max(...runs.map((row) => row.doubled)),
    },
  ];
}

/** Runs each peer under the writer's load, the rounds interleaved. */
export async function runLive(
  peers: readonly FoundPeer[],
  options: LiveOptions,
  place: Place,
): Promise<LiveRow[]> {
  const runs: LiveRow[] = [];
  place.progress.plan(options.rounds * options.rates.length * peers.length);
  for (let round = 1; round <= options.rounds; round++) {
    for (const rate of options.rates) {
      for (const peer of peers) {
        runs.push(await runLivePeer(peer, options, rate, place));
        place.progress.ran();
      }
      place.progress.say(`${rate} lines/s: round ${round} of ${options.rounds} done`);
    }
  }
  return options.rates.flatMap((rate) =>
    peers.flatMap(({ name }) =>
      summarize(runs.filter((row) => row.peer === name && row.rate === rate)),
    ),
  );
}

/** The table of the report. */
export function tabulateLive(rows: readonly LiveRow[]): string {
  const head = ['lines/s, peer', 'CPU % of a core', 'CPU µs/line', 'wake-ups/s', 'RSS MB'];
  head.push('RSS peak MB', 'wire bytes/line', 'p50 ms', 'p99 ms', 'missing', 'doubled');
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.rate}, ${row.peer} ${row.version}`,
      digits(row.cpuPercentOfCore, 2),
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
