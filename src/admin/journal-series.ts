// The series of the journal's logs in /metrics.
//
// Invariant: as for containers, a metric has at most `containerSeriesMax` series and one sum.

import type { AgentStatus, JournalLogStatus } from './admin-source.ts';
import { containerSeriesMax, restName, type Sample } from './container-series.ts';

/** One sample for each of the logs with the most entries, and one for all others. */
export function journalLogSamples(
  { journal }: AgentStatus,
  read: (log: JournalLogStatus) => number,
): Sample[] {
  const logs = (journal?.logs ?? []).toSorted((a, b) => b.readEntries - a.readEntries);
  const shown = logs.slice(0, containerSeriesMax);
  const rest = logs.slice(containerSeriesMax);
  const samples = shown.map((log) => ({ labels: { log: log.name }, value: read(log) }));
  if (rest.length === 0) return samples;
  const value = rest.reduce((sum, log) => sum + read(log), 0);
  return [...samples, { labels: { log: restName }, value }];
}
