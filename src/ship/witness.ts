// An entry that the API has accepted, sent again together with suspects: the API names refused
// entries only when it has written another one of the same request. It is the same entry as before,
// so a query shows it once.
//
// Invariant: the witness carries its own logName, resource and labels, and a request with it has no
// labels of its own, because the API would add those to the witness.

import assert from 'node:assert/strict';

import type { ShipLimits } from '../ship-limits.ts';
import type { Batch } from './batch.ts';
import { asBuffer, bodyFrom, entryBytes, entryStarts, memberSpan } from './body.ts';

/** A larger entry is not taken, and an older one is replaced as soon as possible. */
type WitnessLimits = Pick<ShipLimits, 'shipWitnessBytesMax' | 'shipWitnessMs'>;

type Head = {
  readonly logName?: unknown;
  readonly resource?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
};

const labelsKey = '"labels":';

export class Witness {
  readonly #limits: WitnessLimits;
  readonly #nowMs: () => number;
  #entry: Buffer | undefined;
  #freshUntilMs = 0;

  /** `nowMs` gives monotonic milliseconds. */
  constructor(limits: WitnessLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  get isKnown(): boolean {
    return this.#entry !== undefined;
  }

  /** Takes the first entry of an accepted body, unless a fresh one is known. */
  consider({ body, entryCount }: Pick<Batch, 'body' | 'entryCount'>): void {
    if (this.#nowMs() < this.#freshUntilMs) return;
    this.take(body, entryStarts(body, entryCount), 0);
  }

  /** Takes this entry of a body, which the API has accepted. */
  take(body: Uint8Array, starts: Uint32Array, index: number): void {
    const bytes = entryBytes(body, starts, index);
    if (bytes.length > this.#limits.shipWitnessBytesMax) return;
    this.#entry = selfContained(Buffer.from(bytes), headOf(body, starts));
    this.#freshUntilMs = this.#nowMs() + this.#limits.shipWitnessMs;
  }

  /** The API refuses it now: the next accepted body gives another. */
  drop(): void {
    this.#entry = undefined;
    this.#freshUntilMs = 0;
  }

  /** A request of these entries, with the witness last. */
  bodyWith(body: Uint8Array, starts: Uint32Array, indexes: Uint32Array): Uint8Array {
    const { labels = {}, ...head } = headOf(body, starts);
    const text = JSON.stringify({ partialSuccess: true, ...head });
    const entries: Uint8Array[] = [];
    for (const index of indexes) {
      entries.push(withLabels(asBuffer(entryBytes(body, starts, index)), labels));
    }
    entries.push(this.#known());
    return bodyFrom(Buffer.from(`${text.slice(0, -1)},"entries":[`), entries);
  }

  /** A request of the witness alone. */
  bodyAlone(): Uint8Array {
    return bodyFrom(Buffer.from('{"partialSuccess":true,"entries":['), [this.#known()]);
  }

  #known(): Buffer {
    assert(this.#entry !== undefined, 'a witness is known');
    return this.#entry;
  }
}

/** What the head of a body gives to all its entries. */
export function headOf(body: Uint8Array, starts: Uint32Array): Head {
  const text = asBuffer(body.subarray(0, starts[0])).toString('utf8');
  const { logName, resource, labels } = JSON.parse(`${text}]}`) as Head;
  return { logName, resource, ...(labels !== undefined && { labels }) };
}

/** The entry with the members that it inherits from the head of its request. */
export function selfContained(entry: Buffer, head: Head): Buffer {
  const own = Object.keys(JSON.parse(entry.toString('utf8')) as object);
  let members = '';
  for (const key of ['logName', 'resource'] as const) {
    if (!own.includes(key) && head[key] !== undefined) {
      members += `${JSON.stringify(key)}:${JSON.stringify(head[key])},`;
    }
  }
  const labelled = withLabels(entry, head.labels ?? {});
  return Buffer.concat([Buffer.from(`{${members}`), labelled.subarray(1)]);
}

/** The entry with those labels that it lacks; its other bytes do not change. */
export function withLabels(entry: Buffer, labels: Readonly<Record<string, unknown>>): Buffer {
  // A payload may have labels, too.
  const own = entry.includes(labelsKey) ? memberSpan(entry, 'labels') : undefined;
  const ownText = own === undefined ? '{}' : entry.toString('utf8', own.start, own.end);
  const ownKeys = Object.keys(JSON.parse(ownText) as object);
  const missing = Object.entries(labels).filter(([key]) => !ownKeys.includes(key));
  if (missing.length === 0) return entry;
  const members = JSON.stringify(Object.fromEntries(missing)).slice(1, -1);
  if (own === undefined) {
    return Buffer.concat([Buffer.from(`{${labelsKey}{${members}},`), entry.subarray(1)]);
  }
  const start = own.start + 1;
  const comma = ownKeys.length === 0 ? '' : ',';
  return Buffer.concat([
    entry.subarray(0, start),
    Buffer.from(`${members}${comma}`),
    entry.subarray(start),
  ]);
}
