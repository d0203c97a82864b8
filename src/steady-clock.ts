// The clock for waiting and for ages. The wall clock may be set back by an hour, and a file that
// was to end in a second would end in an hour.

/**
 * Milliseconds since the epoch by the wall clock at the start of the process, counted steadily from
 * there.
 */
export function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}
