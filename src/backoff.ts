// How long to wait before the next try: exponential, with jitter, so that the agents of many nodes
// that failed together do not come back together.

export type Backoff = {
  /** The longest wait after the first failure. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** The least part of the longest wait, 0 to 1; 0 is full jitter. */
  readonly floor?: number;
  /** `[0, 1)`; Math.random by default. */
  readonly random?: () => number;
};

/** Milliseconds to wait after `failures` failures in a row (at least 1). */
export function backoffMs(failures: number, backoff: Backoff): number {
  const { baseMs, maxMs, floor = 0, random = Math.random } = backoff;
  const longestMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return longestMs * (floor + (1 - floor) * random());
}
