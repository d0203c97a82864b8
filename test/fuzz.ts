// Looks for logs that the kernel and the reference encode differently, for as long as it may. Run
// by `npm run fuzz -- --seconds N --seed S`. A difference is made small and kept in
// test/encode/fuzz-cases, where kernel.test.ts repeats it from then on.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { createProgress } from '../src/progress.ts';
import { drainBoth } from './encode/drain-bench.ts';
import { generateLog, seededRandom } from './encode/line-generator.ts';

const casesFolder = path.join(import.meta.dirname, 'encode/fuzz-cases');
const linesPerLog = 60;

function differs(content: Buffer): boolean {
  const { fast, slow, severities } = drainBoth(content);
  if (String(severities.fast) !== String(severities.slow)) return true;
  return fast.length !== slow.length || fast.some((entry, index) => entry !== slow[index]);
}

/**
 * Leaves out pieces, half of them at first and one at the end, for as long as the difference stays.
 */
function shrink(pieces: readonly Buffer[]): Buffer[] {
  let kept = [...pieces];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (differs(Buffer.concat(without))) kept = without;
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

function report(content: Buffer, seed: number): void {
  const lines = Buffer.concat(shrink(splitAfterNewlines(content)));
  const small = Buffer.concat(shrink(Array.from(lines, (byte) => Buffer.of(byte))));
  mkdirSync(casesFolder, { recursive: true });
  const file = path.join(casesFolder, `seed-${seed}.log`);
  writeFileSync(file, small);
  const { fast, slow } = drainBoth(small);
  console.log(
    `Seed ${seed} differs; kept in ${file}:\n${JSON.stringify(small.toString('latin1'))}`,
  );
  console.log(`kernel    ${fast.join('\n          ')}\nreference ${slow.join('\n          ')}`);
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
    const { bytes } = generateLog(seededRandom(seed), linesPerLog);
    if (!differs(bytes)) continue;
    progress.end();
    report(bytes, seed);
    return false;
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
});
process.exitCode = fuzz({ seconds: Number(values.seconds), seed: Number(values.seed) }) ? 0 : 1;
