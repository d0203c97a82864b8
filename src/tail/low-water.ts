// The low-water mark of one file: ranges are sent in file order, answers come in any order, and the
// committed offset is the end of the last range before which everything is answered.
//
// Invariant: `offset` never passes a range that is not done, and never goes back.

import assert from 'node:assert/strict';

/** The ranges of one file that are on their way; answers come in any order. */
export type LowWater = {
  /** Byte offset in the file; everything before it is done. */
  readonly offset: number;
  /**
   * Adds the range `[start, end)` and returns its ticket; `start` must be the end of the range
   * before.
   */
  begin(start: number, end: number): number;
  /** Marks a range as answered, once. */
  done(ticket: number): void;
};

/** Starts with nothing on its way and everything before `start` done. */
export function createLowWater(start: number): LowWater {
  assert(Number.isSafeInteger(start) && start >= 0, 'an offset is a count of bytes');
  // A file has at most as many ranges on their way as there are slots, so shifting an array beats
  // anything cleverer.
  const ranges: { end: number; done: boolean }[] = [];
  let firstTicket = 0;
  let offset = start;
  let end = start;
  return {
    get offset() {
      return offset;
    },
    begin(rangeStart, rangeEnd) {
      assert.equal(rangeStart, end, 'ranges of a file are begun in order and without gaps');
      assert(
        Number.isSafeInteger(rangeEnd) && rangeEnd >= rangeStart,
        'a range ends before it starts',
      );
      end = rangeEnd;
      return firstTicket + ranges.push({ end, done: false }) - 1;
    },
    done(ticket) {
      const range = ranges[ticket - firstTicket];
      assert(range !== undefined && !range.done, 'a ticket is done once');
      range.done = true;
      for (let first = ranges[0]; first?.done === true; first = ranges[0]) {
        offset = first.end;
        ranges.shift();
        firstTicket += 1;
      }
    },
  };
}
