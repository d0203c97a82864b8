// The answer of `GET /emulator/explore`, for the emulator's page: the newest entries that match a
// filter, with counts by severity, workload and time.
//
// It is awake only while somebody looks: then it keeps a digest of the newest entries in memory, so
// that a question each second need not read the store. Invariant: asleep it costs one comparison
// per entry that arrives.

import type { JsonObject } from '@bufbuild/protobuf';
import { severityNames } from '../../log-severity.ts';
import type { EntryStore, StoredEntry } from '../store/entry-store.ts';
import { renderEntry } from '../store/stored-entry.ts';

/** Entries that can be explored: the newest by arrival. */
const digestsMax = 50_000;
/** After this long without a question it falls asleep. */
const idleMs = 60_000;
const barCount = 60;
const entriesMax = 500;
/** Steps that a bar of the histogram may have, milliseconds. */
const stepsMs = [
  100, 250, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 300e3, 900e3, 3600e3, 21_600e3,
];
const dayMs = 86_400_000;

type Digest = {
  /** The entry's own time, milliseconds since 1970. */
  readonly ms: number;
  /** Index in `severityNames`. */
  readonly severity: number;
  readonly workload: string;
  /** As the API shows the entry. */
  readonly json: string;
};

type Question = {
  readonly severities: ReadonlySet<number> | undefined;
  readonly workload: string;
  /** Lower case; '' for any. */
  readonly text: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
};

export type Explorer = {
  /** An entry that the store did not have before. */
  readonly add: (entry: StoredEntry) => void;
  /** Entries were deleted: the next question reads the store again. */
  readonly forget: () => void;
  /** The JSON of the answer. */
  readonly explore: (query: URLSearchParams) => string;
};

/** Starts asleep. */
export function createExplorer(store: EntryStore, nowMs = Date.now): Explorer {
  let digests: Digest[] | undefined;
  let askedAtMs = 0;
  return {
    add: (entry) => {
      if (digests === undefined) return;
      if (nowMs() - askedAtMs > idleMs) digests = undefined;
      else digests.push(digestOf(entry));
    },
    forget: () => {
      digests = undefined;
    },
    explore: (query) => {
      askedAtMs = nowMs();
      digests ??= store.page({ descending: true, countMax: digestsMax }).map(digestOf).toReversed();
      // Up to twice as many are kept, so that the array is not moved for each entry.
      if (digests.length > 2 * digestsMax) digests = digests.slice(-digestsMax);
      return answer(digests.slice(-digestsMax), readQuestion(query), store);
    },
  };
}

function digestOf(stored: StoredEntry): Digest {
  const entry = renderEntry(stored);
  const { seconds, nanos } = stored.timestamp;
  return {
    ms: seconds * 1_000 + nanos / 1e6,
    severity: Math.max(0, severityNames.indexOf((entry['severity'] ?? 'DEFAULT') as 'DEFAULT')),
    workload: workloadOf(entry),
    json: JSON.stringify(entry),
  };
}

/** `namespace/pod/container`, or something else that tells where an entry is from. */
function workloadOf({ resource, logName }: JsonObject): string {
  const { type, labels } = (resource ?? {}) as JsonObject;
  const names = (labels ?? {}) as JsonObject;
  const parts = [names['namespace_name'], names['pod_name'], names['container_name']];
  if (parts.every((part) => typeof part === 'string')) return parts.join('/');
  if (typeof type === 'string' && type !== '') return type;
  return typeof logName === 'string' ? logName : '';
}

function readQuestion(query: URLSearchParams): Question {
  const named = (query.get('severities') ?? '').split(',').filter((name) => name !== '');
  const ranks = named.map((name) => severityNames.indexOf(name as 'DEFAULT'));
  return {
    severities: named.length === 0 ? undefined : new Set(ranks),
    workload: query.get('workload') ?? '',
    text: (query.get('text') ?? '').toLowerCase(),
    fromMs: Number(query.get('from') ?? Number.NEGATIVE_INFINITY),
    toMs: Number(query.get('to') ?? Number.POSITIVE_INFINITY),
    limit: Math.min(entriesMax, Number(query.get('limit') ?? 200)),
  };
}

/** A facet ignores its own filter: it shows the counts that another choice would give. */
function answer(digests: readonly Digest[], question: Question, store: EntryStore): string {
  const workloads = new Map<string, number>();
  const bySeverity = severityNames.map(() => 0);
  const matches: Digest[] = [];
  for (const digest of digests) {
    if (digest.ms < question.fromMs || digest.ms > question.toMs) continue;
    if (question.text !== '' && !digest.json.toLowerCase().includes(question.text)) continue;
    const isWorkload = question.workload === '' || digest.workload === question.workload;
    const isSevere = question.severities?.has(digest.severity) ?? true;
    if (isSevere) workloads.set(digest.workload, (workloads.get(digest.workload) ?? 0) + 1);
    if (isWorkload) bySeverity[digest.severity] = (bySeverity[digest.severity] ?? 0) + 1;
    if (isWorkload && isSevere) matches.push(digest);
  }
  // They come nearly in order of time, which suits this sort.
  matches.sort((left, right) => left.ms - right.ms);
  const head = {
    storedCount: store.count,
    droppedCount: store.droppedCount ?? 0,
    keptCount: digests.length,
    /** Time of the oldest of these by arrival. */
    keptSinceMs: digests[0]?.ms,
    matchCount: matches.length,
    severities: Object.fromEntries(severityNames.map((name, rank) => [name, bySeverity[rank]])),
    workloads: [...workloads].toSorted(([, left], [, right]) => right - left),
    histogram: histogramOf(matches, question),
  };
  const newest = matches.slice(-question.limit).toReversed();
  return `${JSON.stringify(head).slice(0, -1)},"entries":[${newest.map(({ json }) => json).join(',')}]}`;
}

/** Counts per bar by severity; `matches` are in order of time. */
function histogramOf(matches: readonly Digest[], { fromMs, toMs }: Question): object {
  const firstMs = Number.isFinite(fromMs) ? fromMs : (matches[0]?.ms ?? 0);
  const lastMs = Number.isFinite(toMs) ? toMs : (matches.at(-1)?.ms ?? 0);
  const span = lastMs - firstMs;
  const stepMs =
    stepsMs.find((step) => span / step < barCount) ?? Math.ceil(span / barCount / dayMs) * dayMs;
  const startMs = Math.floor(firstMs / stepMs) * stepMs;
  const bars = Math.floor((lastMs - startMs) / stepMs) + 1;
  const counts = Array.from({ length: bars }, () => severityNames.map(() => 0));
  for (const { ms, severity } of matches) {
    const bar = counts[Math.floor((ms - startMs) / stepMs)];
    if (bar !== undefined) bar[severity] = (bar[severity] ?? 0) + 1;
  }
  return { startMs, stepMs, counts };
}
