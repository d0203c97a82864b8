// Which records a share keeps. Called by emit-record.ts for the severities that are sampled.
//
// The invariant: it depends on the record's id alone, so that a line which is read again, after a
// crash or by the next agent, is decided alike. A larger share keeps all that a smaller one does.

import { crc32 } from 'node:zlib';

const values = 2 ** 32;

/** Whether a record is among the `share` (0 to 1) that is kept. */
export function isKept(insertId: string, share: number): boolean {
  // The ids of neighbours differ in few bits, and so do their checksums.
  let mixed = Math.imul(crc32(insertId), 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
  return ((mixed ^ (mixed >>> 13)) >>> 0) / values < share;
}
