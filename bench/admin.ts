// The admin scenario: what it costs to be looked at. The live load on agents of three kinds in
// turn: without an admin server, with one that nobody asks, and with one that is scraped each 15 s
// while a page is open, which asks each 5 s. Run by scenarios.ts.
//
// Two agents never cost quite the same, and an agent's cost drifts while it runs. So the one that
// is asked is so in its second and third interval of four only, and the ratio is of its own
// intervals; the agents that nobody asks give the same ratio, which is the noise. Memory, too, is
// how much it has grown since the first interval, beside that of an agent that nobody asks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContainer } from './corpus.ts';
import { readRss, readRssPeak } from './measure.ts';
import { hasLines, makeTask, type Place, startPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import { digits, markdownTable, median } from './statistics.ts';

export type AdminOptions = {
  /** Lines a second over all files. */
  readonly rate: number;
  readonly fileCount: number;
  /** Length of one interval; an agent has four. */
  readonly seconds: number;
  readonly rounds: number;
};

const kinds = ['off', 'not asked', 'asked'] as const;
type Kind = (typeof kinds)[number];

/** Medians over the rounds. */
export type AdminRow = {
  readonly kind: Kind;
  readonly version: string;
  /** Of the intervals in which nobody asks: the first and the last. */
  readonly cpuPercentQuiet: number;
  /** Of those between. */
  readonly cpuPercentOther: number;
  /** The one over the other. */
  readonly ratio: number;
  /** At the end of the first interval. */
  readonly rssBeforeBytes: number;
  /** At the end of the last one. */
  readonly rssBytes: number;
  /** The one less the other. */
  readonly rssGrowthBytes: number;
  readonly rssPeakBytes: number;
  /** CPU of the first page and the first scrape, which load what the others use, milliseconds. */
  readonly openingMs: number;
};

const settleSeconds = 12;
const firstLineTimeoutMs = 60_000;
const intervalCount = 4;
const scrapeIntervalMs = 15_000;
const pageIntervalMs = 5_000;
/** What is left of the opening must not be counted. */
const openingSettleMs = 2_000;

/** CPU of all threads, nanoseconds: the clock ticks of /proc/<pid>/stat are too coarse for this. */
function readCpuNanos(pids: readonly number[]): number {
  let nanos = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      nanos += Number(text.split(' ')[0]);
    }
  }
  return nanos;
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
    command: (task, configFile) => {
      const command = peer.command(task, configFile);
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
    setInterval(askNow, scrapeIntervalMs, () => '/metrics'),
    setInterval(askNow, pageIntervalMs, statusOf),
  ];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all(underWay);
    if (failure !== undefined) throw failure;
  };
}

type Measured = {
  /** Percent of a core and resident bytes at the end, interval by interval. */
  readonly percents: readonly number[];
  readonly rssBytes: readonly number[];
  readonly openingMs: number;
};

async function measureIntervals(
  tree: () => number[],
  url: string | undefined,
  seconds: number,
): Promise<Measured> {
  const percents: number[] = [];
  const rssBytes: number[] = [];
  let openingMs = 0;
  for (let interval = 0; interval < intervalCount; interval += 1) {
    const isAsked = url !== undefined && (interval === 1 || interval === 2);
    if (isAsked && interval === 1) {
      const before = readCpuNanos(tree());
      await openPage(url);
      await ask(`${url}/metrics`);
      openingMs = (readCpuNanos(tree()) - before) / 1e6;
      await sleep(openingSettleMs);
    }
    const stop = isAsked ? startAsking(url) : undefined;
    const startMs = performance.now();
    const before = readCpuNanos(tree());
    await sleep(seconds * 1_000);
    const nanos = readCpuNanos(tree()) - before;
    percents.push(nanos / 1e4 / (performance.now() - startMs));
    await stop?.();
    rssBytes.push(readRss(tree()));
  }
  return { percents, rssBytes, openingMs };
}

