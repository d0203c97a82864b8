// Writes the log files that every peer reads: laid out as the kubelet does, the same bytes for the
// same options. Every line carries `seq=<10 digits>`, each number exactly once over all files, so
// that the sink can tell lost, doubled and complete apart.

import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { randomNumbers } from '../src/emulator/random-numbers.ts';

export const corpusKinds = ['text', 'json', 'mixed', 'long'] as const;
/**
 * What the lines hold: plain text; the JSON of a structured logger; the two in turn; or text that
 * the runtime had to cut into partial lines of 16 KiB.
 */
export type CorpusKind = (typeof corpusKinds)[number];

export type CorpusOptions = {
  readonly folder: string;
  readonly kind: CorpusKind;
  readonly lineCount: number;
  readonly fileCount: number;
  readonly seed: number;
  /** Lines that are of no kind, instead of those of `kind`. */
  readonly content?: (seq: number) => string;
};

/** What is on disk. Paths are absolute; `files` are the link targets, not the links. */
export type Corpus = {
  readonly kind: CorpusKind;
  readonly containersDir: string;
  readonly logRoot: string;
  readonly files: readonly string[];
  readonly lineCount: number;
  readonly bytes: number;
};

const words = `the a request order cart user session cache shard worker lease retry timeout upstream
  checkout payment inventory price region zone node pool bucket object index segment replica leader
  follower commit offset batch queue stream handler token refresh signature header cookie gateway
  balance refund invoice shipment carrier parcel label webhook callback deadline backoff circuit
  closed open half probe healthy degraded accepted rejected expired renewed created deleted`
  .split(/\s+/)
  .filter(Boolean);

/** Where containerd cuts a line. */
const partialBytes = 16 * 1024;
const longLineBytes = 40_000;

/**
 * One line's content after the CRI header: about 150 bytes of text, 300 of JSON, 40,000 of `long`.
 */
export function lineContent(kind: CorpusKind, seq: number, random: () => number): string {
  if (kind === 'mixed') return lineContent(seq % 2 === 0 ? 'text' : 'json', seq, random);
  const marker = `seq=${String(seq).padStart(10, '0')}`;
  const sentence = makeSentence(random);
  if (kind === 'long') return `${marker} ${sentence} `.padEnd(longLineBytes, `${sentence} `);
  if (kind === 'text') {
    // One line in eight holds what JSON must escape, as quoted values and tabs do in real logs.
    const tail = seq % 8 === 0 ? `path="/v1/orders/${seq}"\tagent="probe/1.0"` : 'path=/v1/orders';
    return `handler.go:${100 + (seq % 400)} ${marker} ${sentence} ${tail}`;
  }
  const severity = random() < 0.95 ? 'INFO' : 'WARNING';
  return JSON.stringify({
    severity,
    message: `${marker} ${sentence}`,
    caller: `orders/handler.go:${100 + (seq % 400)}`,
    status: random() < 0.97 ? 200 : 503,
    durationMs: Math.round(random() * 100_000) / 1_000,
    cached: random() < 0.5,
    user: { id: `u-${Math.floor(random() * 1e9)}`, plan: 'team', region: 'europe-west4' },
    retries: [],
  });
}

/** Ten to twenty words. */
export function makeSentence(random: () => number): string {
  const count = 10 + Math.floor(random() * 10);
  let text = '';
  for (let index = 0; index < count; index++) {
    text += `${index === 0 ? '' : ' '}${words[Math.floor(random() * words.length)] ?? 'a'}`;
  }
  return text;
}

/** CRI time of a line: one line each 50 µs from a fixed instant, with nanoseconds. */
function criTime(seq: number): string {
  const micros = seq * 50;
  const second = new Date(Date.UTC(2026, 2, 5, 14) + Math.floor(micros / 1e6) * 1000);
  const fraction = String((micros % 1e6) * 1000 + 137).padStart(9, '0');
  return `${second.toISOString().slice(0, 19)}.${fraction}Z`;
}

/** The lines of one record as a container runtime writes them: partial ones, then the full one. */
function criLines(time: string, stream: string, content: string): string {
  let lines = '';
  let at = 0;
  for (; content.length - at > partialBytes; at += partialBytes) {
    lines += `${time} ${stream} P ${content.slice(at, at + partialBytes)}\n`;
  }
  return `${lines}${time} ${stream} F ${content.slice(at)}\n`;
}

/** Where container `index` logs to, as the kubelet names it. */
export function containerPaths(folder: string, index: number): { link: string; target: string } {
  const pod = `orders-${index}-7c9d5f6b8-x2k4q`;
  const id = createHash('sha256').update(`container ${index}`).digest('hex');
  const uid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  return {
    link: path.join(folder, 'containers', `${pod}_shop_api-${id}.log`),
    target: path.join(folder, 'pods', `shop_${pod}_${uid}`, 'api', '0.log'),
  };
}

/** Creates the empty log file and its link; returns the file's path. */
export function createContainer(folder: string, index: number): string {
  const { link, target } = containerPaths(folder, index);
  mkdirSync(path.dirname(target), { recursive: true });
  mkdirSync(path.dirname(link), { recursive: true });
  closeSync(openSync(target, 'a'));
  symlinkSync(target, link);
  return target;
}

/** Writes a corpus into an empty folder. Line `seq` goes to file `seq % fileCount`. */
export function writeCorpus(options: CorpusOptions): Corpus {
  const { folder, kind, lineCount, fileCount, seed } = options;
  const random = randomNumbers(seed);
  const { content = (seq) => lineContent(kind, seq, random) } = options;
  mkdirSync(path.join(folder, 'containers'), { recursive: true });
  const files = Array.from({ length: fileCount }, (_, index) => createContainer(folder, index));
  const open = files.map((file) => ({ fd: openSync(file, 'a'), pending: '' }));
  let bytes = 0;
  const flush = (target: { fd: number; pending: string }) => {
    bytes += writeSync(target.fd, target.pending);
    target.pending = '';
  };
  for (let seq = 0; seq < lineCount; seq++) {
    const target = open[seq % fileCount];
    if (target === undefined) break;
    const stream = seq % 20 === 0 ? 'stderr' : 'stdout';
    target.pending += criLines(criTime(seq), stream, content(seq));
    if (target.pending.length > 256 * 1024) flush(target);
  }
  for (const target of open) {
    flush(target);
    closeSync(target.fd);
  }
  return {
    kind,
    containersDir: path.join(folder, 'containers'),
    logRoot: path.join(folder, 'pods'),
    files,
    lineCount,
    bytes,
  };
}
