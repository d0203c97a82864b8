// The series of single containers, and of the journal's logs, in /metrics.
//
// Invariant: a metric has at most `containerSeriesMax` of them, whatever runs on the node, and a
// counter's series never falls.

import { limits } from '../config.ts';
import type { JournalLogSums } from '../journal/journal-status.ts';
import type { AgentStatus, ErrorShares, WorkloadStatus } from './admin-source.ts';

/** Containers that have their own series. */
export const containerSeriesMax = limits.metricSeriesMax;
/** The name of all other containers together. */
export const restName = '(rest)';

export type Labels = Readonly<Record<string, string>>;
/** `window` is another label. */
export type Sample = { readonly labels: Labels; readonly window?: string; readonly value: number };

/** One object per container for all metrics, so that its text is made once. */
const labelsByWorkload = new WeakMap<WorkloadStatus, Labels>();

function labelsOf(workload: WorkloadStatus): Labels {
  const known = labelsByWorkload.get(workload);
  if (known !== undefined) return known;
  const { namespace, pod, container } = workload;
  const labels = { namespace, pod, container };
  labelsByWorkload.set(workload, labels);
  return labels;
}

type Value = (workload: WorkloadStatus) => number;

/** Largest first. */
function ranked(workloads: readonly WorkloadStatus[], value: Value) {
  const all = namedOnce(workloads).map((workload) => ({ workload, value: value(workload) }));
  return all.sort((left, right) => right.value - left.value);
}

/** Computed once for all metrics of a scrape. */
const named = new WeakMap<readonly WorkloadStatus[], readonly WorkloadStatus[]>();

/** Successive pods with one name are one workload: two equal series would be an error. */
function namedOnce(workloads: readonly WorkloadStatus[]): readonly WorkloadStatus[] {
  const known = named.get(workloads);
  if (known !== undefined) return known;
  const byName = new Map<string, WorkloadStatus>();
  for (const workload of workloads) {
    const { namespace, pod, container } = workload;
    const name = `${namespace}/${pod}/${container}`;
    const same = byName.get(name);
    byName.set(name, same === undefined ? workload : joined(same, workload));
  }
  const fresh = [...byName.values()];
  named.set(workloads, fresh);
  return fresh;
}

function joined(left: WorkloadStatus, right: WorkloadStatus): WorkloadStatus {
  return {
    ...right,
    lines: left.lines + right.lines,
    bytes: left.bytes + right.bytes,
    writtenBytes: left.writtenBytes + right.writtenBytes,
    refusedEntries: (left.refusedEntries ?? 0) + (right.refusedEntries ?? 0),
    behindBytes: left.behindBytes + right.behindBytes,
    behindSeconds: Math.max(left.behindSeconds, right.behindSeconds),
  };
}

/** The largest sums, without a rest: it would fall when a container enters the list. */
export function topBy(workloads: readonly WorkloadStatus[], rank: Value, value = rank): Sample[] {
  return ranked(workloads, rank)
    .slice(0, containerSeriesMax)
    .map(({ workload }) => ({ labels: labelsOf(workload), value: value(workload) }));
}

type ByReason = Readonly<Partial<Record<string, number>>>;
type Lost = Pick<WorkloadStatus, 'namespace' | 'pod' | 'container'> & {
  readonly sums: ByReason;
};

/**
 * A container keeps the series of its first loss. All others are in `(rest)`, which has each reason
 * from the start, so that the series add up to `all`.
 */
function reasonSamples(losers: readonly Lost[], all: ByReason): Sample[] {
  const rest: Record<string, number> = {};
  for (const [reason, value = 0] of Object.entries(all)) rest[reason] = value;
  const own = losers.flatMap(({ sums, ...names }) =>
    Object.entries(sums).map(([reason, value = 0]) => {
      rest[reason] = (rest[reason] ?? 0) - value;
      return { labels: { ...names, reason }, value };
    }),
  );
  const noNames = { namespace: '', pod: '', container: restName };
  const others = Object.entries(rest).map(([reason, value]) => ({
    labels: { ...noNames, reason },
    value,
  }));
  return [...own, ...others];
}

type LossFigures = Pick<AgentStatus, 'lostByContainer' | 'lostBytesByReason'>;

export function lostSamples({ lostByContainer = [], lostBytesByReason }: LossFigures): Sample[] {
  const losers = lostByContainer
    .slice(0, containerSeriesMax)
    .map(({ namespace, pod, container, bytesByReason: sums = {} }) => {
      return { namespace, pod, container, sums };
    });
  return reasonSamples(losers, lostBytesByReason);
}

type DropFigures = Pick<AgentStatus, 'droppedByContainer' | 'droppedByReason'>;

/** Each reason has its own share of the series. */
export function droppedSamples({ droppedByContainer = [], droppedByReason }: DropFigures) {
  const reasons = Object.keys(droppedByReason);
  const seriesMax = Math.floor(containerSeriesMax / Math.max(1, reasons.length));
  const losers = reasons.flatMap((reason) =>
    droppedByContainer
      .filter(({ entriesByReason }) => entriesByReason[reason] !== undefined)
      .slice(0, seriesMax)
      .map(({ entriesByReason, ...names }) => ({
        ...names,
        sums: { [reason]: entriesByReason[reason] },
      })),
  );
  return reasonSamples(losers, droppedByReason);
}

/** `ErrorShares` without the first, which is for screens. */
const ratioWindows = ['1m', '5m', '15m'];

/** A window without entries has no errors. */
export function ratioSamples(labels: Labels, shares: ErrorShares): Sample[] {
  return ratioWindows.map((window, at) => ({ labels, window, value: shares[at + 1] ?? 0 }));
}

/** Containers without an error are left out. */
export function worstRatios(workloads: readonly WorkloadStatus[]): Sample[] {
  const worst: Value = ({ errorShares: [a, b, c, d] }) => Math.max(a ?? 0, b ?? 0, c ?? 0, d ?? 0);
  return ranked(workloads, worst)
    .slice(0, containerSeriesMax)
    .filter(({ value }) => value > 0)
    .flatMap(({ workload }) => ratioSamples(labelsOf(workload), workload.errorShares));
}

/** The containers with the largest values other than 0, and the others together. */
export function topAndRest(
  workloads: readonly WorkloadStatus[],
  value: Value,
  join: (left: number, right: number) => number,
): Sample[] {
  const order = ranked(workloads, value);
  const own = order.slice(0, containerSeriesMax).filter((each) => each.value > 0);
  const rest = order.slice(own.length).reduce((all, each) => join(all, each.value), 0);
  return [
    ...own.map((each) => ({ labels: labelsOf(each.workload), value: each.value })),
    { labels: { namespace: '', pod: '', container: restName }, value: rest },
  ];
}

/** One sample for each of the first logs, which keep their series, and one for all others. */
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
