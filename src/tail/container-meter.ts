// The rates and the cost of one container, sampled with the history, so that one look at the agent
// suffices to see which container floods it.
//
// The cost is an estimate: Cloud Logging charges for the size of a LogEntry, which is neither that
// of the line nor that of the request.

import { GiB } from '../byte-units.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { ContainerTotals } from './totals.ts';

/** Per line of a log file: time, stream, tag, three spaces and the line end, none of it charged. */
const criHeaderBytes = 46;
/** insertId, two times, severity and the tags of the fields in an entry, less `"resource":,`. */
const entryFieldBytes = 58;
/** Label key that carries the node's name into every entry. */
const nodeLabelBytes = 'compute.googleapis.com/resource_name'.length + 4;
/** The cost follows the rate of about this time. */
const costHorizonSeconds = 300;
/** 730 hours, as price lists count. */
const monthSeconds = 2_628_000;

/** What is measured: a container. */
type Measured = {
  readonly totals: Omit<ContainerTotals, 'severities'>;
  readonly template: EntryTemplate;
};

export class ContainerMeter {
  #linesPerSecond = 0;
  #bytesPerSecond = 0;
  #chargedBytesPerSecond = 0;
  #chargedBytes = 0;
  #sampledAtMs: number | undefined;
  #ageSeconds = 0;
  #lines = 0;
  #bytes = 0;
  #entries = 0;

  /** Of the stretch between the last two samples. */
  get linesPerSecond(): number {
    return this.#linesPerSecond;
  }

  /** Of the stretch between the last two samples. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** What Cloud Logging charges for of the last minutes, estimated. */
  get chargedBytesPerSecond(): number {
    return this.#chargedBytesPerSecond;
  }

  /** The same since the start. */
  chargedBytes(measured: Measured, nodeIdentity: NodeIdentity): number {
    return this.#chargedBytes + this.#chargedSince(measured, nodeIdentity);
  }

  /** Takes a sample. */
  sample(measured: Measured, nodeIdentity: NodeIdentity, nowMs: number): void {
    const { lines, bytes, entries } = measured.totals;
    const charged = this.#chargedSince(measured, nodeIdentity);
    const seconds = (nowMs - (this.#sampledAtMs ?? nowMs)) / 1_000;
    const [moreLines, moreBytes] = [lines - this.#lines, bytes - this.#bytes];
    this.#lines = lines;
    this.#bytes = bytes;
    this.#entries = entries;
    this.#sampledAtMs = nowMs;
    this.#ageSeconds += seconds;
    this.#chargedBytes += charged;
    if (seconds <= 0) return;
    // A plain mean while the container is young, then one that forgets.
    const share = Math.max(seconds / this.#ageSeconds, 1 - Math.exp(-seconds / costHorizonSeconds));
    this.#linesPerSecond = moreLines / seconds;
    this.#bytesPerSecond = moreBytes / seconds;
    this.#chargedBytesPerSecond += share * (charged / seconds - this.#chargedBytesPerSecond);
  }

  /** Bytes of LogEntries since the last sample that Cloud Logging would charge for, nearly. */
  #chargedSince({ totals, template }: Measured, { project, node }: NodeIdentity): number {
    const lines = totals.lines - this.#lines;
    const bytes = totals.bytes - this.#bytes;
    const logNameBytes = `projects/${project}/logs/stdout`.length;
    const labelBytes = template.labels.length + (node === '' ? 0 : nodeLabelBytes + node.length);
    const entryBytes = template.resource.length + logNameBytes + labelBytes + entryFieldBytes;
    const entries = totals.entries - this.#entries;
    return Math.max(0, bytes - lines * criHeaderBytes) + entries * entryBytes;
  }
}

/** US dollars of a month at this rate; the free amount is ignored. */
export function costPerMonth(chargedBytesPerSecond: number, pricePerGib: number): number {
  return ((chargedBytesPerSecond * monthSeconds) / GiB) * pricePerGib;
}
