// The series of the journal's logs in /metrics.
//
// Invariant: as for containers, a metric has at most `containerSeriesMax` series and one sum, and
// none of them falls: a log keeps its series, and what has none stays in the sum.

import type { AgentStatus, JournalLogSums } from './admin-source.ts';
import { containerSeriesMax, restName, type Sample } from './container-series.ts';

/** One sample for each of the logs that had entries first, and one for all others. */
export function journalLogSamples(
  { journal }: AgentStatus,
  read: (log: JournalLogSums) => number,
): Sample[] {
  const { logs = [], forgottenLogs } = journal ?? {};
  const shown = logs.slice(0, containerSeriesMax);
  const rest = logs.slice(containerSeriesMax);
  const samples = shown.map((log) => ({ labels: { log: log.name }, value: read(log) }));
  if (rest.length === 0) return samples;
  const forgotten = forgottenLogs === undefined ? 0 : read(forgottenLogs);
  const value = rest.reduce((sum, log) => sum + read(log), forgotten);
  return [...samples, { labels: { log: restName }, value }];
}
