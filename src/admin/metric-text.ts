// The Prometheus text of /metrics, made of one AgentStatus per scrape. Written by hand because
// prom-client costs 4.3 MB of RSS at the first scrape (measured, Node 26.10).

import type { AgentStatus, WorkloadStatus } from './admin-source.ts';
import {
  containerSeriesMax,
  droppedSamples,
  journalLogSamples,
  lostSamples,
  ratioSamples,
  restName,
  topAndRest,
  topBy,
  worstRatios,
  type Labels,
  type Sample,
} from './container-series.ts';

/** Format of https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4. */
export const metricContentType = 'text/plain; version=0.0.4; charset=utf-8';

type Metric = {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** undefined: there is no series. */
  readonly read: (status: AgentStatus) => number | undefined | readonly Sample[];
};

type ReadMany = (status: AgentStatus) => Readonly<Record<string, number>>;

/** Every metric by name. */
export const metricTable: Readonly<Record<string, Metric>> = {
  // ── what goes through
  tailship_lines_total: counter('Lines taken into request bodies.', ({ lines }) => lines),
  tailship_bytes_total: counter('Bytes of the log files of these lines.', ({ bytes }) => bytes),
  tailship_entries_total: counter('Entries made of these lines.', ({ entries }) => entries),
  tailship_entries_by_severity_total: counters(
    'The same by the severity that they have in Cloud Logging.',
    'severity',
    ({ entriesBySeverity }) => entriesBySeverity,
  ),
  tailship_written_bytes_total: counter(
    'By how much the log files grew while the agent watched them, shipped or not.',
    ({ writtenBytes }) => writtenBytes,
  ),
  tailship_written_lines_total: counter(
    'Lines of these bytes; guessed by the recent length of lines until they are read.',
    ({ writtenLines }) => writtenLines,
  ),
  tailship_error_ratio: gauge(
    'Part of the entries of the last minutes that are ERROR or above.',
    ({ errorShares }) => ratioSamples({}, errorShares),
  ),
  tailship_journal_entries_total: counter(
    "Entries of the node's journal that were shipped; a part of tailship_entries_total.",
    ({ journal }) => journal?.entries,
  ),
  tailship_journal_behind_entries: gauge(
    "Entries of the node's journal that are not acknowledged yet, about.",
    ({ journal }) => journal?.behindEntries,
  ),
  tailship_journal_behind_seconds: gauge(
    'Age of the oldest of them.',
    ({ journal }) => journal?.behindSeconds,
  ),
  tailship_journal_unreadable_files: gauge(
    "Files of the node's journal that cannot be read.",
    ({ journal }) => journal?.unreadableFiles,
  ),
  tailship_journal_log_read_entries_total: counter(
    'Entries of the logs of the journal that were read, shipped or not.',
    (status) => journalLogSamples(status, ({ readEntries }) => readEntries),
  ),
  tailship_journal_log_entries_total: counter(
    'Of those, the entries that were acknowledged.',
    (status) => journalLogSamples(status, ({ entries }) => entries),
  ),
  tailship_journal_lost_entries_total: counter(
    "Entries of the node's journal that were deleted before they were read, about.",
    ({ journal }) => journal?.lostEntries,
  ),
  tailship_journal_damaged_entries_total: counter(
    "Entries of the node's journal that cannot be read and were passed over.",
    ({ journal }) => journal?.corruptEntries,
  ),
  tailship_fast_path_lines_total: counter(
    'Lines that the kernel alone encoded.',
    ({ fastPathLines }) => fastPathLines,
  ),
  tailship_malformed_lines_total: counter(
    'Lines that are not written as their format says, shipped as text.',
    ({ malformedLines }) => malformedLines,
  ),
  tailship_redacted_total: counter(
    'Entries in which something was hidden, because the configuration says so.',
    ({ redacted }) => redacted,
  ),
  tailship_sampled_out_total: counter(
    'Records that are not shipped, because the configuration says so.',
    ({ sampledOut }) => sampledOut,
  ),
  tailship_rule_misses_total: counters(
    'Records that a rule could not treat, shipped as they were.',
    'rule',
    ({ ruleMisses = {} }) => ruleMisses,
  ),
  tailship_rule_dropped_total: counters(
    'Records that a rule left out.',
    'rule',
    ({ ruleDropped = {} }) => ruleDropped,
  ),
  tailship_hole_bytes_total: counter(
    'Zeros in the log files where lines should have begun, as a power loss leaves them; not shipped.',
    ({ holeBytes }) => holeBytes,
  ),
  tailship_batches_total: counter(
    'Request bodies that were acknowledged.',
    ({ batches }) => batches,
  ),
  tailship_sent_bytes_total: counter('Request bodies as sent.', ({ sentBytes }) => sentBytes),
  tailship_requests_total: counters(
    'Requests by HTTP status, or by error code when there was no answer.',
    'code',
    ({ requestsByCode }) => requestsByCode,
  ),
  tailship_project_failures: gauge(
    'Requests in a row that failed for another project than that of the node.',
    ({ ship: { failuresByProject = {} } }) =>
      Object.entries(failuresByProject).map(([project, value]) => ({ labels: { project }, value })),
  ),
  tailship_retries_total: counter('Requests that were sent again.', ({ retries }) => retries),
  // ── what was lost
  tailship_dead_lettered_total: counters(
    'Entries that the API refused for good; they are in dead-letter.ndjson.',
    'reason',
    ({ deadLetteredByReason }) => deadLetteredByReason,
  ),
  tailship_dropped_total: counters(
    'Entries that are lost: the disk had no room for the dead letter.',
    'reason',
    ({ droppedByReason }) => droppedByReason,
  ),
  tailship_lost_bytes_total: counter(
    `Bytes of log files that can no longer be read, of the first ${containerSeriesMax} containers that lost any; ${restName} is the others' sum.`,
    lostSamples,
  ),
  tailship_container_dead_lettered_total: counter(
    `Entries that the API refused for good, of the ${containerSeriesMax} containers with most.`,
    ({ workloads }) =>
      topBy(workloads, ({ refusedEntries = 0 }) => refusedEntries).filter(({ value }) => value > 0),
  ),
  tailship_container_dropped_total: counter(
    `Entries of tailship_dropped_total, of the first ${containerSeriesMax} containers that lost any; ${restName} is the others' sum.`,
    droppedSamples,
  ),
  tailship_over_limit: gauge(
    'Log files and links of a pod that are not read, because there are too many of them.',
    ({ overLimit = [] }) =>
      overLimit
        .slice(0, containerSeriesMax)
        .map(({ count, ...labels }) => ({ labels, value: count })),
  ),
  tailship_refused_total: counters(
    'Links and paths that lead to something that is not the log of their container.',
    'kind',
    ({ refusedByKind = {} }) => refusedByKind,
  ),
  tailship_unknown_parsers_total: counter(
    'Containers whose annotations name a parser that is not known.',
    ({ unknownParsers }) =>
      unknownParsers === undefined ? [] : [{ labels: {}, value: unknownParsers }],
  ),
  tailship_read_errors_total: counter('Reads that failed.', ({ readErrors }) => readErrors),
  // ── what is still to do
  tailship_behind_bytes: gauge(
    'Bytes in the files that are not acknowledged.',
    ({ behindBytes }) => behindBytes,
  ),
  tailship_behind_seconds: gauge(
    'Age of the oldest line that is not acknowledged.',
    ({ behindSeconds }) => behindSeconds,
  ),
  tailship_in_flight_bytes: gauge(
    'Request bodies that are not answered.',
    ({ inFlightBytes }) => inFlightBytes,
  ),
  tailship_open_files: gauge('Log files held open.', ({ openFiles }) => openFiles),
  tailship_deleted_held_bytes: gauge(
    'Bytes of deleted files that are held open or kept: only that keeps them on the disk.',
    ({ deletedHeldBytes }) => deletedHeldBytes,
  ),
  tailship_orphan_bytes: gauge(
    'Bytes of deleted files that are kept in the state directory.',
    ({ orphans }) => orphans?.heldBytes ?? 0,
  ),
  tailship_orphan_bytes_total: counter(
    'Bytes of deleted files that were copied into the state directory: 0 while all is well.',
    ({ orphans }) => orphans?.copiedBytes ?? 0,
  ),
  tailship_orphan_failures_total: counter(
    'Copies of deleted files that failed; the files are held open and tried again.',
    ({ orphans }) => orphans?.failures ?? 0,
  ),
  tailship_orphans_damaged_total: counter(
    'Copies of deleted files that were damaged when they were to be read.',
    ({ orphans }) => orphans?.damaged ?? 0,
  ),
  tailship_checkpoint_age_seconds: gauge(
    'Since the positions were last saved, or found unchanged.',
    ({ checkpointAgeSeconds }) => checkpointAgeSeconds,
  ),
  // ── identity
  tailship_container_lines_total: counter(
    `Lines by container, of the ${containerSeriesMax} with most bytes.`,
    ({ workloads }) => topBy(workloads, bytesOf, ({ lines }) => lines),
  ),
  tailship_container_bytes_total: counter(
    `Bytes of the log files by container, of the ${containerSeriesMax} with most.`,
    ({ workloads }) => topBy(workloads, bytesOf),
  ),
  tailship_container_written_bytes_total: counter(
    `By how much the log files grew, of the ${containerSeriesMax} that grew most.`,
    ({ workloads }) => topBy(workloads, ({ writtenBytes }) => writtenBytes),
  ),
  tailship_container_error_ratio: gauge(
    `Part of the entries of the last minutes that are ERROR or above, of the ${containerSeriesMax} containers with the largest.`,
    ({ workloads }) => worstRatios(workloads),
  ),
  tailship_container_behind_bytes: gauge(
    `Bytes not acknowledged, of the ${containerSeriesMax} furthest behind; ${restName} is their sum.`,
    ({ workloads }) =>
      topAndRest(
        workloads,
        ({ behindBytes }) => behindBytes,
        (left, right) => left + right,
      ),
  ),
  tailship_container_behind_seconds: gauge(
    `Age of the oldest line, of the ${containerSeriesMax} oldest; ${restName} is their oldest.`,
    ({ workloads }) => topAndRest(workloads, ({ behindSeconds }) => behindSeconds, Math.max),
  ),
  // ── what it knows of the pods
  tailship_pods_known: gauge(
    'Pods whose labels are known, with those deleted in the last minutes.',
    ({ podMetadata }) => podMetadata?.pods ?? 0,
  ),
  tailship_pods_without_labels_total: counter(
    'Pods whose lines were sent before their labels were known.',
    ({ podMetadata }) => podMetadata?.withoutLabels ?? 0,
  ),
  tailship_pod_labels_cut: gauge(
    'Labels of pods that have no room in their entries.',
    ({ podMetadata }) => podMetadata?.labelsCut ?? 0,
  ),
  tailship_kubernetes_requests_total: counters(
    'Lists and watches asked of the API server.',
    'kind',
    ({ podMetadata }) => ({ list: podMetadata?.lists ?? 0, watch: podMetadata?.watches ?? 0 }),
  ),
  tailship_kubernetes_failures_total: counter(
    'Lists and watches that failed.',
    ({ podMetadata }) => podMetadata?.failures ?? 0,
  ),
  tailship_held_back_bytes: gauge(
    'Unread bytes of the containers with a rate limit.',
    ({ heldBackBytes }) => heldBackBytes,
  ),
  tailship_config_reloads_total: counters(
    'Changed configurations: taken over, or invalid.',
    'result',
    ({ configReloads }) => configReloads,
  ),
  // ── what it costs
  tailship_cpu_seconds_total: counters(
    'CPU time by stage.',
    'stage',
    ({ cpuSecondsByStage }) => cpuSecondsByStage,
  ),
  tailship_worker_tasks_total: counter('Tasks of the workers.', ({ workerTasks }) => workerTasks),
  tailship_wake_ups_total: counter('Idle containers woken by inotify.', ({ wakeUps }) => wakeUps),
  tailship_containers: gauges(
    'Containers: busy ones are looked at by the clock.',
    'state',
    ({ containersByState }) => containersByState,
  ),
  tailship_event_loop_lag_seconds: gauge(
    'By how much the latest tick of the last quarter of a minute came too late.',
    ({ eventLoopLagMs }) => eventLoopLagMs / 1e3,
  ),
  tailship_cpu_limit_periods_total: counter(
    'Periods of the CPU limit in which the agent ran; none without a limit.',
    ({ throttling }) => throttling?.periods,
  ),
  tailship_cpu_throttled_periods_total: counter(
    'Those in which it was stopped because the limit was used up (nr_throttled).',
    ({ throttling }) => throttling?.throttledPeriods,
  ),
  tailship_cpu_throttled_seconds_total: counter(
    'How long it was stopped.',
    ({ throttling }) => throttling?.throttledSeconds,
  ),
  tailship_conntrack_used_ratio: gauge(
    "Used part of the node's table of connections; none where it cannot be seen.",
    ({ conntrackShare }) => conntrackShare,
  ),
  process_resident_memory_bytes: gauge('Resident memory.', ({ rssBytes }) => rssBytes),
  process_start_time_seconds: gauge(
    'Start of the agent, seconds since 1970.',
    ({ startedAt }) => Date.parse(startedAt) / 1e3,
  ),
  // ── what it is
  tailship_check_ok: gauges(
    '1 for each check of /livez and /readyz that holds.',
    'check',
    (status) => Object.fromEntries(status.checks.map(({ name, ok }) => [name, ok ? 1 : 0])),
  ),
  tailship_build_info: gauge(
    'Always 1; the labels say the version and that of Node.',
    ({ version, nodeVersion }) => [{ labels: { version, node_version: nodeVersion }, value: 1 }],
  ),
  tailship_config_info: gauge(
    'Always 1; the label is a hash of the options in force, without those of the node.',
    ({ configHash: hash }) => [{ labels: { hash }, value: 1 }],
  ),
};

