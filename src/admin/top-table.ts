// The table of `tailship top`: what changed between two looks at the agent, sorted, as lines of
// text. Pure: it draws what it is given.

import { printable } from '../printable.ts';
import type { AgentStatus, WorkloadStatus } from './admin-source.ts';
import { bytesText, countText, durationText, moneyText } from '../number-text.ts';
import { fitTable, wrapParts, type LayoutColumn } from './top-layout.ts';

/** One look at the agent. */
export type Look = { readonly status: AgentStatus; readonly atMs: number };

/** What changed per second since the look before. Sorted by bytes per second, then bytes behind. */
export type TopTable = {
  readonly status: AgentStatus;
  readonly seconds: number;
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  /** CPU seconds per second. */
  readonly cores: number;
  readonly workloads: readonly TopWorkload[];
};

/** A workload, with the part of the entries between the looks that are ERROR or above, 0 to 1. */
export type TopWorkload = WorkloadStatus & { readonly errorShare: number };

type Column = LayoutColumn & {
  readonly value: (workload: TopWorkload) => number | string;
  readonly text: (workload: TopWorkload) => string;
};

const errorNames = new Set(['ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY']);

/** In the order of the keys 1 to 9 and 0. */
export const topColumns: readonly Column[] = [
  number('BYTES/S', ({ bytesPerSecond }) => bytesPerSecond, bytesText),
  { ...number('LINES/S', ({ linesPerSecond }) => linesPerSecond, countText), dispensable: 2 },
  number('ERR%', ({ errorShare }) => errorShare, percentText),
  number('BEHIND', ({ behindBytes }) => behindBytes, bytesText),
  { ...number('LAG', ({ behindSeconds }) => behindSeconds, durationText), dispensable: 1 },
  { ...number('TOTAL', ({ bytes }) => bytes, bytesText), dispensable: 4 },
  { ...number('$/MONTH', ({ costPerMonth }) => costPerMonth, moneyText), dispensable: 3 },
  { ...name('NAMESPACE', ({ namespace }) => namespace), widthMin: 10 },
  { ...name('POD', ({ pod }) => pod), widthMin: 20 },
  { ...name('CONTAINER', ({ container }) => container), widthMin: 12 },
];

/** How the user wants the table. */
export type TopView = {
  /** Index in `topColumns`. */
  readonly sortedBy: number;
  readonly isAscending: boolean;
  /** Only workloads with this in their names. */
  readonly search: string;
  /** Rows that are scrolled past. */
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

/** `0`, `0.4`, `18`: what is less than a tenth and not nothing is `<0.1`. */
function percentText(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0';
  return percent < 0.1 ? '<0.1' : percent.toFixed(percent < 9.95 ? 1 : 0);
}

/** The table between two looks. A restart of the agent between them counts from its start. */
export function compareLooks(before: Look, now: Look): TopTable {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const isSame = before.status.startedAt === now.status.startedAt;
  const old = isSame ? before.status : undefined;
  const perSecond = (value: number, earlier = 0): number => Math.max(0, value - earlier) / seconds;
  const oldByKey = new Map(old?.workloads.map((workload) => [keyOf(workload), workload]));
  const workloads = now.status.workloads.map((workload) => {
    const earlier = oldByKey.get(keyOf(workload));
    return {
      ...workload,
      bytesPerSecond: perSecond(workload.bytes, earlier?.bytes),
      linesPerSecond: perSecond(workload.lines, earlier?.lines),
      errorShare: errorShareOf(workload, earlier),
    };
  });
  workloads.sort(
    (left, right) =>
      right.bytesPerSecond - left.bytesPerSecond || right.behindBytes - left.behindBytes,
  );
  return {
    status: now.status,
    seconds,
    linesPerSecond: perSecond(now.status.lines, old?.lines),
    bytesPerSecond: perSecond(now.status.bytes, old?.bytes),
    cores: perSecond(
      sumOf(now.status.cpuSecondsByStage),
      old === undefined ? 0 : sumOf(old.cpuSecondsByStage),
    ),
    workloads,
  };
}

/** Of the entries since `earlier`; 0 when there are none. */
function errorShareOf(now: WorkloadStatus, earlier: WorkloadStatus | undefined): number {
  let entries = 0;
  let errors = 0;
  for (const [severity, count] of Object.entries(now.severities)) {
    const more = Math.max(0, count - (earlier?.severities[severity] ?? 0));
    entries += more;
    if (errorNames.has(severity)) errors += more;
  }
  return entries === 0 ? 0 : errors / entries;
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
  // The table comes sorted by the first column, with an order among equals.
  if (value === undefined || (view.sortedBy === 0 && !view.isAscending)) return shown;
  const sign = view.isAscending ? 1 : -1;
  return shown.toSorted((left, right) => sign * compareValues(value(left), value(right)));
}

function compareValues(left: number | string, right: number | string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The table in parts; `isTroubled`: something needs attention. */
export type TopScreen = {
  readonly headlines: readonly string[];
  readonly isTroubled: boolean;
  readonly head: string;
  readonly rows: readonly string[];
};

/** The table for a terminal of so many columns; without them, as wide as it is. */
export function topScreen(table: TopTable, view: TopView, columns?: number): TopScreen {
  const cells = viewed(table, view).map((workload) => topColumns.map(({ text }) => text(workload)));
  const titles = topColumns.map(({ title }) => title);
  const [head = '', ...rows] = fitTable(topColumns, [titles, ...cells], columns);
  const headlines = headlineParts(table).flatMap((parts) => wrapParts(parts, columns));
  const { checks, ship, lostBytesByReason } = table.status;
  const isTroubled =
    checks.some(({ ok }) => !ok) || ship.consecutiveFailures > 0 || sumOf(lostBytesByReason) > 0;
  return { headlines, isTroubled, head, rows: rows.slice(view.skipped) };
}

/** The table as text, headlines first, the head of the columns the fourth line. */
export function topLines(table: TopTable, view: TopView = firstView): string[] {
  const { headlines, head, rows } = topScreen(table, view);
  return [...headlines, '', head, ...rows];
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
  return [first, second].map((parts) => parts.map(printable));
}
