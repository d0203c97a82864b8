// The command `run`: makes the agent, runs it until it is stopped or, with --once, until everything
// is shipped, and closes it.

import type { Config } from '../options/options.ts';
import { type Control, stopReason } from '../control.ts';
import { closeAgent, makeAgent } from './make-agent.ts';
import { runLive } from './run-live.ts';
import { runOnce } from './run-once.ts';

/**
 * Resolves to the exit code.
 * @throws AgentError STATE_LOCKED, CREDENTIALS_MISSING, METADATA_UNAVAILABLE, CONFIG_INVALID,
 * CONTAINERS_MISSING.
 */
export async function runAgent(config: Config, control: Control): Promise<number> {
  const { once } = config;
  const agent = await makeAgent(config, control);
  if (agent === undefined) {
    const reason = stopReason(control);
    const text = `stopped by ${reason} before anything was read; nothing was in flight`;
    control.log[once ? 'error' : 'info'](once ? 'SHIP_STOPPED' : undefined, text);
    return once ? 1 : 0;
  }
  try {
    return await (once ? runOnce : runLive)(agent, control);
  } finally {
    await closeAgent(agent);
  }
}
