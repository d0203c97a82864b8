// A run with --once: ships what is there, prints a summary, ends.

import { type Control, progressSink, stopReason } from '../control.ts';
import { pluralText } from '../number-text.ts';
import { createProgress, lineIntervalMs, terminalIntervalMs } from '../progress.ts';
import { onceSummary } from '../status/run-lines.ts';
import { steadyNowMs } from '../steady-clock.ts';
import { untilAborted } from '../until-aborted.ts';
import type { Agent } from './make-agent.ts';
import { findLogs, type LogSearch, openNodeLogs, openPods } from './open-sources.ts';
import type { JournalSource } from '../tail/journal/journal-source.ts';
import { savePositions } from '../tail/loss-notices.ts';
import { stopGracefully } from './stop-agent.ts';

/** Resolves to the exit code. @throws AgentError CONTAINERS_MISSING. */
export async function runOnce(agent: Agent, control: Control): Promise<number> {
  const { signal } = control;
  const pods = await openPods(agent, control);
  let logs: LogSearch | undefined;
  let journal: JournalSource | undefined;
  try {
    if (pods !== undefined) {
      // It reads only once: labels that come later are too late.
      await untilAborted(pods.ready, signal);
      pods.setWait(0);
    }
    agent.fleet.restoreOrphans(agent.spooler.orphans, steadyNowMs());
    journal = await openNodeLogs(agent, control);
    journal?.look(steadyNowMs());
    if (!signal.aborted) logs = await findLogs(agent, control);
    const nothing = await untilAborted(logs?.listed ?? Promise.resolve(undefined), signal);
    const isComplete = !signal.aborted && (await shipAll(agent, control));
    if (isComplete) await agent.shipper.stop(0);
    else await stopGracefully(agent, agent.config.graceMs);
    savePositions(agent);
    agent.spooler.orphans.sweep();
    const stoppedBy = isComplete ? undefined : stopReason(control);
    tellSummary(agent, stoppedBy, control);
    if (nothing !== undefined) {
      // Links that lead nowhere are of pods just gone, or were reported; without any link it is
      // probably the wrong directory.
      if ((logs?.discovery.unsettledCount ?? 0) === 0) throw nothing;
      control.log.warn(nothing.code, nothing.message);
    }
    return exitCodeOf(agent, stoppedBy, control);
  } finally {
    pods?.close();
    journal?.close();
    await logs?.close();
  }
}

/** On stdout, unless the entries go there. */
function tellSummary(agent: Agent, stoppedBy: string | undefined, control: Control): void {
  const summary = onceSummary(agent, stoppedBy);
  const written = summary.entries === 1 ? '1 entry is' : `${summary.entries} entries are`;
  if (!agent.config.output.includes('stdout')) control.write(JSON.stringify(summary));
  else control.log.info(undefined, `${written} written`, summary);
}

function exitCodeOf(agent: Agent, stoppedBy: string | undefined, { log }: Control): number {
  const { config, fleet, store } = agent;
  const { behindBytes: left } = fleet;
  const unreadable = [...fleet.all()].reduce((sum, { chain }) => sum + chain.unreadableCount, 0);
  if (stoppedBy !== undefined) {
    const text = `stopped by ${stoppedBy}: ${left} bytes that were found are left for the next run`;
    log.error('SHIP_STOPPED', text);
    return 1;
  }
  if (left > 0) log.error('FILE_UNREADABLE', `${left} bytes could not be read`);
  if (unreadable > 0) {
    log.error('FILE_UNREADABLE', `${pluralText(unreadable, 'file')} could not be opened`);
  }
  if (!store.healthy) {
    const text = 'the positions are not saved: the next run sends the same entries again';
    log.error('STATE_UNWRITABLE', `${config.stateDir}: ${text}`);
  }
  return left > 0 || unreadable > 0 || !store.healthy ? 1 : 0;
}

/** False when the signal comes before the end. */
async function shipAll(agent: Agent, control: Control): Promise<boolean> {
  const { fleet, pipeline } = agent;
  fleet.tick(steadyNowMs());
  const stopTelling = tellProgress(agent, control);
  try {
    const settled = pipeline.pumpAll().then(() => true);
    return (await untilAborted(settled, control.signal)) ?? false;
  } finally {
    stopTelling();
  }
}

/** Reports progress until the returned function is called. */
function tellProgress({ pipeline, fleet }: Agent, control: Control): () => void {
  const sink = progressSink(control);
  const progress = createProgress({ ...sink, name: 'shipping' });
  const intervalMs = sink.writeTerminal === undefined ? lineIntervalMs : terminalIntervalMs;
  const timer = setInterval(() => {
    const { behindBytes: left, unreadBytes } = fleet;
    // What is read and not acknowledged is not shipped.
    progress.update(Math.max(0, pipeline.totals.bytes + unreadBytes - left), left);
  }, intervalMs);
  return () => {
    clearInterval(timer);
    progress.end();
  };
}
