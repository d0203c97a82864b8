// The rates and the cost of one container, which show the containers that flood the agent.
//
// Invariant: they are of what is written, shipped or not. Bytes are exact; unread lines are
// estimated from the recent bytes per line. Rates use the estimates only, because a correction is
// not a line that was just written. The cost is an estimate: Cloud Logging charges for the size of
// a LogEntry, which differs from that of the line and that of the request.

import { GiB } from '../byte-units.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import { ErrorMeter } from './error-meter.ts';
import { RecentSums } from './recent-sums.ts';
import type { ContainerTotals } from './totals.ts';
import { WrittenLines } from './written-lines.ts';

/** Time, stream, tag, three spaces and the line end of each line: not charged. */
const criHeaderBytes = 46;
/** insertId, two times, severity and the tags of the fields in an entry, less `"resource":,`. */
const entryFieldBytes = 58;
/** The label that carries the node's name into every entry. */
const nodeLabelBytes = 'compute.googleapis.com/resource_name'.length + 4;
/** Rates are averaged over this time, because writers and looks come in bursts. */
const rateMs = 10_000;
/** Unread lines are estimated from the lines of this time. */
const shapeMs = 60_000;
/** The cost is averaged over this time. */
const costMs = 900_000;
/** A younger container's bytes are divided by this time, so that a burst is no rate. */
const youngSeconds = 5;
/** Of a container of which nothing was read yet. */
const usualShape: Shape = { lines: 1, bytes: 200, entries: 1 };
/** 730 hours, as price lists count. */
const monthSeconds = 2_628_000;

/** A container. */
type Measured = {
  readonly totals: ContainerTotals;
  readonly template: EntryTemplate;
  /** By how much its files have grown while the agent watched them. */
  readonly grownBytes: number;
};

/** A sample of what was read. */
type Shape = { readonly lines: number; readonly bytes: number; readonly entries: number };

/** Since the start. */
export const nothingWritten = {
  bytes: 0,
  /** Read lines are counted, unread ones estimated. */
  lines: 0,
  /** All estimated when they were written: the sum never falls, and its growth is a rate. */
  guessedLines: 0,
};

export type Written = Readonly<typeof nothingWritten>;

export function addWritten(left: Written, right: Written): Written {
  return {
    bytes: left.bytes + right.bytes,
    lines: left.lines + right.lines,
    guessedLines: left.guessedLines + right.guessedLines,
  };
}

/** Per second, of the last seconds; charged bytes of the last quarter of an hour. */
type ContainerRates = {
  readonly writtenBytes: number;
  readonly writtenLines: number;
  readonly shippedBytes: number;
  readonly shippedLines: number;
  readonly chargedBytes: number;
  /** The time over which `chargedBytes` is averaged. */
  readonly chargedSeconds: number;
};

export class ContainerMeter {
  readonly #recent: RecentSums;
  readonly #errors: ErrorMeter;
  readonly #lines = new WrittenLines();
  /** As of the last sample; undefined when something was read since. */
  #settled: Written | undefined = nothingWritten;
  #bytes = 0;
  #guessedLines = 0;
  #grownBytes = 0;
  #shape = usualShape;
  /** As of the last sample: written bytes; read lines, bytes and entries. */
  #sums: readonly number[] = [0, 0, 0, 0];
  #sampledMs: number;

  /** `startMs`: when the container was found. */
  constructor(startMs: number) {
    this.#recent = new RecentSums(this.#sums.length, startMs);
    this.#errors = new ErrorMeter(startMs);
    this.#sampledMs = startMs;
  }

