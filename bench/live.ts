// The steady scenarios: lines that are being written (live), and files that nobody writes to
// (idle). CPU is of a core, over an interval that begins after the agent has settled. Run by
// run.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer, writeCorpus } from './corpus.ts';
import { type IntervalCost, measureInterval, type RunningCommand } from './measure.ts';
import { assertDelivery, startPeer, waitForLines } from './peer-run.ts';
import type { Peer } from './peers/peer.ts';
import type { Sink } from './sink-client.ts';
import { digits, markdownTable } from './statistics.ts';
import type { Workspace } from './workspace.ts';

export type LiveOptions = {
  /** Lines a second over all files. */
  readonly rate: number;
  readonly fileCount: number;
  /** Length of the measured interval. */
  readonly seconds: number;
};
export type IdleOptions = Omit<LiveOptions, 'rate'>;

type Place = { readonly sink: Sink; readonly workspace: Workspace };
type LiveRow = IntervalCost & {
  readonly peer: string;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
};
type IdleRow = IntervalCost & { readonly peer: string; readonly requests: number };

const settleSeconds = 5;
const drainTimeoutMs = 60_000;

function startWriter(files: readonly string[], options: LiveOptions, seconds: number) {
  const args = [path.join(import.meta.dirname, 'live-writer.ts')];
  args.push('--rate', String(options.rate), '--seconds', String(seconds), ...files);
  return spawn(process.execPath, args, { stdio: 'inherit' });
}

async function stopPeer(peer: Peer, running: RunningCommand): Promise<void> {
  const { exitCode, stderr } = await running.stop();
  if (exitCode !== 0) throw new Error(`${peer.name} ended with ${exitCode}: ${stderr.trim()}`);
}

async function runLivePeer(peer: Peer, options: LiveOptions, place: Place): Promise<LiveRow> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs(`live-${peer.name}`);
  const files = Array.from({ length: options.fileCount }, (_, i) => createContainer(folder, i));
  const writeSeconds = settleSeconds + Math.ceil(options.seconds) + 1;
  const lineCount = options.rate * writeSeconds;
  await sink.reset(lineCount, 'live');
  const running = startPeer(peer, {
    containersDir: path.join(folder, 'containers'),
    logRoot: path.join(folder, 'pods'),
    files,
    stateDir: workspace.makeState(peer.name),
    endpoint: sink.url,
    follow: true,
    lineCount,
  });
  const writer = startWriter(files, options, writeSeconds);
  const written = once(writer, 'exit');
  try {
    // The first line proves that the agent is up; then it has some seconds to become steady.
    await waitForLines(sink, { lineCount: 1, timeoutMs: drainTimeoutMs });
    await sleep(settleSeconds * 1000);
    await sink.forgetLatencies();
    const cost = await measureInterval(running.tree, options.seconds);
    const { p50Ms, p99Ms } = await sink.stats();
    await written;
    await waitForLines(sink, { lineCount, timeoutMs: drainTimeoutMs });
    assertDelivery(peer.name, await sink.stats(), lineCount);
    await stopPeer(peer, running);
    return { peer: peer.name, ...cost, p50Ms, p99Ms };
  } finally {
    writer.kill('SIGTERM');
    await running.stop();
  }
}

/** Runs each peer under the writer's load. Throws when a line is missing or doubled at the end. */
export async function runLive(peers: readonly Peer[], options: LiveOptions, place: Place) {
  const rows: LiveRow[] = [];
  for (const peer of peers) rows.push(await runLivePeer(peer, options, place));
  const { rate, fileCount } = options;
  const head = [`${rate} lines/s, ${fileCount} files`, 'CPU % of a core', 'CPU µs/line'];
  const table = markdownTable([
    [...head, 'RSS MB', 'RSS peak MB', 'p50 ms', 'p99 ms'],
    ...rows.map((row) => [
      row.peer,
      digits(row.cpuPercentOfCore, 2),
      digits((row.cpuPercentOfCore * 1e4) / rate, 3),
      digits(row.rssBytes / 1e6, 0),
      digits(row.rssPeakBytes / 1e6, 0),
      digits(row.p50Ms, 1),
      digits(row.p99Ms, 1),
    ]),
  ]);
  return { table, figures: { options, rows } };
}

async function runIdlePeer(peer: Peer, options: IdleOptions, place: Place): Promise<IdleRow> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs(`idle-${peer.name}`);
  const { fileCount } = options;
  const corpus = writeCorpus({ folder, kind: 'text', lineCount: fileCount, fileCount, seed: 1 });
  await sink.reset(fileCount, 'live');
  const stateDir = workspace.makeState(peer.name);
  const running = startPeer(peer, { ...corpus, stateDir, endpoint: sink.url, follow: true });
  try {
    await waitForLines(sink, { lineCount: fileCount, timeoutMs: drainTimeoutMs });
    await sleep(2 * settleSeconds * 1000);
    const before = await sink.stats();
    const cost = await measureInterval(running.tree, options.seconds);
    const after = await sink.stats();
    assertDelivery(peer.name, after, fileCount);
    await stopPeer(peer, running);
    return { peer: peer.name, ...cost, requests: after.requests - before.requests };
  } finally {
    await running.stop();
  }
}

/** Runs each peer on files that hold one line each and get no more. */
export async function runIdle(peers: readonly Peer[], options: IdleOptions, place: Place) {
  const rows: IdleRow[] = [];
  for (const peer of peers) rows.push(await runIdlePeer(peer, options, place));
  const table = markdownTable([
    [`${options.fileCount} idle files`, 'CPU % of a core', 'RSS MB', 'RSS peak MB', 'requests'],
    ...rows.map((row) => [
      row.peer,
      digits(row.cpuPercentOfCore, 2),
      digits(row.rssBytes / 1e6, 0),
      digits(row.rssPeakBytes / 1e6, 0),
      String(row.requests),
    ]),
  ]);
  return { table, figures: { options, rows } };
}
