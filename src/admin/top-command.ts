// `tailship top`: a live table per workload of a running agent, from its /api/status. Called by
// cli.ts. The rates are differences of two answers, so that the agent need not compute what nobody
// looks at.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Control } from '../control.ts';
import { AgentError } from '../errors.ts';
import { valueText } from '../option-value.ts';
import { printable } from '../printable.ts';
import type { AgentStatus, WorkloadStatus } from './admin-source.ts';
import { bytesText, countText, durationText } from './number-text.ts';

export type TerminalSize = { readonly columns: number; readonly rows: number };

type Surroundings = {
  /** undefined when stdout is no terminal: then the tables follow each other, whole. */
  readonly terminalSize: () => TerminalSize | undefined;
};

type Rate = WorkloadStatus & { readonly bytesPerSecond: number; readonly linesPerSecond: number };

/** One look at the agent: its status, and what changed per second since the look before. */
export type TopTable = {
  readonly status: AgentStatus;
  readonly seconds: number;
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  /** CPU seconds per second. */
  readonly cores: number;
  /** Sorted by bytes per second, then by bytes behind. */
  readonly workloads: readonly Rate[];
};

type Look = { readonly status: AgentStatus; readonly atMs: number };

const requestTimeoutMs = 5_000;
/** `--once` needs two looks as well; this far apart. */
const onceIntervalMs = 1_000;
const clearScreen = '\u001b[H\u001b[J';

/**
 * Draws until `control.signal`, or once; returns the exit code. Throws ADMIN_UNREACHABLE,
 * CONFIG_INVALID.
 */
export async function runTop(
  config: Config,
  control: Control,
  { terminalSize }: Surroundings,
): Promise<number> {
  const url = statusUrl(config);
  const intervalMs = config.once ? Math.min(onceIntervalMs, config.intervalMs) : config.intervalMs;
  let before = await look(url);
  while (!control.signal.aborted) {
    // An abort ends the wait, and then the loop.
    await sleep(intervalMs, undefined, { signal: control.signal }).catch(() => undefined);
    if (control.signal.aborted) break;
    const now = await look(url);
    const table = compareLooks(before, now);
    if (config.json) control.write(JSON.stringify(table));
    else draw(table, config.once ? undefined : terminalSize(), control);
    if (config.once) break;
    before = now;
  }
  return 0;
}

function statusUrl({ adminAddress }: Config): string {
  if (adminAddress === undefined) {
    throw new AgentError(
      'CONFIG_INVALID',
      '--admin-address is off; top needs the one of the agent',
    );
  }
  // An agent that listens everywhere is asked on this machine.
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const host = everywhere[adminAddress.host] ?? adminAddress.host;
  return `http://${valueText({ host, port: adminAddress.port })}/api/status`;
}

async function look(url: string): Promise<Look> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return { status: (await response.json()) as AgentStatus, atMs: performance.now() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('ADMIN_UNREACHABLE', `${url}: ${reason}`, { cause: error });
  }
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
    cores: perSecond(cpuSeconds(now.status), old === undefined ? 0 : cpuSeconds(old)),
    workloads,
  };
}

function keyOf({ namespace, pod, container }: WorkloadStatus): string {
  return `${namespace}/${pod}/${container}`;
}

function cpuSeconds({ cpuSecondsByStage }: AgentStatus): number {
  return Object.values(cpuSecondsByStage).reduce((sum, seconds) => sum + seconds, 0);
}

function draw(table: TopTable, size: TerminalSize | undefined, control: Control): void {
  const lines = topLines(table);
  if (size === undefined) {
    for (const line of lines) control.write(line);
    return;
  }
  const visible = lines.slice(0, Math.max(1, size.rows - 1));
  control.write(clearScreen + visible.map((line) => line.slice(0, size.columns)).join('\n'));
}

/** The table as text, headline first. */
export function topLines(table: TopTable): string[] {
  const { status } = table;
  const headline = [
    `tailship ${status.version}`,
    `${countText(table.linesPerSecond)} lines/s`,
    `${bytesText(table.bytesPerSecond)}/s`,
    `behind ${bytesText(status.behindBytes)}, ${durationText(status.behindSeconds)}`,
    `in flight ${bytesText(status.inFlightBytes)}`,
    `CPU ${(table.cores * 100).toFixed(1)} %`,
    `RSS ${bytesText(status.rssBytes)}`,
  ].join('   ');
  const head = ['BYTES/S', 'LINES/S', 'BEHIND', 'TOTAL', 'NAMESPACE', 'POD', 'CONTAINER'];
  const rows = table.workloads.map((workload) => [
    bytesText(workload.bytesPerSecond),
    countText(workload.linesPerSecond),
    bytesText(workload.behindBytes),
    bytesText(workload.bytes),
    printable(workload.namespace),
    printable(workload.pod),
    printable(workload.container),
  ]);
  return [printable(headline), '', ...alignColumns([head, ...rows])];
}

/** How many of the first columns are numbers, which end at the same column. */
const numberColumns = 4;

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column < numberColumns ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
