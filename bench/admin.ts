// The admin scenario: what it costs to be looked at. Three agents ship the same files at the same
// time: one without an admin server, one that nobody asks, and one that is asked as Prometheus and
// an open page do, which is a scrape each 15 s and a request each 10 s.
//
// What is measured is a fiftieth of what an agent costs, and the costs of two agents, or of two
// minutes of one, differ by more. So the agent is asked five times as often, and a fifth is
// reported. It is asked in every second pair of intervals only (quiet, asked, asked, quiet), and
// what counts is by how much more its cost goes up in these than that of its neighbour does: the
// same lines, the same moments. That of the agent without a server is the noise. Memory is the
// growth since the first interval, beside the neighbour's.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer } from './corpus.ts';
import { readThreadNanos } from '../src/command/process-cost.ts';
import { type RunningCommand, readRss, readRssPeak } from './measure.ts';
import { hasLines, makeTask, type Place, startPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, markdownTable, median } from './statistics.ts';

export type AdminOptions = {
  /** Lines a second over all files. */
  readonly rate: number;
  readonly fileCount: number;
  /** Length of one interval; there are eight. */
  readonly seconds: number;
  readonly rounds: number;
};

const kinds = ['off', 'not asked', 'asked'] as const;
type Kind = (typeof kinds)[number];

/** Medians over the rounds. */
export type AdminRow = {
  readonly kind: Kind;
  readonly version: string;
  /** Of the intervals in which nobody asks. */
  readonly cpuPercentQuiet: number;
  /** Of those in which somebody does, if the agent is of that kind. */
  readonly cpuPercentAsked: number;
  /** The one over the other. */
  readonly ratio: number;
  /** That over the ratio of the agent that nobody asks, of the same round. */
  readonly ratioToNeighbour: number;
  /** At the end of the first interval. */
  readonly rssBeforeBytes: number;
  readonly rssGrowthBytes: number;
  /** The growth less that of the agent that nobody asks, of the same round. */
  readonly rssOverNeighbourBytes: number;
  readonly rssPeakBytes: number;
  /** CPU of the first page and the first scrape, which load what the others use, milliseconds. */
  readonly openingMs: number;
};

const settleSeconds = 12;
const firstLineTimeoutMs = 60_000;
/** What the intervals are, in turn. */
const isAskedIn = [false, true, true, false, false, true, true, false];
const scrapeIntervalMs = 15_000;
const pageIntervalMs = 10_000;
/** How many times as often it is asked, so that the cost shows above the noise. */
const haste = 5;
/** What is left of the opening must not be counted. */
const openingSettleMs = 2_000;

/** CPU of all threads, nanoseconds. */
function readCpuNanos(pids: readonly number[]): number {
  return [...readThreadNanos(pids).values()].reduce((sum, nanos) => sum + nanos, 0);
}

async function takePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** tailship with its admin server at this address, or `off`. */
function withAddress(peer: FoundPeer, address: string): FoundPeer {
  return {
    ...peer,
    command: (task) => {
      const command = peer.command(task);
      const args = command.args.map((arg) => (arg === '127.0.0.1:0' ? address : arg));
      return { ...command, args };
    },
  };
}

async function ask(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}

/** Every file of the page, as a browser loads it. */
async function openPage(url: string): Promise<void> {
  const wanted = ['/'];
  for (let at = 0; at < wanted.length; at += 1) {
    const text = await ask(url + wanted[at]);
    for (const [, own = '', imported = ''] of text.matchAll(
      /(?:src|href)="([\w.]+\.(?:js|css))"|from '\.\/([\w.]+)'/g,
    )) {
      const address = `/${own || imported}`;
      if (!wanted.includes(address)) wanted.push(address);
    }
  }
  await ask(`${url}/api/status?after=0`);
}

/** Asks as Prometheus and an open page do, until the returned function is called. */
function startAsking(url: string): () => Promise<void> {
  let failure: Error | undefined;
  const underWay = new Set<Promise<unknown>>();
  const askNow = (address: () => string) => {
    const asked = ask(url + address()).catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    underWay.add(asked);
    void asked.finally(() => underWay.delete(asked));
  };
  // The page gives the time of its newest sample; one interval old is what it has.
  const statusOf = () => `/api/status?after=${Date.now() - pageIntervalMs}`;
  const timers = [
    setInterval(askNow, scrapeIntervalMs / haste, () => '/metrics'),
    setInterval(askNow, pageIntervalMs / haste, statusOf),
  ];
  askNow(() => '/metrics');
  askNow(statusOf);
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all(underWay);
    if (failure !== undefined) throw failure;
  };
}

