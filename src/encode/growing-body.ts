// One request body while it grows in its slot; the kernel moves `out` too.
//
// The invariant: everything before `out` is the head, or entries that each end in a comma and a
// newline.

import { threadCpuUsage } from 'node:process';

import type { DrainTask } from './drain-task.ts';
import { type SharedLayout, slotAddress, slotBytes } from './shared-memory.ts';
import { limits } from '../config.ts';

/** Positions are addresses of the shared memory. */
export type Body = {
  /** The whole shared memory. */
  readonly memory: Buffer;
  readonly start: number;
  readonly headEnd: number;
  /** No record is begun past it. */
  readonly softEnd: number;
  readonly end: number;
  /** The task has taken as long as one may: the rest is for the next one. */
  readonly isLate: () => boolean;
  /** One past the last byte written. */
  out: number;
  entries: number;
};

const separator = ',\n';
const closing = ']}';

/** A body that holds the task's head. */
export function openBody(memory: Buffer, layout: SharedLayout, task: DrainTask): Body {
  const start = slotAddress(layout, task.slot);
  memory.set(task.head, start);
  const headEnd = start + task.head.length;
  return {
    memory,
    start,
    headEnd,
    softEnd: start + limits.batchBytesSoftMax,
    end: start + slotBytes,
    isLate: createTimeLimit(),
    out: headEnd,
    entries: 0,
  };
}

/** The clock is cheap; only CPU time counts, so that a busy machine changes nothing. */
function createTimeLimit(): () => boolean {
  const startMs = performance.now();
  const start = threadCpuUsage();
  return () => {
    if (performance.now() - startMs < limits.taskMsMax) return false;
    const { user, system } = threadCpuUsage(start);
    return (user + system) / 1e3 >= limits.taskMsMax;
  };
}

/** Appends the entries of one record; false, and none of them, when they do not fit. */
export function appendEntries(body: Body, entries: readonly string[]): boolean {
  const text = entries.join(separator) + separator;
  // Three bytes of UTF-8 are the most that one UTF-16 unit takes.
  const bytesMax = text.length * 3;
  if (body.out + bytesMax > body.end && body.out + Buffer.byteLength(text) > body.end) return false;
  body.out += body.memory.write(text, body.out);
  body.entries += entries.length;
  return true;
}

/** Ends the body; returns its length, 0 when it has no entry. */
export function closeBody(body: Body): number {
  if (body.entries === 0) return 0;
  body.memory.write(closing, body.out - separator.length, 'latin1');
  return body.out - body.start;
}
