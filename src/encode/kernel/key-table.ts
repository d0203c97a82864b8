// Finds keys that may occur twice in one object. A hash of each key and its object goes into a
// table of the area; a line that has the same hash twice is handed back. Different keys may share a
// hash, equal ones always do, so no double key is missed.
//
// Its multipliers are secret, and a slot is chosen by the highest bits, which depend on all others:
// nobody can write keys that share slots, each of which would be compared with all before it.
//
// An entry is the hash below the number of its line, so that the table need not be cleared for
// each.

import { keySecrets, keyTable, keyTableBits, keyTableEntries } from './layout';

/** The number of the line. */
let lineNumber: u32 = 0;

let firstMultiplier: u64 = 1;
let lastMultiplier: u64 = 1;

/** Takes over the secrets of the area. */
export function seedKeys(area: usize): void {
  firstMultiplier = load<u64>(area, keySecrets) | 1;
  lastMultiplier = load<u64>(area, keySecrets + 8) | 1;
}

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
  const mixed = (first ^ ((<u64>seed) << 32) ^ <u64>length) * firstMultiplier;
  const both = (mixed ^ (mixed >> 29) ^ last) * lastMultiplier;
  return <u32>(both >> 32);
}

/** Whether the hash has been met in this line; it is remembered. */
// @ts-ignore: decorator
@inline
export function meetKey(hash: u32, area: usize): bool {
  const entry = ((<u64>lineNumber) << 32) | <u64>hash;
  let index = hash >> (32 - keyTableBits);
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
