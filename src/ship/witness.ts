// An entry that the API has accepted, sent once more beside suspects: the API names refused entries
// only when it has written another one of the same request. It is the same entry, byte for byte in
// what it says, so a query shows it once.
//
// Invariant: the witness carries its own logName, resource and labels, and the request that it is
// added to has no labels of its own, because the API would add those to it.

import type { Batch } from './batch.ts';
import { asBuffer, bodyFrom, entryBytes, entryStarts } from './body.ts';

export type WitnessOptions = {
  /** Of the entry alone; a larger one is not taken. */
  readonly bytesMax: number;
  /** An older one is replaced at the next chance. */
  readonly ageMaxMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
};

type Head = {
  readonly logName?: unknown;
  readonly resource?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
};

const openingBrace = 0x7b;
const closingBrace = 0x7d;
const openingBracket = 0x5b;
const closingBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const labelsKey = '"labels":';
const labelsKeyBytes = Buffer.from(labelsKey);

export class Witness {
  readonly #options: WitnessOptions;
  #entry: Buffer | undefined;
  #freshUntilMs = 0;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.#entry !== undefined;
  }

  /** Takes the first entry of an accepted body, unless a young one is known. */
  consider({ body, entryCount }: Pick<Batch, 'body' | 'entryCount'>): void {
    if (this.#options.nowMs() < this.#freshUntilMs) return;
    this.take(body, entryStarts(body, entryCount), 0);
  }

  /** Takes this entry of a body, which the API has accepted. */
  take(body: Uint8Array, starts: Uint32Array, index: number): void {
    const bytes = entryBytes(body, starts, index);
    if (bytes.length > this.#options.bytesMax) return;
    this.#entry = selfContained(Buffer.from(bytes), headOf(body, starts));
    this.#freshUntilMs = this.#options.nowMs() + this.#options.ageMaxMs;
  }

  /** The API refuses it by now: the next accepted body gives another. */
  drop(): void {
    this.#entry = undefined;
    this.#freshUntilMs = 0;
  }

  /** A request of the named entries with the witness behind them. */
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
    if (this.#entry === undefined) throw new Error('asked only when it is known');
    return this.#entry;
  }
}

/** What the head of a body gives to all its entries. */
export function headOf(body: Uint8Array, starts: Uint32Array): Head {
  const text = asBuffer(body.subarray(0, starts[0])).toString('utf8');
  const { logName, resource, labels } = JSON.parse(`${text}]}`) as Head;
  return { logName, resource, ...(labels !== undefined && { labels }) };
}

/** The entry with what it inherits from the head of its request. */
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

/** The entry with the labels that it does not have; the rest of its bytes is as it was. */
export function withLabels(entry: Buffer, labels: Readonly<Record<string, unknown>>): Buffer {
  const own = entry.includes(labelsKey) ? findLabels(entry) : undefined;
  const ownKeys = own === undefined ? [] : keysOf(entry.subarray(own.start, own.end));
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

function keysOf(object: Buffer): string[] {
  return Object.keys(JSON.parse(object.toString('utf8')) as object);
}

/** Where the value of the entry's own member `labels` is: a payload may have one, too. */
function findLabels(entry: Buffer): { readonly start: number; readonly end: number } | undefined {
  let depth = 0;
  let start: number | undefined;
  for (let at = 0; at < entry.length; at += 1) {
    const byte = entry[at];
    if (byte === quote) {
      const key = entry.subarray(at, at + labelsKeyBytes.length);
      const isKey = depth === 1 && start === undefined && key.equals(labelsKeyBytes);
      at = endOfString(entry, at);
      if (isKey) start = at + 2;
    } else if (byte === openingBrace || byte === openingBracket) depth += 1;
    else if (byte === closingBrace || byte === closingBracket) {
      depth -= 1;
      if (start !== undefined && depth === 1) return { start, end: at + 1 };
    }
  }
  return undefined;
}

/** The index of the quote that ends the string which begins at `at`. */
function endOfString(bytes: Buffer, at: number): number {
  let end = at + 1;
  while (end < bytes.length && bytes[end] !== quote) end += bytes[end] === backslash ? 2 : 1;
  return end;
}
