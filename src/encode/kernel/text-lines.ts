// Lines that are not written as CRI's. The invariant: what is said to be none is none for the
// reference (cri-line.ts), and holds no zero, which may be a hole.

import { stderrWord, stdoutWord } from './header';
import { contentBytesMax } from './layout';

/** No header has a longer time. */
const timeBytesMax: usize = 64;

/** Whether the first word of the line at `at` is followed by a stream's name. */
export function mayBeCri(at: usize): bool {
  for (let done: usize = 0; done <= timeBytesMax; done += 16) {
    const bytes = v128.load(at + done);
    const ends = v128.or(i8x16.eq(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(10)));
    const found = i8x16.bitmask(ends);
    if (found == 0) continue;
    const word = load<u64>(at + done + ctz(found));
    return word == stdoutWord || word == stderrWord;
  }
  return false;
}

/** Whether the line at `at` is empty and comes after an empty one. */
// @ts-ignore: decorator
@inline
export function isEmptyAgain(at: usize, offset: u64): bool {
  if (load<u8>(at) != 10 || offset == 0 || load<u8>(at - 1) != 10) return false;
  return offset == 1 || load<u8>(at - 2) == 10;
}

/** Past the newline of the text at `at`; more than any address if it is long or holds a zero. */
export function pastText(at: usize): usize {
  const last = at + contentBytesMax;
  const newline = i8x16.splat(10);
  const zero = i8x16.splat(0);
  for (let position = at; position <= last; position += 16) {
    const bytes = v128.load(position);
    const found = i8x16.bitmask(v128.or(i8x16.eq(bytes, newline), i8x16.eq(bytes, zero)));
    if (found == 0) continue;
    position += ctz(found);
    return load<u8>(position) == 10 ? position + 1 : usize.MAX_VALUE;
  }
  return usize.MAX_VALUE;
}
