// Texts that an entry needs and that its line does not hold as such: strings without their escapes,
// members in another form. They live until the next line is read.

import { scratch } from './layout';

/** Where the next text is written. */
export let scratchEnd: usize = 0;

/** Forgets all texts. */
// @ts-ignore: decorator
@inline
export function resetScratch(area: usize): void {
  scratchEnd = area + scratch;
}

/** Keeps what was written from `scratchEnd` up to `end`. */
export function keepScratch(end: usize): void {
  scratchEnd = end;
}
