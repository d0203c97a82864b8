// Compares what an emulator holds with what synthetic containers wrote: every line once, in order,
// unchanged.
//
// It reads the entries as a stream in (timestamp, insertId) order and keeps one byte a line.
// Invariant: `lost` + `lostByKubelet` + lines found = lines written.

import http from 'node:http';
import type { Account, ContainerAccount } from '../kubelet/log-account.ts';
import { createLineSource, lineText } from '../kubelet/log-lines.ts';
import type { LineSource, Stream } from '../kubelet/log-lines.ts';
import { entryDifference } from './expected-entry.ts';
import type { ShownEntry } from './expected-entry.ts';

/** Counts over all containers. */
export type Verdict = {
  readonly written: number;
  /** Entries that the emulator shows, each once. */
  readonly entries: number;
  /** Lines in no entry although their file existed. */
  readonly lost: number;
  /** Lines in no entry whose file the kubelet deleted. */
  readonly lostByKubelet: number;
  /** Entries with a line that an earlier entry has. */
  readonly doubled: number;
  /** Entries after a later line of their container. */
  readonly outOfOrder: number;
  /** Entries whose stream, severity or payload is not the line's. */
  readonly altered: number;
  /** Entries with no line of the account. */
  readonly unknown: number;
  /** Of the lines in no entry, without CRI headers and newlines. */
  readonly missingTextBytes: number;
  /** Bytes that the agent reports as lost, in the logs of the containers. */
  readonly lostBytesTold: number;
  /** The first few problems, one line each. */
  readonly samples: readonly string[];
};

type Stats = { readonly droppedEntries: number };

type Counts = { -readonly [Key in keyof Omit<Verdict, 'samples'>]: number };

const samplesMax = 12;

/**
 * Throws what the connection throws, and an Error if the emulator has dropped entries, which would
 * count as lost.
 */
export async function verifyShipped(emulatorUrl: string, account: Account): Promise<Verdict> {
  const stats = (await (await fetch(`${emulatorUrl}/emulator/stats`)).json()) as Stats;
  if (stats.droppedEntries > 0) {
    throw new Error(`the emulator has dropped ${stats.droppedEntries} entries: --memory-bytes`);
  }
  const verifier = new Verifier(account);
  for await (const entry of shownEntries(emulatorUrl)) verifier.take(entry);
  return verifier.verdict();
}

/** Whether every line that the kubelet did not delete is there once, unchanged and in order. */
export function isExactlyOnce(verdict: Verdict): boolean {
  const { lost, doubled, outOfOrder, altered, unknown } = verdict;
  return lost + doubled + outOfOrder + altered + unknown === 0;
}

/** All entries in (timestamp, insertId) order; throws what the connection throws. */
export async function* shownEntries(emulatorUrl: string): AsyncGenerator<ShownEntry> {
  for await (const line of entryLines(`${emulatorUrl}/emulator/entries`)) {
    yield JSON.parse(line) as ShownEntry;
  }
}

