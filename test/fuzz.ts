// Looks for logs that the kernel and the reference encode differently, or the drain and its model,
// for a given time: `npm run fuzz -- --seconds N --seed S`. A difference is shrunk and kept in
// test/encode/fuzz-cases, which kernel.test.ts repeats. A tenth of the time goes to mutated
// journals.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { createProgress } from '../src/progress.ts';
import {
  drainBoth,
  drainFile,
  fallbackTime,
  idPrefix,
  plainContext,
} from './encode/drain-bench.ts';
import { modelDrain } from './encode/drain-model.ts';
import type { ModelFormat } from './encode/drain-model.ts';
import { generateInterleaved } from './encode/interleaved-generator.ts';
import {
  generateDockerLog,
  generateLog,
  type Random,
  seededRandom,
} from './encode/line-generator.ts';
import { tryRandomRules } from './rules/random-rules.ts';
import { fuzzJournals } from './journal/journal-fuzz.ts';

const casesFolder = path.join(import.meta.dirname, 'encode/fuzz-cases');
const linesPerLog = 60;
/** Of the time. */
const journalShare = 0.1;
/** Of the time, for the rules. */
const rulesShare = 0.15;

/** One log that is drained, and how. */
type Case = { readonly seed: number; readonly format: ModelFormat; readonly readBytes: number };

/** Entries of the drain, and of what they must equal: the reference, and the model. */
function drainAll(content: Buffer, { format, readBytes }: Case): Record<string, readonly string[]> {
  const file = { content, idPrefix, fallbackTime };
  const model = modelDrain([file], plainContext, format);
  const expected = [...model.entries, `holes: ${model.holeBytes}`];
  const { entries, holeBytes } = drainFile(content, { format, readBytes });
  const drained = [...entries, `holes: ${holeBytes}`];
  if (format === 'docker') return { drained, model: expected };
  const both = [false, true].map((joinStackTraces) =>
    drainBoth(content, { readBytes, joinStackTraces }),
  );
  return {
    drained,
    model: expected,
    fast: both.flatMap(({ fast, severities, answers }) => [
      ...fast,
      String(severities.fast),
      JSON.stringify(answers.fast),
    ]),
    slow: both.flatMap(({ slow, severities, answers }) => [
      ...slow,
      String(severities.slow),
      JSON.stringify(answers.slow),
    ]),
  };
}

function areEqual(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((entry, index) => entry === other[index]);
}

function differs(content: Buffer, how: Case): boolean {
  const { drained, model, fast = [], slow = [] } = drainAll(content, how);
  return !areEqual(drained!, model!) || !areEqual(fast, slow);
}

/**
 * Leaves out pieces, half of them at first and one at the end, for as long as the difference stays.
 */
function shrink(pieces: readonly Buffer[], how: Case): Buffer[] {
  let kept = [...pieces];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (differs(Buffer.concat(without), how)) kept = without;
      else at += size;
    }
  }
  return kept;
}

function splitAfterNewlines(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < content.length;) {
    const newline = content.indexOf(0x0a, start);
    const end = newline === -1 ? content.length : newline + 1;
    lines.push(content.subarray(start, end));
    start = end;
  }
  return lines;
}

function report(content: Buffer, how: Case): void {
  const { seed, format } = how;
  const lines = Buffer.concat(shrink(splitAfterNewlines(content), how));
  const bytes = Array.from(lines, (byte) => Buffer.of(byte));
  const small = bytes.length > 10_000 ? lines : Buffer.concat(shrink(bytes, how));
  mkdirSync(casesFolder, { recursive: true });
  const file = path.join(casesFolder, `seed-${seed}.${format === 'cri' ? 'log' : format}`);
  writeFileSync(file, small);
  console.log(
    `Seed ${seed} differs; kept in ${file}:\n${JSON.stringify(small.toString('latin1'))}`,
  );
  for (const [name, entries] of Object.entries(drainAll(small, how))) {
    console.log(`${name.padEnd(8)} ${entries.join('\n         ')}`);
  }
}

function generate(random: Random, format: ModelFormat): Buffer {
  if (format === 'docker') return generateDockerLog(random, linesPerLog);
  if (random.oneIn(3)) return generateInterleaved(random, linesPerLog);
  return generateLog(random, linesPerLog).bytes;
}

function fuzz(options: { seconds: number; seed: number }): boolean {
  const start = performance.now();
  const isTerminal = process.stderr.isTTY;
  const progress = createProgress({
    name: 'fuzzing, lines',
    unit: 'count',
    rate: 'whole',
    writeLine: (line) => console.error(line),
    writeTerminal: isTerminal ? (text) => void process.stderr.write(text) : undefined,
  });
  let runs = 0;
  for (;;) {
    const elapsedMs = performance.now() - start;
    const lines = runs * linesPerLog;
    // How many there will be follows from the time: that is what is given.
    const leftShare = Math.max(0, (options.seconds * 1_000) / elapsedMs - 1);
    progress.update(lines, Math.round(lines * leftShare));
    if (elapsedMs > options.seconds * 1_000) {
      progress.end();
      const perSecond = Math.round((runs * linesPerLog) / (elapsedMs / 1_000));
      console.log(
        `No difference in ${runs} logs from seed ${options.seed} on, ${perSecond} lines/s.`,
      );
      return true;
    }
    const seed = options.seed + runs++;
    const random = seededRandom(seed);
    const format = random.oneIn(5) ? 'docker' : 'cri';
    const bytes = generate(random, format);
    const how = { seed, format, readBytes: random.pick([500, 4_096, 128 * 1024]) } as const;
    if (!differs(bytes, how)) continue;
    progress.end();
    report(bytes, how);
    return false;
  }
}

/** Random rules on random logs; throws with the seed of one that is wrong. */
function fuzzRules(options: { seconds: number; seed: number }): string {
  const endMs = performance.now() + options.seconds * 1_000;
  let runs = 0;
  for (; performance.now() < endMs; runs++) {
    try {
      tryRandomRules(seededRandom(options.seed + runs));
    } catch (error) {
      throw new Error(`rules: seed ${options.seed + runs}`, { cause: error });
    }
  }
  return `Nothing wrong in ${runs} logs under random rules from seed ${options.seed} on.`;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
console.log(fuzzJournals({ seconds: seconds * journalShare, seed }));
console.log(fuzzRules({ seconds: seconds * rulesShare, seed }));
process.exitCode = fuzz({ seconds: seconds * (1 - journalShare - rulesShare), seed }) ? 0 : 1;
