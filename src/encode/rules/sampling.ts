// Decides which records a share keeps.
//
// Invariant: the decision depends on the record's id alone, so it is the same for a line that
// is read again, after a crash or by the next agent. A larger share keeps all that a smaller one
// keeps.

import { crc32 } from 'node:zlib';

const hashRange = 2 ** 32;

/** Whether a record belongs to the `share` (0 to 1) that is kept. */
export function isKept(insertId: string, share: number): boolean {
  // Ids of adjacent records differ in few bits, and so do their checksums.
  let mixed = Math.imul(crc32(insertId), 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
  return ((mixed ^ (mixed >>> 13)) >>> 0) / hashRange < share;
}
