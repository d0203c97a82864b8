// The one memory that kernel, worker and socket share: a worker reads into its window and encodes
// into a slot, the shipper sends straight from the slot. Nothing is copied between them. Pages that
// were never touched cost no RSS.
//
//   0            nothing: an address below the first area is a stop reason of the kernel
//   kernelBytes  worker 0: area │ window │ join of stdout │ join of stderr;  worker 1: …
//   …            slot 0 │ slot 1 │ …
//
// An area is the kernel's own state of one worker (see kernel/layout.ts). A join holds the partial
// lines of one record.

import { limits } from '../config.ts';
import { areaBytes } from './kernel/layout.ts';

/** Bytes below the first worker's area. */
const kernelBytes = 64 * 1024;
const pageBytes = 64 * 1024;

export const slotBytes = limits.batchBytesSoftMax + limits.batchBytesReserve;

/** A joined record and the header that stands before its content there. */
const joinBytes = limits.lineBytesMax + pageBytes;

const workerBytes = areaBytes + limits.windowBytes + 2 * joinBytes;

export type SharedLayout = { readonly workerCount: number; readonly slotCount: number };

/** Byte address of a worker's area, `areaBytes` long. */
export function areaAddress(worker: number): number {
  return kernelBytes + worker * workerBytes;
}

/** Byte address of a worker's input window, `limits.windowBytes` long. */
export function windowAddress(worker: number): number {
  return areaAddress(worker) + areaBytes;
}

/**
 * Byte address of where a worker joins the partial lines of a stream (0 stdout, 1 stderr),
 * `joinBytes` long.
 */
export function joinAddress(worker: number, stream: number): number {
  return windowAddress(worker) + limits.windowBytes + stream * joinBytes;
}

/** Byte address of a slot, `slotBytes` long. */
export function slotAddress(layout: SharedLayout, slot: number): number {
  return areaAddress(layout.workerCount) + slot * slotBytes;
}

/** How many WebAssembly pages the layout takes. */
function pageCount(layout: SharedLayout): number {
  return Math.ceil(slotAddress(layout, layout.slotCount) / pageBytes);
}

/** The memory for a layout, shared between all threads. It never grows, so its views stay valid. */
export function createSharedMemory(layout: SharedLayout): WebAssembly.Memory {
  const pages = pageCount(layout);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