const bytesOf = ({ bytes }: WorkloadStatus) => bytes;

function counter(help: string, read: Metric['read']): Metric {
  return { type: 'counter', help, read };
}

function gauge(help: string, read: Metric['read']): Metric {
  return { type: 'gauge', help, read };
}

function counters(help: string, label: string, read: ReadMany): Metric {
  return { type: 'counter', help, read: (status) => samplesOf(label, read(status)) };
}

function gauges(help: string, label: string, read: ReadMany): Metric {
  return { type: 'gauge', help, read: (status) => samplesOf(label, read(status)) };
}

function samplesOf(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** The body of /metrics. */
export function metricText(status: AgentStatus): string {
  const texts = new Map<Labels, string>();
  let text = '';
  for (const [name, { type, help, read }] of Object.entries(metricTable)) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    const samples = read(status) ?? [];
    if (typeof samples === 'number') {
      text += `${name} ${samples}\n`;
      continue;
    }
    for (const { labels, window, value } of samples) {
      let pairs = texts.get(labels);
      if (pairs === undefined) texts.set(labels, (pairs = labelText(labels)));
      if (window !== undefined) pairs += `${pairs === '' ? '' : ','}window="${window}"`;
      text += `${name}{${pairs}} ${value}\n`;
    }
  }
  return text;
}

function labelText(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    text += `${text === '' ? '' : ','}${name}="${escapeLabel(labels[name] ?? '')}"`;
  }
  return text;
}

function escapeLabel(value: string): string {
  if (!/["\\\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
