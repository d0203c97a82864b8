// An agent at full load for an hour: pods that come and go, rotations, 20,000 lines/s. What it
// holds and how long a line takes must have no slope.
//
// Invariant: the slope is the median of the slopes between all pairs of samples (Theil and Sen), so
// that a machine that is busy for minutes moves it little; a look at the first and the last sample
// would see those minutes alone.

import path from 'node:path';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { makeScratch, startAgentProcess, stopAll, until } from '../support/agent-process.ts';
import { descriptorsOf, ownRssOf, rssOf } from '../support/agent-status.ts';
import { keepBusy, startPods, startSink, type LongRunOptions } from './busy-node.ts';

/** Of one minute. Bytes and milliseconds; a line's latency is from its time to its arrival. */
export type Minute = {
  readonly minute: number;
  readonly rss: number;
  readonly ownRss: number;
  readonly descriptors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

export type Measure = Exclude<keyof Minute, 'minute'>;

export type Trend = {
  readonly median: number;
  /** Change in an hour. */
  readonly perHour: number;
};

export type LongHaulResult = {
  readonly trends: Readonly<Record<Measure, Trend>>;
  readonly minutes: readonly Minute[];
  readonly linesWritten: number;
  readonly entries: number;
  readonly podsMade: number;
  readonly rotations: number;
  /** The furthest that the writer was behind its clock, milliseconds. */
  readonly writerLateMs: number;
};

const measures = ['rss', 'ownRss', 'descriptors', 'p50Ms', 'p99Ms'] as const;
const minuteMs = 60_000;
const drainMs = 30_000;

/** Runs it; throws when the agent ends by itself. */
export async function runLongHaul(options: LongRunOptions): Promise<LongHaulResult> {
  const { seed, containers } = options;
  const scratch = makeScratch();
  const arrivals = createArrivals();
  const sink = await startSink(arrivals.take);
  try {
    const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed });
    // A line of text is an entry, so that both can be counted.
    const node = startPods(kubelet, containers, 'text');
    const stateDir = path.join(scratch.path, 'state');
    const flags = ['--flush-interval-ms=1000'];
    const agent = startAgentProcess({ kubelet, stateDir, endpoint: sink.url, flags });
    // A pod that goes before there is an agent is not its loss.
    for (const container of kubelet.containers) container.writeNext(1);
    await until('all pods are known', () => arrivals.entries() === containers);
    const minutes: Minute[] = [];
    const { written, rotations } = await keepBusy(node, agent, {
      ...options,
      lookMs: minuteMs,
      look: () => {
        const minute = { minute: minutes.length + 1, ...lookAt(agent.pid), ...arrivals.minute() };
        minutes.push(minute);
        options.note?.(JSON.stringify(minute));
      },
    });
    const linesWritten = accountLines(kubelet.account());
    // What has not arrived by then is missing in the figures.
    const endsMs = performance.now() + drainMs;
    const isDone = () => arrivals.entries() >= linesWritten || performance.now() > endsMs;
    await until('all have arrived', isDone);
    const trends = trendsOf(minutes.filter(({ minute }) => minute * 60 > options.settleSeconds));
    const { made: podsMade } = node;
    const entries = arrivals.entries();
    const { lateMs: writerLateMs } = written;
    return { trends, minutes, linesWritten, entries, podsMade, rotations, writerLateMs };
  } finally {
    await stopAll();
    sink.close();
    scratch.remove();
  }
}

function lookAt(pid: number): Pick<Minute, 'rss' | 'ownRss' | 'descriptors'> {
  return { rss: rssOf(pid), ownRss: ownRssOf(pid), descriptors: descriptorsOf(pid) };
}

type Arrivals = {
  readonly take: (body: Buffer) => void;
  readonly entries: () => number;
  /** Latencies since the last call. */
  readonly minute: () => Pick<Minute, 'p50Ms' | 'p99Ms'>;
};

const timeName = Buffer.from('"timestamp":"');
/** As long as `2026-11-28T15:04:05.000`: the rest of the time is less than a millisecond. */
const timeBytes = 23;
const latencyMaxMs = 60_000;

/** Counts the entries, and how many took so many milliseconds. */
function createArrivals(): Arrivals {
  const counts = new Uint32Array(latencyMaxMs + 1);
  let entries = 0;
  return {
    take(body) {
      const nowMs = Date.now();
      let at = body.indexOf(timeName);
      while (at !== -1) {
        entries += 1;
        const start = at + timeName.length;
        const latencyMs =
          nowMs - Date.parse(`${body.toString('latin1', start, start + timeBytes)}Z`);
        counts[Math.min(Math.max(0, latencyMs), latencyMaxMs)]! += 1;
        at = body.indexOf(timeName, start);
      }
    },
    entries: () => entries,
    minute() {
      const quantiles = { p50Ms: quantileOf(counts, 0.5), p99Ms: quantileOf(counts, 0.99) };
      counts.fill(0);
      return quantiles;
    },
  };
}

function quantileOf(counts: Uint32Array, share: number): number {
  let left = share * counts.reduce((sum, count) => sum + count, 0);
  return counts.findIndex((count) => (left -= count) <= 0);
}

/** Median and slope of each measure. */
export function trendsOf(minutes: readonly Minute[]): Record<Measure, Trend> {
  const trends = measures.map((measure) => {
    const slopes = minutes.flatMap((one, index) =>
      minutes
        .slice(index + 1)
        .map((other) => (other[measure] - one[measure]) / (other.minute - one.minute)),
    );
    const values = minutes.map((minute) => minute[measure]);
    return [measure, { median: middle(values), perHour: 60 * middle(slopes) }] as const;
  });
  return Object.fromEntries(trends) as Record<Measure, Trend>;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
