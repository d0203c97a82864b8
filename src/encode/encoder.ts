// The encoder: one task in, one request body in its slot out. It runs in a thread of its own and
// keeps nothing from one task to the next but its instance of the kernel.

import assert from 'node:assert';
import { threadCpuUsage } from 'node:process';
import { workerData } from 'node:worker_threads';

import { limits } from '../config.ts';
import { GrowingBody } from './growing-body.ts';
import { drainSource } from './records/drain-source.ts';
import type { DrainResult, DrainTask, SourceResult } from './drain-task.ts';
import type { EncoderSetup } from './encoder-pool.ts';
import { createKernel } from './kernel.ts';
import { severityCount, severityCounts } from './kernel/layout.ts';
import { instantOfClock } from './rfc3339.ts';
import { skipSource } from './records/source-result.ts';
import { areaAddress, joinAddress, windowAddress } from './shared-memory.ts';
import type { SharedLayout } from './shared-memory.ts';
import type { Encoder } from './records/source-run.ts';

/** For tests and measurements. */
export type EncoderOptions = { readonly useKernel?: boolean; readonly readBytes?: number };

/** The part of the memory that belongs to the encoder `index`, with a kernel in it. */
export function createEncoder(
  memory: WebAssembly.Memory,
  index: number,
  { useKernel = true, readBytes = limits.readBytes }: EncoderOptions = {},
): Encoder {
  const area = areaAddress(index);
  const joins = { stdout: joinAddress(index, 0), stderr: joinAddress(index, 1) };
  return {
    memory: Buffer.from(memory.buffer),
    kernel: useKernel ? createKernel(memory, area, joins) : undefined,
    window: windowAddress(index),
    joins,
    readBytes,
    severityCounts: new Uint32Array(memory.buffer, area + severityCounts, severityCount),
    partials: new Map(),
    traces: new Map(),
  };
}

/** The number of labels in the head of a request, which all its entries get. */
function countRequestLabels(head: Uint8Array): number {
  const text = `${Buffer.from(head).toString()}]}`;
  const { labels = {} } = JSON.parse(text) as { readonly labels?: object };
  return Object.keys(labels).length;
}

/** Fills the task's slot. */
export function drainTask(encoder: Encoder, layout: SharedLayout, task: DrainTask): DrainResult {
  // Linux counts in ticks: a task may read 0, but sums are right.
  const before = threadCpuUsage();
  const body = new GrowingBody(encoder.memory, layout, task);
  const sources: SourceResult[] = [];
  const shared = {
    traceParent: task.traceParent,
    readAt: instantOfClock(task.readAtMs),
    requestLabels: countRequestLabels(task.head),
  };
  for (const source of task.sources) {
    const isFull = body.out >= body.softEnd || body.isLate();
    sources.push(isFull ? skipSource(source) : drainSource(encoder, body, source, shared));
  }
  const bodyBytes = body.close();
  const { user, system } = threadCpuUsage(before);
  return { bodyBytes, entries: body.entries, sources, cpuMicros: user + system };
}

type Thread = { readonly encoder: Encoder; readonly layout: SharedLayout };

let own: Thread | undefined;

function startThread(): Thread {
  const { memory, layout, started } = workerData as EncoderSetup;
  const index = Atomics.add(new Int32Array(started), 0, 1);
  assert(index < layout.encoderCount);
  return { encoder: createEncoder(memory, index), layout };
}

/** Piscina's entry. */
export default function drain(task: DrainTask): DrainResult | Promise<DrainResult> {
  own ??= startThread();
  return task.journal === undefined
    ? drainTask(own.encoder, own.layout, task)
    : drainJournal(own, task);
}

/** Loads the reader of journals with the first task that needs it. */
async function drainJournal(thread: Thread, task: DrainTask): Promise<DrainResult> {
  const { drainJournalTask } = await import('./journal/drain-journal.ts');
  return drainJournalTask(thread.encoder.memory, thread.layout, task);
}
