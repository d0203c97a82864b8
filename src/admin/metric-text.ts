// The Prometheus text of /metrics, computed from one AgentStatus when it is asked for. Called by
// admin-server.ts. Written by hand because it is forty lines, and prom-client costs 4.3 MB of RSS
// at the first scrape (measured, Node 26.10): every node is scraped.

import type { AgentStatus } from './admin-source.ts';

/** Format of https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4. */
export const metricContentType = 'text/plain; version=0.0.4; charset=utf-8';

type Samples = number | Readonly<Record<string, number>>;

type Metric = {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Name of the label when `read` gives a value per label value. */
  readonly label?: string;
  readonly read: (status: AgentStatus) => Samples;
};

/** Every metric by its name, in the order of the page. */
export const metricTable: Readonly<Record<string, Metric>> = {
  tailship_lines_total: counter('Lines shipped.', ({ lines }) => lines),
  tailship_bytes_total: counter('Bytes of the log files shipped.', ({ bytes }) => bytes),
  tailship_entries_total: counter('Entries accepted.', ({ entries }) => entries),
  tailship_batches_total: counter('Batches committed.', ({ batches }) => batches),
  tailship_requests_total: {
    type: 'counter',
    help: 'Requests by HTTP status, or by error code when there was no answer.',
    label: 'code',
    read: ({ requestsByCode }) => requestsByCode,
  },
  tailship_retries_total: counter('Requests that were sent again.', ({ retries }) => retries),
  tailship_dead_lettered_total: {
    type: 'counter',
    help: 'Entries that the API refused for good; they stand in dead-letter.ndjson.',
    label: 'reason',
    read: ({ deadLetteredByReason }) => deadLetteredByReason,
  },
  tailship_dropped_total: {
    type: 'counter',
    help: 'Lines that will never be shipped.',
    label: 'reason',
    read: ({ droppedByReason }) => droppedByReason,
  },
  tailship_behind_bytes: gauge('In the files, not committed.', ({ behindBytes }) => behindBytes),
  tailship_behind_seconds: gauge(
    'Age of the oldest line that is not committed.',
    ({ behindSeconds }) => behindSeconds,
  ),
  tailship_in_flight_bytes: gauge(
    'Bodies encoded and not answered.',
    ({ inFlightBytes }) => inFlightBytes,
  ),
  tailship_open_files: gauge('Log files held open.', ({ openFiles }) => openFiles),
  tailship_deleted_held_bytes: gauge(
    'Unread bytes of files that were deleted and are held open.',
    ({ deletedHeldBytes }) => deletedHeldBytes,
  ),
  tailship_cpu_seconds_total: {
    type: 'counter',
    help: 'CPU time by stage.',
    label: 'stage',
    read: ({ cpuSecondsByStage }) => cpuSecondsByStage,
  },
  tailship_fast_path_lines_total: counter(
    'Lines that the kernel alone encoded.',
    ({ fastPathLines }) => fastPathLines,
  ),
  tailship_checkpoint_age_seconds: gauge(
    'Since the positions were last saved, or found unchanged.',
    ({ checkpointAgeSeconds }) => checkpointAgeSeconds,
  ),
  tailship_build_info: {
    type: 'gauge',
    help: 'Always 1; the label says the version.',
    label: 'version',
    read: ({ version }) => ({ [version]: 1 }),
  },
};

function counter(help: string, read: Metric['read']): Metric {
  return { type: 'counter', help, read };
}

function gauge(help: string, read: Metric['read']): Metric {
  return { type: 'gauge', help, read };
}

/** The body of /metrics. */
export function metricText(status: AgentStatus): string {
  const lines: string[] = [];
  for (const [name, { type, help, label, read }] of Object.entries(metricTable)) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    const samples = read(status);
    if (typeof samples === 'number') lines.push(`${name} ${samples}`);
    else {
      for (const [value, sample] of Object.entries(samples)) {
        lines.push(`${name}{${label}="${escapeLabel(value)}"} ${sample}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
