// The table of `tailship top`, as lines of text: pure functions of two looks at the agent.

import { printable } from '../printable.ts';
import type { JournalLogStatus, JournalStatus } from '../journal/journal-status.ts';
import type { AgentStatus, ErrorShares, LossEventStatus, WorkloadStatus } from './admin-source.ts';
import { bytesText, countText, durationText, moneyText, pluralText } from '../number-text.ts';
import { fitTable, wrapParts, type LayoutColumn } from './top-layout.ts';

/** One look at the agent. */
export type Look = { readonly status: AgentStatus; readonly atMs: number };

/**
 * Rates are the agent's own, so that page and `top` agree; the CPU is of the time between the
 * looks. Sorted by bytes per second, then bytes behind.
 */
export type TopTable = {
  readonly status: AgentStatus;
  readonly seconds: number;
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly shippedBytesPerSecond: number;
  /** CPU seconds per second. */
  readonly cores: number;
  readonly workloads: readonly TopWorkload[];
};

/** `errorShare`: of the newest entries, the share that is ERROR or above, 0 to 1. */
export type TopWorkload = WorkloadStatus & { readonly errorShare: number };

type Column = LayoutColumn & {
  readonly value: (workload: TopWorkload) => number | string;
  readonly text: (workload: TopWorkload) => string;
  /** Whether its cell is highlighted. */
  readonly isAlarming?: (workload: TopWorkload) => boolean;
};

/** A larger share of errors is highlighted. */
const manyErrors = 0.05;

/** In the order of the keys 1 to 9 and 0. */
export const topColumns: readonly Column[] = [
  number('BYTES/S', ({ bytesPerSecond }) => bytesPerSecond, bytesText),
  { ...number('LINES/S', ({ linesPerSecond }) => linesPerSecond, countText), dispensable: 2 },
  {
    ...number('ERR%', ({ errorShare }) => errorShare, percentText),
    isAlarming: ({ errorShare }) => errorShare > manyErrors,
  },
  number('BEHIND', ({ behindBytes }) => behindBytes, bytesText),
  { ...number('LAG', ({ behindSeconds }) => behindSeconds, durationText), dispensable: 1 },
  { ...number('TOTAL', ({ bytes }) => bytes, bytesText), dispensable: 4 },
  {
    ...name('ERR 1/5/15M', ({ errorShares }) => windowsText(errorShares)),
    value: ({ errorShares }) => errorShares[3] ?? 0,
    isNumber: true,
    dispensable: 5,
  },
  { ...number('$/MONTH', ({ costPerMonth }) => costPerMonth, moneyText), dispensable: 3 },
  {
    ...name('LOST', lostText),
    value: ({ lostBytes = 0, refusedEntries = 0 }) => lostBytes + refusedEntries,
    isNumber: true,
    isAlarming: ({ lostBytes = 0, refusedEntries = 0 }) => lostBytes + refusedEntries > 0,
  },
  { ...name('NAMESPACE', ({ namespace }) => namespace), widthMin: 10 },
  { ...name('POD', ({ pod }) => pod), widthMin: 20 },
  { ...name('CONTAINER', ({ container }) => container), widthMin: 12 },
];

export type TopView = {
  /** Index in `topColumns`. */
  readonly sortedBy: number;
  readonly isAscending: boolean;
  /** Only workloads whose names contain it. */
  readonly search: string;
  /** Rows above the visible ones. */
  readonly skipped: number;
};

export const firstView: TopView = { sortedBy: 0, isAscending: false, search: '', skipped: 0 };

function number(
  title: string,
  value: (workload: TopWorkload) => number,
  text: (value: number) => string,
): Column {
  const cell = (workload: TopWorkload): string => text(value(workload));
  return { title, isNumber: true, dispensable: 0, value, text: cell };
}

function name(title: string, value: (workload: TopWorkload) => string): Column {
  return { title, dispensable: 0, value, text: (workload) => printable(value(workload)) };
}

/** `0`, `<0.1`, `0.4`, `18`. */
function percentText(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0';
  return percent < 0.1 ? '<0.1' : percent.toFixed(percent < 9.95 ? 1 : 0);
}

