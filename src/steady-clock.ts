// The clock for waiting and for ages. The wall clock may be set back by an hour, and a file that
// was to end in a second would end in an hour.

/**
 * Milliseconds since the epoch as the wall clock counted them when the process started, and going
 * on evenly from there, whatever is done to the wall clock.
 */
export function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}
