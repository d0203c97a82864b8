// What a stored position is checked with: a hash of the bytes just before it. The encoder makes it
// of the bytes that it has at hand, the tail stage compares it with what the file holds later.
//
// Invariant: both sides hash the same bytes, up to `limits.positionBytes` of them, so two hashes of
// one offset are equal where the bytes are.

import { crc32 } from 'node:zlib';

import { limits } from './config.ts';

/** The hash of no bytes, before offset 0. */
export const emptyPositionHash = 0;

/** How many bytes before `offset` are hashed. */
export function positionBytesOf(offset: number): number {
  return Math.min(offset, limits.positionBytes);
}

/** 32 bits detect accidents, and an attacker could only deceive about their own log. */
export function positionHash(bytes: Uint8Array): number {
  return bytes.length === 0 ? emptyPositionHash : crc32(bytes);
}

const zeros = new Uint8Array(limits.positionBytes);

/** Whether only zeros come before `offset`: such a hash says little. */
export function isHashOfZeros(hash: number, offset: number): boolean {
  return hash === positionHash(zeros.subarray(0, positionBytesOf(offset)));
}
