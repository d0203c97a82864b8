// Starts the sink as a child process and asks it what arrived. The sink never outlives
// its parent.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Certificates } from './certificates.ts';

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
  /** What peers post to. */
  readonly url: string;
  /** Where the sink answers the benchmark, and is a metadata server; always plain http. */
  readonly controlUrl: string;
  /** Takes gRPC without TLS. */
  readonly grpcUrl: string;
  /** Takes Fluentd's forward protocol without TLS, `tcp://host:port`. */
  readonly forwardUrl: string;
  /** What proves the sink to a peer when `url` is https. */
  readonly caFile: string | undefined;
  /** Forgets everything and expects the numbers 0…lineCount-1; `live` for latencies. */
  reset(lineCount: number, mode?: 'live'): Promise<void>;
  /** Restarts the latency quantiles; the line numbers stay known. */
  forgetLatencies(): Promise<void>;
  stats(): Promise<SinkStats>;
  stop(): Promise<void>;
};

/**
 * Starts a sink on any free port of 127.0.0.1, over https if there are certificates. Throws if it
 * ends before it listens.
 */
export async function startSink(tls?: Certificates): Promise<Sink> {
  const args = [path.join(import.meta.dirname, 'sink.ts')];
  if (tls !== undefined) args.push('--key', tls.keyFile, '--certificate', tls.certificateFile);
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const first = (await Promise.race([once(lines, 'line'), exited])) as unknown[];
  if (typeof first[0] !== 'string') throw new Error(`the sink ended with ${String(first[0])}`);
  type Urls = Pick<Sink, 'controlUrl' | 'grpcUrl' | 'forwardUrl'> & { readonly listening: string };
  const { listening: url, controlUrl, grpcUrl, forwardUrl } = JSON.parse(first[0]) as Urls;
  return {
    url,
    controlUrl,
    grpcUrl,
    forwardUrl,
    caFile: tls?.caFile,
    async reset(lineCount, mode) {
      const live = mode === undefined ? '' : '&live';
      await fetch(`${controlUrl}/sink/reset?lines=${lineCount}${live}`, { method: 'POST' });
    },
    async forgetLatencies() {
      await fetch(`${controlUrl}/sink/forget-latencies`, { method: 'POST' });
    },
    async stats() {
      return (await (await fetch(`${controlUrl}/sink/stats`)).json()) as SinkStats;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