/** One of the three agents of a round, and what was measured of it. */
type Subject = {
  readonly kind: Kind;
  readonly url: string;
  readonly running: RunningCommand;
  /** Percent of a core, interval by interval. */
  readonly percents: number[];
  /** At the end of each interval. */
  readonly rssBytes: number[];
};

async function startSubject(
  peer: FoundPeer,
  kind: Kind,
  files: Parameters<typeof makeTask>[2],
  place: Place,
): Promise<Subject> {
  const address = kind === 'off' ? 'off' : `127.0.0.1:${await takePort()}`;
  const running = startPeer(withAddress(peer, address), makeTask(place, peer, files, true));
  return { kind, url: `http://${address}`, running, percents: [], rssBytes: [] };
}

/** Loads what is loaded once, and returns the CPU that it took, milliseconds. */
async function openAll({ url, running }: Subject): Promise<number> {
  const before = readCpuNanos(running.tree());
  await openPage(url);
  await ask(`${url}/metrics`);
  const nanos = readCpuNanos(running.tree()) - before;
  await sleep(openingSettleMs);
  return nanos / 1e6;
}

/** Measures all of them at once, interval by interval; returns what the opening took. */
async function measureIntervals(subjects: readonly Subject[], seconds: number): Promise<number> {
  const asked = subjects.find(({ kind }) => kind === 'asked');
  if (asked === undefined) throw new Error('nobody is asked');
  let openingMs: number | undefined;
  let stop: (() => Promise<void>) | undefined;
  for (const [interval, isAsked] of isAskedIn.entries()) {
    if (isAsked) openingMs ??= await openAll(asked);
    if (isAsked) stop ??= startAsking(asked.url);
    const before = subjects.map(({ running }) => readCpuNanos(running.tree()));
    const startMs = performance.now();
    await sleep(seconds * 1_000);
    const elapsedMs = performance.now() - startMs;
    for (const [index, { running, percents, rssBytes }] of subjects.entries()) {
      const nanos = readCpuNanos(running.tree()) - (before[index] ?? NaN);
      percents.push(nanos / 1e4 / elapsedMs);
      rssBytes.push(readRss(running.tree()));
    }
    if (isAsked && isAskedIn[interval + 1] !== true) {
      await stop?.();
      stop = undefined;
    }
  }
  return openingMs ?? NaN;
}

function meanOf(subject: Subject, wasAsked: boolean): number {
  const own = subject.percents.filter((_, index) => isAskedIn[index] === wasAsked);
  return own.reduce((sum, percent) => sum + percent, 0) / own.length;
}

function rowsOf(subjects: readonly Subject[], version: string, openingMs: number): AdminRow[] {
  const ratioOf = (subject: Subject) => meanOf(subject, true) / meanOf(subject, false);
  const growthOf = ({ rssBytes }: Subject) => (rssBytes.at(-1) ?? NaN) - (rssBytes[0] ?? NaN);
  const neighbour = subjects.find(({ kind }) => kind === 'not asked');
  return subjects.map((subject) => ({
    kind: subject.kind,
    version,
    cpuPercentQuiet: meanOf(subject, false),
    cpuPercentAsked: meanOf(subject, true),
    ratio: ratioOf(subject),
    ratioToNeighbour: neighbour === undefined ? NaN : ratioOf(subject) / ratioOf(neighbour),
    rssBeforeBytes: subject.rssBytes[0] ?? NaN,
    rssGrowthBytes: growthOf(subject),
    rssOverNeighbourBytes: neighbour === undefined ? NaN : growthOf(subject) - growthOf(neighbour),
    rssPeakBytes: readRssPeak(subject.running.tree()),
    openingMs,
  }));
}

