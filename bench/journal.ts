// The journal scenario: entries of 20 fields, written by systemd's own writer, are shipped once.
//
// As in the catch-up, what a peer costs on a short journal is its start-up, and the cost of an
// entry is what the full one costs beyond it. The invariant: a run that does not deliver each entry
// exactly once has no cost.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Corpus, lineContent, writeCorpus } from './corpus.ts';
import { countRuns, measurePairs, type PairOptions } from './pairs.ts';
import { type Place, runPeer } from './peer-run.ts';
import { journalPeers } from './peers/journal.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, digitsOf, markdownTable, median, type Spread, spreadOf } from './statistics.ts';
import { randomNumbers } from '../src/emulator/random-numbers.ts';

export type JournalOptions = PairOptions & { readonly entryCount: number };

export type JournalRow = {
  readonly peer: string;
  readonly version: string;
  readonly entries: number;
  /** Without start-up. */
  readonly cpuMicrosPerEntry: Spread;
  readonly startCpuSeconds: number;
  readonly rssPeakBytes: number;
  readonly ratios: Readonly<Record<string, Spread>>;
};

const writer = '/usr/lib/systemd/systemd-journal-remote';
const startEntries = 2_000;
const timeoutMs = 120_000;

type Round = { readonly start: number; readonly full: number; readonly rssPeakBytes: number };

/**
 * An entry of 20 fields as a kubelet's, in the export format: the message and the time of its
 * source are its own, the others those of its process.
 */
function exportEntry(seq: number, random: () => number): string {
  const micros = 1_790_000_000_000_000 + seq * 1_000;
  const fields = [
    '_BOOT_ID=b0070000000000000000000000000001',
    '_MACHINE_ID=0123456789abcdef0123456789abcdef',
    '_HOSTNAME=gke-blue-pool-1-7f3a',
    `PRIORITY=${seq % 50 === 0 ? 4 : 6}`,
    'SYSLOG_FACILITY=3',
    'SYSLOG_IDENTIFIER=kubelet',
    '_TRANSPORT=stdout',
    `_PID=${2_000 + (seq >> 16)}`,
    '_UID=0',
    '_GID=0',
    '_COMM=kubelet',
    '_EXE=/home/kubernetes/bin/kubelet',
    '_CMDLINE=/home/kubernetes/bin/kubelet --v=2 --cloud-provider=external',
    '_CAP_EFFECTIVE=1ffffffffff',
    '_SELINUX_CONTEXT=unconfined',
    '_SYSTEMD_CGROUP=/system.slice/kubelet.service',
    '_SYSTEMD_UNIT=kubelet.service',
    '_SYSTEMD_SLICE=system.slice',
    `_SOURCE_REALTIME_TIMESTAMP=${micros - 7}`,
    `MESSAGE=${lineContent('text', seq, random)}`,
  ];
  const head = `__REALTIME_TIMESTAMP=${micros}\n__MONOTONIC_TIMESTAMP=${seq * 1_000}\n`;
  return `${head}${fields.join('\n')}\n\n`;
}

/** The journal, and an empty container: an agent that finds none at all ends at once. */
function writeJournal(entryCount: number, place: Place): Corpus {
  const folder = place.workspace.makeLogs(`journal-${entryCount}`);
  const container = writeCorpus({ folder, kind: 'text', lineCount: 0, fileCount: 1, seed: 1 });
  const directory = path.join(folder, 'journal');
  mkdirSync(directory);
  const random = randomNumbers(1);
  const source = path.join(folder, 'journal.export');
  const file = path.join(directory, 'system.journal');
  const texts = Array.from({ length: entryCount }, (_, index) => exportEntry(index, random));
  writeFileSync(source, texts.join(''));
  execFileSync(writer, [`--output=${file}`, source], { stdio: 'ignore' });
  rmSync(source);
  return { ...container, files: [file], lineCount: entryCount };
}

export async function runJournal(options: JournalOptions, place: Place): Promise<JournalRow[]> {
  if (!existsSync(writer)) throw new Error('systemd-journal-remote is not installed');
  const peers = journalPeers.flatMap((peer) => {
    const version = peer.find();
    return version === undefined ? [] : [{ ...peer, version }];
  });
  const [start, full] = [startEntries, options.entryCount].map((count) => {
    return writeJournal(count, place);
  }) as [Corpus, Corpus];
  place.progress.plan(2 * countRuns(peers.length, options.rounds));
  const microsOf = (rounds: readonly Round[]) => {
    const startSeconds = median(rounds.map((round) => round.start));
    const entries = options.entryCount - startEntries;
    return rounds.map((round) => ((round.full - startSeconds) * 1e6) / entries);
  };
  const run = async (peer: FoundPeer, corpus: Corpus) => {
    const { cost } = await runPeer(peer, corpus, place, timeoutMs);
    place.progress.ran();
    return cost;
  };
  const measured = await measurePairs(peers, options, {
    place: 'journal',
    async run(peer): Promise<Round> {
      const { cpuSeconds } = await run(peer, start);
      const cost = await run(peer, full);
      return { start: cpuSeconds, full: cost.cpuSeconds, rssPeakBytes: cost.rssPeakBytes };
    },
    costsOf: microsOf,
    onRound: (sentence) => place.progress.say(`journal: ${sentence}`),
  });
  return [...measured].map(([{ name, version }, { runs, ratios }]) => ({
    peer: name,
    version,
    entries: options.entryCount,
    cpuMicrosPerEntry: spreadOf(microsOf(runs)),
    startCpuSeconds: median(runs.map((round) => round.start)),
    rssPeakBytes: median(runs.map((round) => round.rssPeakBytes)),
    ratios,
  }));
}

/** The table of the report. */
export function tabulateJournal(rows: readonly JournalRow[]): string {
  const [first] = rows;
  const head = [
    'peer',
    'µs CPU an entry',
    `of ${first?.peer ?? ''}'s`,
    'start-up, s',
    'RSS peak MB',
  ];
  return markdownTable([
    head,
    ...rows.map((row) => [
      `${row.peer} ${row.version}`,
      digitsOf(row.cpuMicrosPerEntry, 2),
      digitsOf(row.ratios[first?.peer ?? ''], 2),
      digits(row.startCpuSeconds, 2),
      digits(row.rssPeakBytes / 1e6, 0),
    ]),
  ]);
}