async function* entryLines(url: string): AsyncGenerator<string> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http.get(url, resolve).on('error', reject);
  const answer = await promise;
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`);
  answer.setEncoding('utf8');
  let rest = '';
  for await (const text of answer as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

type Tally = {
  readonly account: ContainerAccount;
  readonly lines: LineSource;
  /** By number of the line: 1 if an entry has it. */
  readonly found: Uint8Array;
  /** Empty lines have no number; they are counted. */
  blanksFound: number;
  lastSeq: number;
};

class Verifier {
  readonly #tallies = new Map<string, Tally>();
  readonly #parts = new Map<string, ShownEntry[]>();
  readonly #samples: string[] = [];
  readonly #counts: Counts = {
    written: 0,
    entries: 0,
    lost: 0,
    lostByKubelet: 0,
    doubled: 0,
    outOfOrder: 0,
    altered: 0,
    unknown: 0,
    missingTextBytes: 0,
    lostBytesTold: 0,
  };

  constructor(account: Account) {
    for (const each of account.containers) {
      const key = `${each.namespace}/${each.pod}/${each.container}`;
      const { kind, bytes } = each;
      const size = bytes === undefined ? {} : { bytes };
      this.#tallies.set(key, {
        account: each,
        lines: createLineSource({ seed: account.seed, container: key, kind, ...size }),
        found: new Uint8Array(each.lines + 1),
        blanksFound: 0,
        lastSeq: 0,
      });
      this.#counts.written += each.lines;
    }
  }

  take(shown: ShownEntry): void {
    this.#counts.entries += 1;
    const lostBytes = lostBytesOf(shown);
    if (lostBytes !== undefined) {
      this.#counts.lostBytesTold += lostBytes;
      return;
    }
    const entry = this.#joined(shown);
    if (entry === undefined) return;
    const { namespace_name, pod_name, container_name } = entry.resource?.labels ?? {};
    const key = `${namespace_name}/${pod_name}/${container_name}`;
    const tally = this.#tallies.get(key);
    const seqs = numbersOf(entry);
    const isKnown = tally !== undefined && seqs.every((seq) => seq <= tally.account.lines);
    if (isKnown && seqs.length > 0) this.#takeLines(tally, seqs, entry);
    else if (isKnown && isBlank(entry)) tally.blanksFound += 1;
    else this.#note('unknown', key, seqs[0], entry);
  }

  /** Joins the entries of a split text when all of them are there. */
  #joined(entry: ShownEntry): ShownEntry | undefined {
    const { split } = entry;
    if (split === undefined) return entry;
    const parts = [...(this.#parts.get(split.uid) ?? []), entry];
    this.#parts.set(split.uid, parts);
    if (parts.length < split.totalSplits) return undefined;
    this.#parts.delete(split.uid);
    parts.sort((left, right) => (left.split?.index ?? 0) - (right.split?.index ?? 0));
    return { ...entry, textPayload: parts.map((part) => part.textPayload ?? '').join('') };
  }

  #takeLines(tally: Tally, seqs: readonly number[], entry: ShownEntry): void {
    const texts = seqs.length === 1 ? [undefined] : (entry.textPayload ?? '').split('\n');
    for (const [index, seq] of seqs.entries()) {
      if (tally.found[seq] === 1) this.#note('doubled', keyOf(tally), seq, entry);
      else if (seq < tally.lastSeq) this.#note('outOfOrder', keyOf(tally), seq, entry);
      tally.found[seq] = 1;
      tally.lastSeq = Math.max(tally.lastSeq, seq);
      // Each line of a joined stack trace is compared as if it were alone.
      const text = texts[index];
      const alone = text === undefined ? entry : { ...entry, textPayload: text };
      const difference = entryDifference(alone, lineOf(tally, seq));
      if (difference !== undefined && !mayBePart(tally, seq)) {
        this.#note('altered', `${difference} of ${keyOf(tally)}`, seq, entry);
      }
    }
  }

  #note(count: keyof Counts, what: string, seq: number | undefined, entry?: ShownEntry): void {
    this.#counts[count] += 1;
    if (this.#samples.length >= samplesMax) return;
    const { timestamp, insertId, textPayload, jsonPayload } = entry ?? {};
    const shown = entry === undefined ? {} : { timestamp, insertId, textPayload, jsonPayload };
    this.#samples.push(`${count}: ${what} seq=${seq} ${JSON.stringify(shown).slice(0, 300)}`);
  }

  verdict(): Verdict {
    for (const tally of this.#tallies.values()) this.#countMissing(tally);
    for (const parts of this.#parts.values()) {
      this.#note('altered', 'a split entry without all its parts', undefined, parts[0]);
    }
    return { ...this.#counts, samples: this.#samples };
  }

  #countMissing(tally: Tally): void {
    let blanks = 0;
    let blanksDeleted = 0;
    for (let seq = 1; seq <= tally.account.lines; seq += 1) {
      if (tally.found[seq] === 1) continue;
      const isGone = isDeleted(tally, seq);
      const { text } = lineOf(tally, seq);
      this.#counts.missingTextBytes += Buffer.byteLength(text);
      if (text === '') {
        blanks += 1;
        blanksDeleted += isGone ? 1 : 0;
      } else if (isGone) {
        this.#counts.lostByKubelet += 1;
      } else {
        this.#note('lost', keyOf(tally), seq);
      }
    }
    const missing = blanks - tally.blanksFound;
    this.#counts.lostByKubelet += Math.max(0, Math.min(missing, blanksDeleted));
    for (let left = missing - blanksDeleted; left > 0; left -= 1) {
      this.#note('lost', `an empty line of ${keyOf(tally)}`, undefined);
    }
    for (let more = -missing; more > 0; more -= 1) {
      this.#note('doubled', `an empty line of ${keyOf(tally)}`, undefined);
    }
  }
}

function keyOf({ account }: Tally): string {
  return `${account.namespace}/${account.pod}/${account.container}`;
}

function lineOf({ account, lines }: Tally, seq: number): { stream: Stream; text: string } {
  const explicit = account.explicit.get(seq);
  if (explicit !== undefined) return explicit;
  const template = lines.at(seq);
  return { stream: template.stream, text: lineText(template, seq) };
}

function isDeleted({ account }: Tally, seq: number): boolean {
  return account.deleted.some(({ start, end }) => seq >= start && seq < end);
}

/** A record in several parts can lose some of them with their file. */
function mayBePart(tally: Tally, seq: number): boolean {
  return tally.account.explicit.has(seq) && isDeleted(tally, seq);
}

function isBlank(entry: ShownEntry): boolean {
  return (entry.textPayload ?? '') === '' && entry.jsonPayload === undefined;
}

/** The bytes in the agent's notice of a loss (loss-notice.ts); undefined for any other entry. */
function lostBytesOf({ jsonPayload }: ShownEntry): number | undefined {
  const { message, lostBytes } = jsonPayload ?? {};
  if (typeof lostBytes !== 'number' || typeof message !== 'string') return undefined;
  return message.startsWith('tailship lost ') ? lostBytes : undefined;
}

/** Numbers of the lines in an entry; only a joined stack trace has several. */
function numbersOf(entry: ShownEntry): number[] {
  const { jsonPayload, textPayload = '' } = entry;
  if (typeof jsonPayload?.['seq'] === 'number') return [jsonPayload['seq']];
  const text = typeof jsonPayload?.['message'] === 'string' ? jsonPayload['message'] : textPayload;
  return [...text.matchAll(/\bseq= *(\d+)/g)].map((match) => Number(match[1]));
}