async function runKind(
  peer: FoundPeer,
  kind: Kind,
  options: AdminOptions,
  place: Place,
): Promise<AdminRow> {
  const { sink, workspace } = place;
  const folder = workspace.makeLogs('admin');
  const files = Array.from({ length: options.fileCount }, (_, i) => createContainer(folder, i));
  const writeSeconds = settleSeconds + intervalCount * options.seconds + openingSettleMs / 1e3 + 5;
  await sink.reset(options.rate * writeSeconds, 'live');
  const places = { containersDir: path.join(folder, 'containers'), logRoot: `${folder}/pods` };
  const address = kind === 'off' ? 'off' : `127.0.0.1:${await takePort()}`;
  const task = makeTask(place, peer, { kind: 'text', files, ...places }, true);
  const running = startPeer(withAddress(peer, address), task);
  const words = [path.join(import.meta.dirname, 'live-writer.ts'), '--rate', String(options.rate)];
  words.push('--seconds', String(writeSeconds), ...files);
  const writer = spawn(process.execPath, words, { stdio: 'inherit' });
  try {
    const isUp = await hasLines(sink, { lineCount: 1, timeoutMs: firstLineTimeoutMs });
    if (!isUp) throw new Error(`${peer.name} sent nothing: ${(await running.stop()).stderr}`);
    await sleep(settleSeconds * 1_000);
    const url = kind === 'asked' ? `http://${address}` : undefined;
    const measured = await measureIntervals(running.tree, url, options.seconds);
    const [first = NaN, second = NaN, third = NaN, last = NaN] = measured.percents;
    const [cpuPercentQuiet, cpuPercentOther] = [(first + last) / 2, (second + third) / 2];
    const rssBeforeBytes = measured.rssBytes[0] ?? NaN;
    const rssBytes = measured.rssBytes.at(-1) ?? NaN;
    return {
      kind,
      version: peer.version,
      cpuPercentQuiet,
      cpuPercentOther,
      ratio: cpuPercentOther / cpuPercentQuiet,
      rssBeforeBytes,
      rssBytes,
      rssGrowthBytes: rssBytes - rssBeforeBytes,
      rssPeakBytes: readRssPeak(running.tree()),
      openingMs: measured.openingMs,
    };
  } finally {
    writer.kill('SIGTERM');
    await running.stop();
    workspace.removeLogs('admin');
  }
}

/** Runs the three kinds in turn, again and again. */
export async function runAdmin(
  peer: FoundPeer,
  options: AdminOptions,
  place: Place,
): Promise<AdminRow[]> {
  const runs: AdminRow[] = [];
  place.progress.plan(options.rounds * kinds.length);
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const kind of kinds) {
      const run = await runKind(peer, kind, options, place);
      runs.push(run);
      place.progress.ran();
      place.progress.say(
        `round ${round} of ${options.rounds}, ${kind}: ratio ${digits(run.ratio, 3)}, ${digits(run.rssGrowthBytes / 1e6, 1)} MB more`,
      );
    }
  }
  return kinds.map((kind) => {
    const own = runs.filter((run) => run.kind === kind);
    const middle = (read: (run: AdminRow) => number) => median(own.map(read));
    return {
      kind,
      version: peer.version,
      cpuPercentQuiet: middle((run) => run.cpuPercentQuiet),
      cpuPercentOther: middle((run) => run.cpuPercentOther),
      ratio: middle((run) => run.ratio),
      rssBeforeBytes: middle((run) => run.rssBeforeBytes),
      rssBytes: middle((run) => run.rssBytes),
      rssGrowthBytes: middle((run) => run.rssGrowthBytes),
      rssPeakBytes: middle((run) => run.rssPeakBytes),
      openingMs: middle((run) => run.openingMs),
    };
  });
}

/** The table of the report. */
export function tabulateAdmin(rows: readonly AdminRow[]): string {
  const head = ['admin server', 'CPU %, intervals 1 and 4', '2 and 3', 'ratio', 'RSS MB after 1'];
  head.push('after 4', 'grown by');
  return markdownTable([
    [...head, 'RSS peak MB', 'first page and scrape, CPU ms'],
    ...rows.map((row) => [
      row.kind,
      digits(row.cpuPercentQuiet, 3),
      digits(row.cpuPercentOther, 3),
      digits(row.ratio, 3),
      digits(row.rssBeforeBytes / 1e6, 1),
      digits(row.rssBytes / 1e6, 1),
      digits(row.rssGrowthBytes / 1e6, 1),
      digits(row.rssPeakBytes / 1e6, 1),
      row.kind === 'asked' ? digits(row.openingMs, 0) : '–',
    ]),
  ]);
}

/** What being asked costs: more CPU as a part, more memory in bytes. */
export function costOfLooking(rows: readonly AdminRow[]): {
  readonly cpuShare: number;
  readonly noiseShare: number;
  readonly rssBytes: number;
} {
  const of = (kind: Kind) => rows.find((row) => row.kind === kind);
  return {
    cpuShare: (of('asked')?.ratio ?? NaN) - 1,
    noiseShare: (of('not asked')?.ratio ?? NaN) - 1,
    rssBytes: (of('asked')?.rssGrowthBytes ?? NaN) - (of('not asked')?.rssGrowthBytes ?? NaN),
  };
}
