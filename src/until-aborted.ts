// Waiting that a signal to stop ends.

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