async function runRound(
  peer: FoundPeer,
  order: readonly Kind[],
  options: AdminOptions,
  place: Place,
): Promise<AdminRow[]> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs('admin');
  const files = Array.from({ length: options.fileCount }, (_, i) => createContainer(folder, i));
  const spareSeconds = openingSettleMs / 1e3 + 10;
  const writeSeconds = settleSeconds + isAskedIn.length * options.seconds + spareSeconds;
  await sink.reset(options.rate * writeSeconds, 'live');
  const places = { containersDir: path.join(folder, 'containers'), logRoot: `${folder}/pods` };
  const subjects: Subject[] = [];
  const words = [path.join(import.meta.dirname, 'live-writer.ts'), '--rate', String(options.rate)];
  words.push('--seconds', String(writeSeconds), ...files);
  const writer = spawn(process.execPath, words, { stdio: 'inherit' });
  try {
    for (const kind of order) {
      subjects.push(await startSubject(peer, kind, { kind: 'text', files, ...places }, place));
    }
    const isUp = await hasLines(sink, { lineCount: 1, timeoutMs: firstLineTimeoutMs });
    if (!isUp) throw new Error(`${peer.name} sent nothing`);
    await sleep(settleSeconds * 1_000);
    const openingMs = await measureIntervals(subjects, options.seconds);
    return rowsOf(subjects, peer.version, openingMs);
  } finally {
    writer.kill('SIGTERM');
    await Promise.all(subjects.map(({ running }) => running.stop()));
    workspace.removeLogs('admin');
  }
}

/** Runs the three agents again and again, each time started in another order. */
export async function runAdmin(
  peer: FoundPeer,
  options: AdminOptions,
  place: Place,
): Promise<AdminRow[]> {
  const runs: AdminRow[] = [];
  place.progress.plan(options.rounds);
  for (let round = 1; round <= options.rounds; round += 1) {
    const turn = round % kinds.length;
    const order = [...kinds.slice(turn), ...kinds.slice(0, turn)];
    const rows = await runRound(peer, order, options, place);
    runs.push(...rows);
    place.progress.ran();
    const { cpuShare, noiseShare, rssBytes } = costOfLooking(rows);
    const percent = (share: number) => `${digits(share * 100, 1)} %`;
    place.progress.say(
      `round ${round} of ${options.rounds}: asked ${percent(cpuShare)} more CPU, noise ${percent(noiseShare)}, ${digits(rssBytes / 1e6, 1)} MB more`,
    );
  }
  return kinds.map((kind) => medianRow(runs.filter((run) => run.kind === kind)));
}

function medianRow(runs: readonly AdminRow[]): AdminRow {
  const [first] = runs;
  if (first === undefined) throw new Error('there was no round');
  const middle = (read: (run: AdminRow) => number) => median(runs.map(read));
  return {
    kind: first.kind,
    version: first.version,
    cpuPercentQuiet: middle((run) => run.cpuPercentQuiet),
    cpuPercentAsked: middle((run) => run.cpuPercentAsked),
    ratio: middle((run) => run.ratio),
    ratioToNeighbour: middle((run) => run.ratioToNeighbour),
    rssBeforeBytes: middle((run) => run.rssBeforeBytes),
    rssGrowthBytes: middle((run) => run.rssGrowthBytes),
    rssOverNeighbourBytes: middle((run) => run.rssOverNeighbourBytes),
    rssPeakBytes: middle((run) => run.rssPeakBytes),
    openingMs: middle((run) => run.openingMs),
  };
}

/** The table of the report. */
export function tabulateAdmin(rows: readonly AdminRow[]): string {
  const head = ['admin server', 'CPU %, quiet', `asked ${haste} × as often`, 'ratio'];
  head.push("to the neighbour's");
  head.push('RSS MB at first', 'grown by', 'RSS peak MB', 'first page and scrape, CPU ms');
  return markdownTable([
    head,
    ...rows.map((row) => [
      row.kind,
      digits(row.cpuPercentQuiet, 3),
      digits(row.cpuPercentAsked, 3),
      digits(row.ratio, 3),
      digits(row.ratioToNeighbour, 3),
      digits(row.rssBeforeBytes / 1e6, 1),
      digits(row.rssGrowthBytes / 1e6, 1),
      digits(row.rssPeakBytes / 1e6, 1),
      row.kind === 'asked' ? digits(row.openingMs, 0) : '–',
    ]),
  ]);
}

/** What being asked costs: CPU as a part, and its noise; memory in bytes. */
export function costOfLooking(rows: readonly AdminRow[]): {
  readonly cpuShare: number;
  readonly noiseShare: number;
  readonly rssBytes: number;
} {
  const of = (kind: Kind) => rows.find((row) => row.kind === kind);
  return {
    cpuShare: ((of('asked')?.ratioToNeighbour ?? NaN) - 1) / haste,
    noiseShare: ((of('off')?.ratioToNeighbour ?? NaN) - 1) / haste,
    rssBytes: of('asked')?.rssOverNeighbourBytes ?? NaN,
  };
}
