// Starts a peer on a task under measurement, and checks that it did what was asked: a catch-up's
// cost is only reported for a run that delivered every line exactly once.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Corpus } from './corpus.ts';
import { type Cost, type RunningCommand, startMeasured } from './measure.ts';
import type { FoundPeer } from './peers/peers.ts';
import type { Peer, PeerTask } from './peers/peer.ts';
import type { RunProgress } from './run-progress.ts';
import type { Sink, SinkStats } from './sink-client.ts';
import type { Workspace } from './workspace.ts';

/** Where a scenario runs. */
export type Place = {
  readonly sink: Sink;
  readonly workspace: Workspace;
  /** Whether peers shall compress what they post. */
  readonly gzip: boolean;
  readonly progress: RunProgress;
};

const pollMs = 50;

/** What `peer` is asked to do with these files here. */
export function makeTask(
  place: Place,
  peer: Peer,
  files: Pick<Corpus, 'kind' | 'containersDir' | 'logRoot' | 'files'>,
  follow: boolean,
): PeerTask {
  const { sink, workspace, gzip } = place;
  return {
    ...files,
    follow,
    gzip,
    stateDir: workspace.makeState(peer.name),
    endpoint: sink.url,
    grpcEndpoint: sink.grpcUrl,
    forwardEndpoint: sink.forwardUrl,
    caFile: sink.caFile,
    metadataUrl: sink.controlUrl,
  };
}

/** Writes the peer's configuration, if it has one, and starts it. */
export function startPeer(peer: Peer, task: PeerTask): RunningCommand {
  for (const { name, text } of peer.configFiles(task)) {
    writeFileSync(path.join(task.stateDir, name), text);
  }
  return startMeasured(peer.command(task));
}

/** Waits until the sink has so many different lines; false when the limit passes before. */
export async function hasLines(
  sink: Sink,
  wanted: { readonly lineCount: number; readonly timeoutMs: number },
): Promise<boolean> {
  const end = performance.now() + wanted.timeoutMs;
  while ((await sink.stats()).distinct < wanted.lineCount) {
    if (performance.now() > end) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Throws when a peer failed. */
export function assertEnded(name: string, { exitCode, stderr }: Cost): void {
  if (exitCode !== 0) throw new Error(`${name} ended with ${exitCode}: ${stderr.trim()}`);
}

function assertDelivery(name: string, stats: SinkStats, lineCount: number): void {
  const { distinct, doubled, unknown } = stats;
  if (distinct === lineCount && doubled === 0 && unknown === 0) return;
  const counts = `${distinct} of ${lineCount} lines, ${doubled} doubled, ${unknown} unknown`;
  throw new Error(`${name} delivered ${counts}`);
}

/**
 * Runs a peer until everything is sent. Throws if it fails or lines are missing or doubled. A peer
 * that drops lines sends `arriving` of them, and must end itself.
 */
export async function runPeer(
  peer: FoundPeer,
  corpus: Corpus,
  place: Place,
  timeoutMs: number,
  arriving = corpus.lineCount,
): Promise<{ cost: Cost; stats: SinkStats }> {
  const { sink } = place;
  const { lineCount } = corpus;
  await sink.reset(lineCount);
  const running = startPeer(peer, makeTask(place, peer, corpus, false));
  const late = setTimeout(() => void running.stop(), timeoutMs);
  if (!peer.endsItself) {
    await Promise.race([hasLines(sink, { lineCount, timeoutMs }), running.finished]);
    void running.stop();
  }
  const cost = await running.finished;
  clearTimeout(late);
  assertEnded(peer.name, cost);
  const stats = await sink.stats();
  assertDelivery(peer.name, stats, arriving);
  return { cost, stats };
}
