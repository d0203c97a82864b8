// The encoders as the main thread sees them: their shared memory, its slots, and the pool of
// threads.
//
// The invariant: a slot that was taken belongs to one task, then to the shipper, until it is freed.

import assert from 'node:assert';

import { Piscina } from 'piscina';

import type { DrainResult, DrainTask } from './drain-task.ts';
import { createSharedMemory, slotAddress, slotBytes } from './shared-memory.ts';
import type { SharedLayout } from './shared-memory.ts';

/** What an encoder thread gets at its start. */
export type EncoderSetup = {
  readonly memory: WebAssembly.Memory;
  readonly layout: SharedLayout;
  /** One i32, the number of started threads: the value before its own is a thread's index. */
  readonly started: SharedArrayBuffer;
};

export type EncoderPool = {
  /** Fills the task's slot. Rejects only on a programmer error. */
  run(task: DrainTask): Promise<DrainResult>;
  /** A view of the first `bytes` of a slot. */
  slotView(slot: number, bytes: number): Uint8Array;
  /** A free slot; undefined if there is none. */
  takeSlot(): number | undefined;
  freeSlot(slot: number): void;
  /** Waits for running tasks, then ends the threads. */
  close(): Promise<void>;
};

/** Starts `encoderCount` threads over a memory of `slotCount` slots. */
export function createEncoderPool(layout: SharedLayout): EncoderPool {
  const { encoderCount, slotCount } = layout;
  const memory = createSharedMemory(layout);
  const bytes = new Uint8Array(memory.buffer);
  const setup: EncoderSetup = { memory, layout, started: new SharedArrayBuffer(4) };
  const pool = new Piscina<DrainTask, DrainResult>({
    filename: new URL('encoder.ts', import.meta.url).href,
    minThreads: encoderCount,
    maxThreads: encoderCount,
    workerData: setup,
    recordTiming: false,
  });
  // The pages of the slot freed last are warm.
  const free = Array.from({ length: slotCount }, (_, index) => slotCount - 1 - index);

  return {
    run: (task) => pool.run(task),
    slotView(slot, length) {
      assert(length <= slotBytes);
      const start = slotAddress(layout, slot);
      return bytes.subarray(start, start + length);
    },
    takeSlot: () => free.pop(),
    freeSlot(slot) {
      assert(slot >= 0 && slot < slotCount && !free.includes(slot));
      free.push(slot);
    },
    close: () => pool.close(),
  };
}
