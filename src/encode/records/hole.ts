// Holes: zeros where a line should begin. A power loss leaves them between the last line that came
// to the disk and the first one after it, and `copytruncate` leaves them before the first line of a
// program that does not append. A hole is no entry; its bytes are counted.
//
// The invariant: what is a hole follows from the bytes of the file alone. The end of a file that
// may still grow is none: its writer may have reserved the place.

/** As many zeros in a line that is not of its format end it: the rest of it never came. */
const tornZeros = Buffer.alloc(16);
/** Compared at once. */
const zeros = Buffer.alloc(4_096);

/** One past the zeros that begin at `from`, at most `end`. */
export function pastZeros(bytes: Buffer, from: number, end: number): number {
  let at = from;
  // Most lines begin with another byte.
  if (at === end || bytes[at] !== 0) return at;
  const block = zeros.length;
  while (end - at >= block && zeros.compare(bytes, at, at + block) === 0) at += block;
  while (at < end && bytes[at] === 0) at++;
  return at;
}

/** Where the zeros begin that end at `end`, at least `from`. */
export function beforeZeros(bytes: Buffer, from: number, end: number): number {
  let at = end;
  while (at > from && bytes[at - 1] === 0) at--;
  return at;
}

/** Where the line of [from, end), which is not of its format, is torn; -1 if it is not. */
export function tornAt(bytes: Buffer, from: number, end: number): number {
  const at = bytes.subarray(from, end).indexOf(tornZeros);
  return at === -1 ? -1 : from + at;
}
