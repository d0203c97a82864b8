// Starts a peer on a task under measurement, and checks that it did what was asked. Called by the
// scenarios: a cost is only reported for a run that delivered every line exactly once.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cost, type RunningCommand, startMeasured } from './measure.ts';
import type { Peer, PeerTask } from './peers/peer.ts';
import type { Sink, SinkStats } from './sink-client.ts';

const pollMs = 20;

/** Writes the peer's configuration, if it has one, and starts it. */
export function startPeer(peer: Peer, task: PeerTask): RunningCommand {
  const text = peer.configText(task);
  const configFile = text === undefined ? undefined : path.join(task.stateDir, 'config');
  if (configFile !== undefined && text !== undefined) writeFileSync(configFile, text);
  return startMeasured(peer.command(task, configFile));
}

/** Waits until the sink has so many different lines. Throws when it takes longer than the limit. */
export async function waitForLines(
  sink: Sink,
  wanted: { readonly lineCount: number; readonly timeoutMs: number },
): Promise<void> {
  const end = performance.now() + wanted.timeoutMs;
  for (;;) {
    const { distinct } = await sink.stats();
    if (distinct >= wanted.lineCount) return;
    if (performance.now() > end) {
      throw new Error(`${distinct} of ${wanted.lineCount} lines after ${wanted.timeoutMs} ms`);
    }
    await sleep(pollMs);
  }
}

/** Throws unless every line arrived exactly once. */
export function assertDelivery(name: string, stats: SinkStats, lineCount: number): void {
  if (stats.distinct === lineCount && stats.doubled === 0 && stats.unknown === 0) return;
  const { distinct, doubled, unknown } = stats;
  const counts = `${distinct} of ${lineCount} lines, ${doubled} doubled, ${unknown} unknown`;
  throw new Error(`${name} delivered ${counts}`);
}

/** Runs a peer until everything is sent. Throws if it fails or lines are missing or doubled. */
export async function runPeer(
  peer: Peer,
  task: PeerTask,
  sink: Sink,
  timeoutMs: number,
): Promise<{ cost: Cost; stats: SinkStats }> {
  await sink.reset(task.lineCount);
  const running = startPeer(peer, task);
  const limit = AbortSignal.timeout(timeoutMs);
  limit.addEventListener('abort', () => void running.stop());
  if (!peer.endsItself) {
    await waitForLines(sink, { lineCount: task.lineCount, timeoutMs });
    void running.stop();
  }
  const cost = await running.finished;
  if (limit.aborted) throw new Error(`${peer.name} took longer than ${timeoutMs} ms`);
  if (cost.exitCode !== 0) {
    throw new Error(`${peer.name} ended with ${cost.exitCode}: ${cost.stderr.trim()}`);
  }
  const stats = await sink.stats();
  assertDelivery(peer.name, stats, task.lineCount);
  return { cost, stats };
}
