// The one memory that encoders and sockets share: an encoder reads into its window and encodes into
// a slot, the shipper sends straight from the slot. Nothing is copied between them. Pages that were
// never touched cost no RSS.
//
//   0            nothing: an address below the first area is a stop reason of the kernel
//   kernelBytes  encoder 0: area │ window │ join of stdout │ join of stderr;  encoder 1: …
//   …            slot 0 │ slot 1 │ …
//
// An area is the state of one instance of the kernel (see kernel/layout.ts). A join holds the
// partial lines of one record.

import { limits } from '../config.ts';
import { areaBytes } from './kernel/layout.ts';

/** Bytes below the first encoder's area. */
const kernelBytes = 64 * 1024;
const pageBytes = 64 * 1024;

export const slotBytes = limits.batchBytesSoftMax + limits.batchBytesReserve;

/** A joined record and the header before its content. */
const joinBytes = limits.lineBytesMax + pageBytes;

const encoderBytes = areaBytes + limits.windowBytes + 2 * joinBytes;

export type SharedLayout = { readonly encoderCount: number; readonly slotCount: number };

/** Byte address of an encoder's area, `areaBytes` long. */
export function areaAddress(encoder: number): number {
  return kernelBytes + encoder * encoderBytes;
}

/** Byte address of an encoder's input window, `limits.windowBytes` long. */
export function windowAddress(encoder: number): number {
  return areaAddress(encoder) + areaBytes;
}

/**
 * Byte address where an encoder joins partial lines of a stream (0 stdout, 1 stderr), `joinBytes`
 * long.
 */
export function joinAddress(encoder: number, stream: number): number {
  return windowAddress(encoder) + limits.windowBytes + stream * joinBytes;
}

/** Byte address of a slot, `slotBytes` long. */
export function slotAddress(layout: SharedLayout, slot: number): number {
  return areaAddress(layout.encoderCount) + slot * slotBytes;
}

/** The number of WebAssembly pages of the layout. */
function pageCount(layout: SharedLayout): number {
  return Math.ceil(slotAddress(layout, layout.slotCount) / pageBytes);
}

/** The memory of a layout, shared by all threads. It never grows, so views stay valid. */
export function createSharedMemory(layout: SharedLayout): WebAssembly.Memory {
  const pages = pageCount(layout);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
