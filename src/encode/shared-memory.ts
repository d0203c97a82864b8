// The one memory that kernel, worker and socket share: a worker reads into its window and encodes into a slot, the shipper sends
// straight from the slot. Nothing is copied between them. Pages that were never touched cost no RSS.
//
//   0            tables and statics of the kernel
//   kernelBytes  window of worker 0 │ window of worker 1 │ …
//   …            slot 0 │ slot 1 │ …

import { limits } from '../config.ts';

/** Bytes below the first window, for the kernel's own statics and its per-worker state. */
export const kernelBytes = 64 * 1024;
const pageBytes = 64 * 1024;

export const slotBytes = limits.batchBytesSoftMax + limits.batchBytesReserve;

export type SharedLayout = { readonly workerCount: number; readonly slotCount: number };

/** Byte address of a worker's input window, `limits.windowBytes` long. */
export function windowAddress(worker: number): number {
  return kernelBytes + worker * limits.windowBytes;
}

/** Byte address of a slot, `slotBytes` long. */
export function slotAddress(layout: SharedLayout, slot: number): number {
  return windowAddress(layout.workerCount) + slot * slotBytes;
}

/** How many WebAssembly pages the layout takes. */
export function pageCount(layout: SharedLayout): number {
  return Math.ceil(slotAddress(layout, layout.slotCount) / pageBytes);
}
