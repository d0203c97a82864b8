// Finds keys that may occur twice in one object. A hash of each key and its object goes into a
// table of the area; a line that has the same hash twice is handed back. Different keys may share a
// hash, equal ones always do, so no double key is missed.
//
// An entry is the hash below the number of its line, so that the table need not be cleared for
// each.

import { keyTable, keyTableEntries } from './layout';

/** The number of the line. */
let lineNumber: u32 = 0;

/** Empties the table, which may hold what another instance of the kernel left there. */
export function clearKeys(area: usize): void {
  memory.fill(area + keyTable, 0, keyTableEntries * 8);
  lineNumber = 0;
}

/** Begins a new line: its keys have not been met. */
export function forgetKeys(area: usize): void {
  if (lineNumber == u32.MAX_VALUE) clearKeys(area);
  lineNumber++;
}

/** A hash of a key of `length` bytes, of its first and last eight bytes, in the object `seed`. */
// @ts-ignore: decorator
@inline
export function hashKey(first: u64, last: u64, length: usize, seed: u32): u32 {
  const mixed = (first ^ ((<u64>seed) << 32) ^ <u64>length) * 0x9e3779b97f4a7c15;
  const both = (mixed ^ (mixed >> 29) ^ last) * 0xbf58476d1ce4e5b9;
  return <u32>(both >> 32);
}

/** Whether the hash has been met in this line; it is remembered. */
// @ts-ignore: decorator
@inline
export function meetKey(hash: u32, area: usize): bool {
  const entry = ((<u64>lineNumber) << 32) | <u64>hash;
  let index = hash & (keyTableEntries - 1);
  while (true) {
    const slot = area + <usize>(index << 3);
    const found = load<u64>(slot, keyTable);
    if (found == entry) return true;
    if (<u32>(found >> 32) != lineNumber) {
      store<u64>(slot, entry, keyTable);
      return false;
    }
    index = (index + 1) & (keyTableEntries - 1);
  }
}
