// Starts the sink as a child process and asks it what arrived. Called by the scenarios.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** What the sink received since its last reset. Bytes: body decoded, wire as read from sockets. */
export type SinkStats = {
  readonly requests: number;
  readonly connections: number;
  readonly bodyBytes: number;
  readonly wireBytes: number;
  /** Different line numbers that arrived. */
  readonly distinct: number;
  /** Arrivals of a number that had arrived before. */
  readonly doubled: number;
  /** Numbers that were not expected. */
  readonly unknown: number;
  /** Write to arrival, when lines carry their time. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
};

export type Sink = {
  readonly url: string;
  readonly pid: number;
  /** Forgets everything and expects the numbers 0…lineCount-1; `live` for latencies. */
  reset(lineCount: number, mode?: 'live'): Promise<void>;
  /** Starts the latency quantiles anew; the line numbers stay known. */
  forgetLatencies(): Promise<void>;
  stats(): Promise<SinkStats>;
  stop(): Promise<void>;
};

/** Starts a sink on any free port of 127.0.0.1. Throws if it ends before it listens. */
export async function startSink(): Promise<Sink> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'sink.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const first = (await Promise.race([once(lines, 'line'), exited])) as unknown[];
  if (typeof first[0] !== 'string') throw new Error(`the sink ended with ${String(first[0])}`);
  const { listening: url } = JSON.parse(first[0]) as { listening: string };
  return {
    url,
    pid: child.pid ?? 0,
    async reset(lineCount, mode) {
      const live = mode === undefined ? '' : '&live';
      await fetch(`${url}/sink/reset?lines=${lineCount}${live}`, { method: 'POST' });
    },
    async forgetLatencies() {
      await fetch(`${url}/sink/forget-latencies`, { method: 'POST' });
    },
    async stats() {
      return (await (await fetch(`${url}/sink/stats`)).json()) as SinkStats;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
