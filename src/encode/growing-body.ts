// One request body while it grows in its slot, by entries that the reference writes and by those
// that the kernel has written past its end.
//
// The invariant: everything before `out` is the head, or entries that each end in a comma and a
// newline.

import assert from 'node:assert';
import { threadCpuUsage } from 'node:process';

import type { DrainTask } from './drain-task.ts';
import { type SharedLayout, slotAddress, slotBytes } from './shared-memory.ts';
import { limits } from '../config.ts';

const separator = ',\n';
const closing = ']}';

/** A state of a body to return to. */
export type BodyMark = { readonly out: number; readonly entries: number };

/** Positions are addresses of the shared memory. */
export class GrowingBody {
  /** The whole shared memory. */
  readonly memory: Buffer;
  /** No record begins beyond it. */
  readonly softEnd: number;
  readonly end: number;
  readonly #start: number;
  readonly #headEnd: number;
  /** Whether the task's time is over: the rest is for the next one. */
  readonly isLate = createTimeLimit();
  #out: number;
  #entries = 0;

  constructor(memory: Buffer, layout: SharedLayout, task: DrainTask) {
    this.memory = memory;
    this.#start = slotAddress(layout, task.slot);
    memory.set(task.head, this.#start);
    this.#headEnd = this.#start + task.head.length;
    this.softEnd = this.#start + limits.batchBytesSoftMax;
    this.end = this.#start + slotBytes;
    this.#out = this.#headEnd;
  }

  /** One past the last byte written. */
  get out(): number {
    return this.#out;
  }

  get entries(): number {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#out === this.#headEnd;
  }

  /** Appends the entries of one record; false, and none of them, when they do not fit. */
  append(entries: readonly string[]): boolean {
    const text = entries.join(separator) + separator;
    // Three bytes of UTF-8 are the most that one UTF-16 unit takes.
    const bytesMax = text.length * 3;
    const out = this.#out;
    if (out + bytesMax > this.end && out + Buffer.byteLength(text) > this.end) return false;
    this.#out = out + this.memory.write(text, out);
    this.#entries += entries.length;
    return true;
  }

  /** Adds entries that the kernel has written from `out` to `end`. */
  extend(end: number, entries: number): void {
    assert(end >= this.#out && end <= this.end);
    this.#out = end;
    this.#entries += entries;
  }

  mark(): BodyMark {
    return { out: this.#out, entries: this.#entries };
  }

  /** Cuts the body back to an earlier state. */
  returnTo({ out, entries }: BodyMark): void {
    this.#out = out;
    this.#entries = entries;
  }

  /** Ends the body; returns its length, 0 when it has no entry. */
  close(): number {
    if (this.#entries === 0) return 0;
    this.memory.write(closing, this.#out - separator.length, 'latin1');
    return this.#out - this.#start;
  }
}

/** The clock is cheap, but only CPU time counts, so a busy machine changes nothing. */
function createTimeLimit(): () => boolean {
  const startMs = performance.now();
  const start = threadCpuUsage();
  return () => {
    if (performance.now() - startMs < limits.taskMsMax) return false;
    const { user, system } = threadCpuUsage(start);
    return (user + system) / 1e3 >= limits.taskMsMax;
  };
}
