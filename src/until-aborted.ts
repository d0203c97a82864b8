// Waiting that ends early: at a signal to stop, or at a deadline.

import { setTimeout as sleep } from 'node:timers/promises';

/** What `work` resolves to, or undefined as soon as `signal` is aborted; rejects as `work` does. */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const end = () => resolve(undefined);
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    if (signal.aborted) return undefined; // The work has the signal, too.
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** What `work` resolves to; rejects with `late` after `ms`. */
export async function within<Result>(
  work: Promise<Result>,
  ms: number,
  late: Error,
): Promise<Result> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(reject, ms, late);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  await sleep(Math.max(ms, 0), undefined, options).catch(() => undefined);
}
