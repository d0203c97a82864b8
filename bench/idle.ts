// The idle scenario: files that hold one line each and get no more.

import { setTimeout as sleep } from 'node:timers/promises';
import { writeCorpus } from './corpus.ts';
import { type IntervalCost, measureInterval } from './measure.ts';
import { hasLines, makeTask, type Place, startPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, markdownTable } from './statistics.ts';

export type IdleOptions = {
  /** Each count is a run of its own. */
  readonly fileCounts: readonly number[];
  /** After the last line has arrived. */
  readonly settleSeconds: number;
  /** Length of the measured interval. */
  readonly seconds: number;
};

export type IdleRow = IntervalCost & {
  readonly peer: string;
  readonly version: string;
  readonly fileCount: number;
  readonly requests: number;
  /** Lines that had not arrived when the interval began. */
  readonly missing: number;
};

const firstLinesTimeoutMs = 60_000;

async function runIdlePeer(
  peer: FoundPeer,
  fileCount: number,
  options: IdleOptions,
  place: Place,
): Promise<IdleRow> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs('idle');
  const corpus = writeCorpus({ folder, kind: 'text', lineCount: fileCount, fileCount, seed: 1 });
  await sink.reset(fileCount, 'live');
  const running = startPeer(peer, makeTask(place, peer, corpus, true));
  try {
    await hasLines(sink, { lineCount: fileCount, timeoutMs: firstLinesTimeoutMs });
    await sleep(options.settleSeconds * 1000);
    const before = await sink.stats();
    const cost = await measureInterval(running.tree, options.seconds);
    const { requests } = await sink.stats();
    const missing = fileCount - before.distinct;
    const { name, version } = peer;
    return {
      peer: name,
      version,
      fileCount,
      ...cost,
      requests: requests - before.requests,
      missing,
    };
  } finally {
    await running.stop();
    workspace.removeLogs('idle');
  }
}

/** Runs each peer on each count of files. */
export async function runIdle(
  peers: readonly FoundPeer[],
  options: IdleOptions,
  place: Place,
): Promise<IdleRow[]> {
  const rows: IdleRow[] = [];
  place.progress.plan(options.fileCounts.length * peers.length);
  for (const fileCount of options.fileCounts) {
    for (const peer of peers) {
      rows.push(await runIdlePeer(peer, fileCount, options, place));
      place.progress.ran();
    }
    place.progress.say(`${fileCount} idle files done`);
  }
  return rows;
}

/** The table of the report. */
export function tabulateIdle(rows: readonly IdleRow[]): string {
  const head = ['idle files, peer', 'CPU % of a core', 'wake-ups/s', 'RSS MB', 'RSS peak MB'];
  return markdownTable([
    [...head, 'requests', 'missing'],
    ...rows.map((row) => [
      `${row.fileCount}, ${row.peer} ${row.version}`,
      digits(row.cpuPercentOfCore, 2),
      digits(row.wakeUpsPerSecond, 1),
      digits(row.rssBytes / 1e6, 0),
      digits(row.rssPeakBytes / 1e6, 0),
      String(row.requests),
      String(row.missing),
    ]),
  ]);
}
