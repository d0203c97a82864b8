// How the agent stops. Invariant: nothing is waited for longer than the grace period.

import { setTimeout as sleep } from 'node:timers/promises';

import { limits } from '../config.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { Agent } from './make-agent.ts';

/**
 * Reads nothing more, waits for what is in flight within the grace period, and gives up the rest:
 * the next run sends it again. A `.gz` that is being unpacked is not waited for.
 */
export async function stopGracefully(agent: Agent, graceMs: number): Promise<void> {
  const { config, fleet, pipeline, shipper, spooler } = agent;
  pipeline.stop();
  const settled = pipeline.pumpAll();
  settled.catch(() => undefined); // Awaited below.
  // First, because SIGKILL may come before the grace period ends.
  const keepDeleted = () => spooler.orphans.keepAll(fleet.all(), limits.orphanStopMs);
  if (!config.once) await keepDeleted();
  await shipper.stop(graceMs);
  await Promise.race([settled, sleep(limits.stopSettleMs, undefined, { ref: false })]);
  if (config.once) return;
  fleet.tick(steadyNowMs()); // Pods may have been deleted during the grace period.
  await keepDeleted();
}
