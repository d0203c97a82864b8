// The encoder thread: one task in, one request body in its slot out. Started by encoder-pool.ts,
// called by piscina. It keeps nothing from one task to the next but its instance of the kernel.

import assert from 'node:assert';
import { threadCpuUsage } from 'node:process';
import { workerData } from 'node:worker_threads';

import { limits } from '../config.ts';
import { closeBody, openBody } from './growing-body.ts';
import { drainSource } from './records/drain-source.ts';
import type { DrainResult, DrainTask, SourceResult } from './drain-task.ts';
import type { EncoderThreadSetup } from './encoder-pool.ts';
import { createKernel } from './kernel.ts';
import { severityCount, severityCounts } from './kernel/layout.ts';
import { instantOfClock } from './rfc3339.ts';
import { skipSource } from './records/source-result.ts';
import { areaAddress, joinAddress, windowAddress } from './shared-memory.ts';
import type { SharedLayout } from './shared-memory.ts';
import type { DrainWorker } from './records/source-run.ts';

/** How a worker differs from the usual one: for tests and measurements. */
export type WorkerOptions = { readonly useKernel?: boolean; readonly readBytes?: number };

/** The part of the memory that belongs to the worker `index`, with a kernel in it. */
export function createDrainWorker(
  memory: WebAssembly.Memory,
  index: number,
  { useKernel = true, readBytes = limits.readBytes }: WorkerOptions = {},
): DrainWorker {
  const area = areaAddress(index);
  return {
    memory: Buffer.from(memory.buffer),
    kernel: useKernel ? createKernel(memory, area) : undefined,
    window: windowAddress(index),
    joins: { stdout: joinAddress(index, 0), stderr: joinAddress(index, 1) },
    readBytes,
    severityCounts: new Uint32Array(memory.buffer, area + severityCounts, severityCount),
  };
}

/** How many labels the head of a request has, which all its entries get. */
function countRequestLabels(head: Uint8Array): number {
  const text = `${Buffer.from(head).toString()}]}`;
  const { labels = {} } = JSON.parse(text) as { readonly labels?: object };
  return Object.keys(labels).length;
}

/** Fills the task's slot. */
export function drainTask(worker: DrainWorker, layout: SharedLayout, task: DrainTask): DrainResult {
  // Linux counts it in ticks: one task may read 0, sums are right.
  const before = threadCpuUsage();
  const body = openBody(worker.memory, layout, task);
  const sources: SourceResult[] = [];
  const { traceParent } = task;
  const readAt = instantOfClock(task.readAtMs);
  const requestLabels = countRequestLabels(task.head);
  for (const source of task.sources) {
    const isFull = body.out >= body.softEnd || body.isLate();
    const sourceTask = { source, traceParent, readAt, requestLabels };
    sources.push(isFull ? skipSource(source) : drainSource(worker, body, sourceTask));
  }
  const bodyBytes = closeBody(body);
  const { user, system } = threadCpuUsage(before);
  return { bodyBytes, entries: body.entries, sources, cpuMicros: user + system };
}

let own: { readonly worker: DrainWorker; readonly layout: SharedLayout } | undefined;

function startThread(): { readonly worker: DrainWorker; readonly layout: SharedLayout } {
  const { memory, layout, started } = workerData as EncoderThreadSetup;
  const index = Atomics.add(new Int32Array(started), 0, 1);
  assert(index < layout.workerCount);
  return { worker: createDrainWorker(memory, index), layout };
}

/** Piscina's entry. */
export default function drain(task: DrainTask): DrainResult {
  own ??= startThread();
  return drainTask(own.worker, own.layout, task);
}
