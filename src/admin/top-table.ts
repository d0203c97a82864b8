// The table of `tailship top`: what changed between two looks at the agent, sorted, as lines of
// text. Called by top-command.ts, and pure: it draws what it is given.

import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';

import { printable } from '../printable.ts';
import type { AgentStatus, WorkloadStatus } from './admin-source.ts';
import { bytesText, countText, durationText, moneyText } from '../number-text.ts';

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

type Column = {
  readonly title: string;
  readonly isNumber?: true;
  readonly value: (workload: TopWorkload) => number | string;
  readonly text: (workload: TopWorkload) => string;
};

const errorNames = new Set(['ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY']);

/** In the order of the keys 1 to 9 and 0. */
export const topColumns: readonly Column[] = [
  number('BYTES/S', ({ bytesPerSecond }) => bytesPerSecond, bytesText),
  number('LINES/S', ({ linesPerSecond }) => linesPerSecond, countText),
  number('ERR%', ({ errorShare }) => errorShare, percentText),
  number('BEHIND', ({ behindBytes }) => behindBytes, bytesText),
  number('LAG', ({ behindSeconds }) => behindSeconds, durationText),
  number('TOTAL', ({ bytes }) => bytes, bytesText),
  number('$/MONTH', ({ costPerMonth }) => costPerMonth, moneyText),
  name('NAMESPACE', ({ namespace }) => namespace),
  name('POD', ({ pod }) => pod),
  name('CONTAINER', ({ container }) => container),
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
  return { title, isNumber: true, value, text: (workload) => text(value(workload)) };
}

function name(title: string, value: (workload: TopWorkload) => string): Column {
  return { title, value, text: (workload) => printable(value(workload)) };
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

/** The table as text, headlines first, the head of the columns the fourth line. */
export function topLines(table: TopTable, view: TopView = firstView): string[] {
  const rows = viewed(table, view).map((workload) => topColumns.map(({ text }) => text(workload)));
  const head = topColumns.map(({ title }) => title);
  const [first = '', ...others] = alignColumns([head, ...rows]);
  return [...headlines(table), '', first, ...others.slice(view.skipped)];
}

function headlines({ status, ...table }: TopTable): string[] {
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
  return [first, second].map((parts) => printable(parts.join('   ')));
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = topColumns.map((_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - stringWidth(cell)));
        return topColumns[column]?.isNumber === true ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** At most `columns` cells of a terminal; an ellipsis says that there was more. */
export function cutLine(line: string, columns: number): string {
  return cliTruncate(line, columns);
}
