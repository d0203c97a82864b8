// Compares what an emulator holds with what containers wrote by themselves: every line once, in the
// order of its stream, unchanged.
//
// Invariant: `written` = `lost` + lines that some entry holds. Order is that of a stream, not of a
// container: two processes write at once, and only the runtime knows which came first.

import { entryDifference } from '../../src/emulator/verify/expected-entry.ts';
import type { ShownEntry } from '../../src/emulator/verify/expected-entry.ts';
import { numberedLine } from './numbered-lines.ts';
import type { NumberedLines } from './numbered-lines.ts';

/** What one stream of one container wrote: lines 1 to `count`. */
export type WrittenStream = NumberedLines & {
  readonly pod: string;
  readonly container: string;
  readonly stream: 'stdout' | 'stderr';
  readonly count: number;
};

export type LineVerdict = {
  readonly written: number;
  /** Lines that no entry holds. */
  readonly lost: number;
  /** Entries beyond the first that hold a line. */
  readonly doubled: number;
  /** Entries after a later line of their stream. */
  readonly outOfOrder: number;
  /** Entries whose severity or payload is not the line's. */
  readonly altered: number;
  /** Entries that hold no line that was written; the agent's own notices of a loss, for example. */
  readonly unknown: number;
  /** The first few troubles, one line each. */
  readonly samples: readonly string[];
};

type Trouble = 'lost' | 'doubled' | 'outOfOrder' | 'altered' | 'unknown';
type Tally = { readonly written: WrittenStream; readonly found: Uint8Array; lastSeq: number };

const samplesMax = 12;
const textBytesShown = 200;

/** Whether every line is there once, unchanged and in order. */
export function isWhole(verdict: LineVerdict): boolean {
  const { lost, doubled, outOfOrder, altered, unknown } = verdict;
  return lost + doubled + outOfOrder + altered + unknown === 0;
}

/** Judges entries that come in (timestamp, insertId) order. */
export async function judgeLines(
  streams: readonly WrittenStream[],
  entries: AsyncIterable<ShownEntry> | Iterable<ShownEntry>,
): Promise<LineVerdict> {
  const tallies = new Map<string, Tally>();
  for (const written of streams) {
    const found = new Uint8Array(written.count + 1);
    tallies.set(keyOf(written.pod, written.container, written.stream), {
      written,
      found,
      lastSeq: 0,
    });
  }
  const counts = { lost: 0, doubled: 0, outOfOrder: 0, altered: 0, unknown: 0 };
  const samples: string[] = [];
  const note = (trouble: Trouble, what: string, entry?: ShownEntry) => {
    counts[trouble] += 1;
    if (samples.length >= samplesMax) return;
    const { timestamp, insertId, textPayload, jsonPayload } = entry ?? {};
    const shown = { timestamp, insertId, textPayload, jsonPayload };
    const text = entry === undefined ? '' : JSON.stringify(shown).slice(0, textBytesShown);
    samples.push(`${trouble}: ${what} ${text}`.trimEnd());
  };
  for await (const entry of entries) take(tallies, entry, note);
  for (const [key, { found }] of tallies) {
    for (let seq = 1; seq < found.length; seq += 1) {
      if (found[seq] === 0) note('lost', `${key} seq=${seq}`);
    }
  }
  const written = streams.reduce((sum, { count }) => sum + count, 0);
  return { written, ...counts, samples };
}

function take(
  tallies: ReadonlyMap<string, Tally>,
  entry: ShownEntry,
  note: (trouble: Trouble, what: string, entry: ShownEntry) => void,
): void {
  const { pod_name: pod, container_name: container } = entry.resource?.labels ?? {};
  const stream = entry.logName?.slice(entry.logName.lastIndexOf('/') + 1);
  const key = keyOf(pod, container, stream);
  const tally = tallies.get(key);
  const seq = numberOf(entry);
  if (tally === undefined || seq === undefined || seq < 1 || seq >= tally.found.length) {
    note('unknown', key, entry);
    return;
  }
  const what = `${key} seq=${seq}`;
  if (tally.found[seq] !== 0) note('doubled', what, entry);
  else if (seq < tally.lastSeq) note('outOfOrder', what, entry);
  tally.found[seq] = 1;
  tally.lastSeq = Math.max(tally.lastSeq, seq);
  const { written } = tally;
  const line = { stream: written.stream, text: numberedLine(written, seq) };
  const difference = entryDifference(entry, line);
  if (difference !== undefined) note('altered', `${difference} of ${what}`, entry);
}

function keyOf(...words: readonly (string | undefined)[]): string {
  return words.join('/');
}

function numberOf({ textPayload, jsonPayload }: ShownEntry): number | undefined {
  const seq = jsonPayload?.['seq'] ?? /^seq=(\d+) /.exec(textPayload ?? '')?.[1];
  return seq === undefined ? undefined : Number(seq);
}
