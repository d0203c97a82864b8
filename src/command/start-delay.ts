// A random wait before the agent starts. When a rollout or a power cut starts hundreds of agents at
// once, each asks the API server for its pods and Google for a token: the wait spreads that.

import type { Config } from '../options/options.ts';
import { pause } from '../until-aborted.ts';

/** Waits at most until the signal; nothing is opened or locked yet. `random` is in [0, 1). */
export async function delayStart(
  { startJitterMs, once }: Pick<Config, 'startJitterMs' | 'once'>,
  signal: AbortSignal,
  random: () => number = Math.random,
): Promise<void> {
  const waitMs = once ? 0 : random() * startJitterMs;
  if (waitMs === 0) return;
  await pause(waitMs, signal);
}