/** The table of `now`. A restarted agent counts its CPU time from 0. */
export function compareLooks(before: Look, now: Look): TopTable {
  const { status } = now;
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const isSame = before.status.startedAt === status.startedAt;
  const cpuSeconds = (look: Look): number => sumOf(look.status.cpuSecondsByStage);
  const moreCpu = cpuSeconds(now) - (isSame ? cpuSeconds(before) : 0);
  const workloads = status.workloads.map((workload) => ({
    ...workload,
    errorShare: workload.errorShares[0] ?? 0,
  }));
  workloads.sort(
    (left, right) =>
      right.bytesPerSecond - left.bytesPerSecond || right.behindBytes - left.behindBytes,
  );
  const total = (rateOf: (workload: WorkloadStatus) => number): number =>
    workloads.reduce((sum, workload) => sum + rateOf(workload), 0);
  return {
    status,
    seconds,
    linesPerSecond: total(({ linesPerSecond }) => linesPerSecond),
    bytesPerSecond: total(({ bytesPerSecond }) => bytesPerSecond),
    shippedBytesPerSecond: total(({ shippedBytesPerSecond }) => shippedBytesPerSecond),
    cores: Math.max(0, moreCpu) / seconds,
    workloads,
  };
}

function keyOf({ namespace, pod, container }: WorkloadStatus): string {
  return `${namespace}/${pod}/${container}`;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The workloads that the view shows, in its order. */
export function viewed({ workloads }: TopTable, view: TopView): readonly TopWorkload[] {
  const wanted = view.search.toLowerCase();
  const shown = workloads.filter((workload) => keyOf(workload).toLowerCase().includes(wanted));
  const value = topColumns[view.sortedBy]?.value;
  // The table is already sorted by the first column.
  if (value === undefined || (view.sortedBy === 0 && !view.isAscending)) return shown;
  const sign = view.isAscending ? 1 : -1;
  return shown.toSorted((left, right) => sign * compareValues(value(left), value(right)));
}

function compareValues(left: number | string, right: number | string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** A line, and the ranges `[start, end)` of its highlighted cells. */
export type TopRow = {
  readonly text: string;
  readonly alarms: readonly (readonly [number, number])[];
};

/**
 * `columns`: of the terminal; undefined: as wide as the table is. In the result, `isTroubled` means
 * that something needs attention.
 */
export function topScreen(table: TopTable, view: TopView, columns?: number) {
  const shown = viewed(table, view);
  const cells = shown.map((workload) => topColumns.map(({ text }) => text(workload)));
  const titles = topColumns.map(({ title }) => title);
  const [head = '', ...lines] = fitTable(topColumns, [titles, ...cells], columns);
  const rows = lines.map((text, at) => ({ text, alarms: alarmsOf(text, head, shown[at]) }));
  const headlines = headlineParts(table).flatMap((parts) => wrapParts(parts, columns));
  const { checks, ship, lostBytesByReason } = table.status;
  const isTroubled =
    checks.some(({ ok }) => !ok) || ship.consecutiveFailures > 0 || sumOf(lostBytesByReason) > 0;
  return { headlines, isTroubled, head, rows: rows.slice(view.skipped) };
}

/** Numbers are right-aligned below their titles, and come before all names. */
function alarmsOf(
  line: string,
  head: string,
  workload: TopWorkload | undefined,
): (readonly [number, number])[] {
  const ranges: (readonly [number, number])[] = [];
  for (const { title, isAlarming } of topColumns) {
    const at = head.indexOf(title);
    if (at === -1 || workload === undefined || isAlarming?.(workload) !== true) continue;
    const end = at + title.length;
    ranges.push([line.lastIndexOf('  ', end - 1) + 2, end]);
  }
  return ranges;
}

export function topLines(table: TopTable, view: TopView = firstView, columns?: number): string[] {
  const { headlines, head, rows } = topScreen(table, view, columns);
  return [...headlines, '', head, ...rows.map(({ text }) => text)];
}

/** `9 B`, `3 refused`, `9 B, 3 refused`. */
function lostText({ lostBytes = 0, refusedEntries = 0 }: WorkloadStatus): string {
  const bytes = lostBytes > 0 ? [bytesText(lostBytes)] : [];
  const refused = refusedEntries > 0 ? [`${countText(refusedEntries)} refused`] : [];
  return [...bytes, ...refused].join(', ') || '0';
}

/** The newest loss that is not kept as a dead letter: `LOST 9 B of shop/web-0/app at …`. */
function newestLoss({ losses = [], lostBytesByReason, droppedByReason }: AgentStatus): string[] {
  const isGone = ({ reason }: LossEventStatus): boolean =>
    reason in lostBytesByReason || reason in droppedByReason || reason === 'missed';
  const loss = losses.find(isGone);
  if (loss === undefined) return [];
  const { namespace = '', pod = '', container = '', bytes = 0, entries = 0 } = loss;
  const amount = bytes > 0 ? bytesText(bytes) : entries > 0 ? `${countText(entries)} entries` : '?';
  const whose = [namespace, pod, container].filter((text) => text !== '').join('/');
  return [`LOST ${amount} of ${whose || 'unknown containers'} at ${loss.time}: ${loss.why}`];
}

/** 1, 5 and 15 minutes: `2.4/1.0/<0.1`. */
function windowsText([, ...shares]: ErrorShares): string {
  return shares.map((share) => percentText(share ?? 0)).join('/');
}

function journalParts({ journal }: AgentStatus): string[] {
  if (journal === undefined) return [];
  const { entries, behindEntries, behindSeconds, corruptEntries, lostEntries } = journal;
  return [
    `journal ${countText(entries)} entries`,
    `behind ${countText(behindEntries)}, ${durationText(behindSeconds)}`,
    ...(lostEntries > 0 ? [`LOST ${countText(lostEntries)}`] : []),
    ...(corruptEntries > 0 ? [`damaged ${countText(corruptEntries)}`] : []),
    ...journalTroubles(journal),
    ...journal.logs.toSorted((a, b) => b.entries - a.entries).map(logText),
  ];
}

function journalTroubles({ files, unreadableFiles, isPersistent }: JournalStatus): string[] {
  return [
    ...(files === 0 ? ['NO FILES'] : []),
    ...(isPersistent === false ? ['in memory only'] : []),
    ...(unreadableFiles > 0 ? [`UNREADABLE ${pluralText(unreadableFiles, 'file')}`] : []),
  ];
}

/** Entries acknowledged, and in flight. */
function logText(log: JournalLogStatus): string {
  const { entries, inFlightEntries, isExcluded } = log;
  if (isExcluded) return `${log.name} excluded`;
  const more = inFlightEntries > 0 ? `+${countText(inFlightEntries)}` : '';
  return `${log.name} ${countText(entries)}${more}`;
}

function headlineParts({ status, ...table }: TopTable): string[][] {
  const { ship } = status;
  const cost = status.workloads.reduce((sum, { costPerMonth }) => sum + costPerMonth, 0);
  const answers = Object.entries(status.requestsByCode).map(([code, count]) => `${code}: ${count}`);
  const failed = status.checks.filter(({ ok }) => !ok).map(({ name: check }) => check);
  const first = [
    `tailship ${status.version}`,
    failed.length === 0 ? 'ready' : `NOT READY: ${failed.join(', ')}`,
    `${countText(table.linesPerSecond)} lines/s`,
    `${bytesText(table.bytesPerSecond)}/s`,
    `shipped ${bytesText(table.shippedBytesPerSecond)}/s`,
    `errors ${windowsText(status.errorShares)} %`,
    `behind ${bytesText(status.behindBytes)}, ${durationText(status.behindSeconds)}`,
    `in flight ${bytesText(status.inFlightBytes)}`,
    `CPU ${(table.cores * 100).toFixed(1)} %`,
    `RSS ${bytesText(status.rssBytes)}`,
  ];
  const second = [
    `answers ${answers.join(', ') || 'none'}`,
    `retries ${countText(status.retries)}`,
    ...(ship.consecutiveFailures > 0 ? [`SENDING FAILS: ${ship.lastErrorCode ?? ''}`] : []),
    `dead letters ${countText(sumOf(status.deadLetteredByReason))}`,
    `dropped ${countText(sumOf(status.droppedByReason))}`,
    `lost ${bytesText(sumOf(status.lostBytesByReason))}`,
    `about ${moneyText(cost)} a month`,
  ];
  return [first, second, journalParts(status), newestLoss(status)]
    .filter((parts) => parts.length > 0)
    .map((parts) => parts.map(printable));
}