  /** Since the start, up to the last look at its files. */
  written({ grownBytes }: Pick<Measured, 'grownBytes'>): Written {
    if (this.#settled !== undefined && grownBytes === this.#grownBytes) return this.#settled;
    const bytes = Math.max(0, grownBytes - this.#grownBytes);
    const shape = this.#shape;
    return {
      bytes: this.#bytes + bytes,
      lines: this.#lines.sum({ bytes, shape }),
      guessedLines: this.#guessedLines + (bytes * shape.lines) / shape.bytes,
    };
  }

  /** A task read this; `backlogBytes` of the backlog were still unread. */
  read(amount: { readonly bytes: number; readonly lines: number }, backlogBytes: number): void {
    this.#lines.read(amount, backlogBytes);
    this.#settled = undefined;
  }

  errorShares({ totals }: Pick<Measured, 'totals'>, nowMs: number): (number | null)[] {
    return this.#errors.shares(totals, nowMs);
  }

  /** Call it every few seconds: most containers have written nothing since, which is cheap. */
  sample(measured: Pick<Measured, 'totals' | 'grownBytes'>, nowMs: number): void {
    const { totals, grownBytes } = measured;
    const { lines, bytes, entries } = totals;
    this.#sampledMs = nowMs;
    const [, lastLines, lastBytes, lastEntries] = this.#sums;
    const isRead = lines !== lastLines || bytes !== lastBytes || entries !== lastEntries;
    if (!isRead && grownBytes === this.#grownBytes) {
      this.#recent.hold(nowMs);
      this.#errors.hold(nowMs);
      return;
    }
    const sums = [0, lines, bytes, entries];
    this.#shape = this.#shapeOf(totals, nowMs, sums);
    const written = this.written(measured);
    this.#lines.sample({ bytes: written.bytes - this.#bytes, shape: this.#shape });
    this.#settled = written;
    this.#bytes = written.bytes;
    this.#guessedLines = written.guessedLines;
    this.#grownBytes = grownBytes;
    sums[0] = written.bytes;
    this.#sums = sums;
    this.#recent.add(nowMs, sums);
    this.#errors.sample(totals, nowMs);
  }

  /** As of the last sample. */
  rates(measured: Pick<Measured, 'template'>, nodeIdentity: NodeIdentity): ContainerRates {
    const last = this.#recent.since(rateMs, this.#sampledMs, this.#sums);
    const long = this.#recent.since(costMs, this.#sampledMs, this.#sums);
    const seconds = Math.max(youngSeconds, last.seconds);
    const writtenBytes = (last.sums[0] ?? 0) / seconds;
    const chargedPerByte = chargedOf(this.#shape, measured, nodeIdentity) / this.#shape.bytes;
    return {
      writtenBytes,
      writtenLines: (writtenBytes * this.#shape.lines) / this.#shape.bytes,
      shippedLines: (last.sums[1] ?? 0) / seconds,
      shippedBytes: (last.sums[2] ?? 0) / seconds,
      chargedBytes: ((long.sums[0] ?? 0) / Math.max(youngSeconds, long.seconds)) * chargedPerByte,
      chargedSeconds: Math.min(long.seconds, costMs / 1_000),
    };
  }

  /** Of the last minute, else of a quarter of an hour, else of all time. */
  #shapeOf(totals: ContainerTotals, nowMs: number, sums: readonly number[]): Shape {
    for (const spanMs of [shapeMs, costMs]) {
      const [, lines = 0, bytes = 0, entries = 0] = this.#recent.since(spanMs, nowMs, sums).sums;
      if (lines > 0 && bytes > 0) return { lines, bytes, entries };
    }
    return totals.lines > 0 && totals.bytes > 0 ? totals : usualShape;
  }
}

/** About how many bytes of LogEntries Cloud Logging charges for. */
export function chargedOf(
  { lines, bytes, entries }: Shape,
  { template }: Pick<Measured, 'template'>,
  { project, node }: NodeIdentity,
): number {
  const logNameBytes = `projects/${project}/logs/stdout`.length;
  const labelBytes = template.labels.length + (node === '' ? 0 : nodeLabelBytes + node.length);
  const entryBytes = template.resource.length + logNameBytes + labelBytes + entryFieldBytes;
  return Math.max(0, bytes - lines * criHeaderBytes) + entries * entryBytes;
}

/** US dollars a month at this rate; the free amount is ignored. */
export function costPerMonth(chargedBytesPerSecond: number, pricePerGib: number): number {
  return ((chargedBytesPerSecond * monthSeconds) / GiB) * pricePerGib;
}
