// How fast the kernel is, alone and as a whole drain task from file to slot. Run by hand:
// `node bench/kernel.ts [rounds]`.
//
// It asserts its answers first: every corpus must be the kernel's alone, and equal the reference's
// bytes. CPU time of the process is counted, not the clock, so that a busy machine does not change
// the numbers much; of all rounds the fastest is reported.

import assert from 'node:assert';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { limits } from '../src/config.ts';
import { createEncoder, drainTask } from '../src/encode/encoder.ts';
import type { DrainTask } from '../src/encode/drain-task.ts';
import { createSharedMemory, slotAddress } from '../src/encode/shared-memory.ts';
import { lineContent } from './corpus.ts';
import { makeSource } from './drain-source.ts';
import { randomNumbers } from '../src/emulator/random-numbers.ts';

const header = '2024-03-05T14:07:21.104582937Z stdout F ';
const layout = { encoderCount: 1, slotCount: 1 };
const chunkBytes = 128 * 1024;
const random = randomNumbers(20);

/** A line's content, cut to a length. */
type Corpus = { readonly name: string; readonly content: (seq: number) => string };

function cut(text: string, length: number): string {
  return text.repeat(Math.ceil(length / text.length)).slice(0, length);
}

/** What a Go service with zap writes. */
function zapLine(seq: number): string {
  const pick = (limit: number) => Math.floor(random() * limit);
  return JSON.stringify({
    level: seq % 9 === 0 ? 'warn' : 'info',
    ts: 1_709_647_641.104 + seq,
    caller: `server/server.go:${pick(500)}`,
    msg: cut(lineContent('text', seq, random), 60 + pick(60)),
    method: 'GET',
    path: `/v1/orders/${pick(100_000)}`,
    status: 200 + pick(3) * 100,
    duration_ms: pick(100_000) / 100,
    remote: `10.0.0.${pick(255)}`,
  });
}

const corpora: readonly Corpus[] = [
  { name: 'text, 200 bytes', content: (seq) => cut(lineContent('text', seq, random), 159) },
  { name: 'text, 300 bytes', content: (seq) => cut(lineContent('text', seq, random), 259) },
  { name: 'Cyrillic text, 200 bytes', content: () => cut('запрос принят, заказ собран ', 85) },
  { name: 'JSON of bench/corpus.ts', content: (seq) => lineContent('json', seq, random) },
  { name: 'JSON of nine members', content: zapLine },
  {
    name: 'klog, 200 bytes',
    content: (seq) =>
      cut(
        `I0305 14:07:21.103990       1 server.go:${seq}] ${lineContent('text', seq, random)}`,
        159,
      ),
  },
];

/** Nanoseconds of CPU per line, of the fastest round. */
function measure(rounds: number, lines: number, run: () => void): number {
  let best = Infinity;
  // A round is long against the ticks in which CPU time is counted.
  const repeats = Math.ceil(1_000_000 / lines);
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let repeat = 0; repeat < repeats; repeat++) run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1_000) / (repeats * lines));
  }
  return best;
}

function report(name: string, nanos: number, bytesPerLine: number): void {
  const speed = Math.round((bytesPerLine / nanos) * 1_000);
  const columns = [name.padEnd(34), `${nanos.toFixed(0).padStart(6)} ns a line`];
  console.log(`${columns.join('')}${String(speed).padStart(7)} MB/s`);
}

const memory = createSharedMemory(layout);
const encoder = createEncoder(memory, 0);
const shared = Buffer.from(memory.buffer);
const folder = mkdtempSync(path.join(os.tmpdir(), 'tailship-kernel-'));
const rounds = Number(process.argv[2] ?? 5);

function bodyOf(task: DrainTask, useKernel: boolean): Buffer {
  const one = useKernel ? encoder : { ...encoder, kernel: undefined };
  const result = drainTask(one, layout, task);
  const [source] = result.sources;
  if (useKernel) assert.equal(source?.fastLines, source?.lines, 'A line was handed back.');
  const start = slotAddress(layout, 0);
  return Buffer.from(shared.subarray(start, start + result.bodyBytes));
}

function openTask(fd: number, end: number): DrainTask {
  const sources = [makeSource({ fd, start: 0, end })];
  const head = Buffer.from('{"entries":[');
  return { slot: 0, head, sources, traceParent: 'projects/p', readAtMs: Date.now() };
}

function bench({ name, content }: Corpus): void {
  const lines: string[] = [];
  for (let bytes = 0; bytes < limits.batchBytesSoftMax / 2; bytes += lines.at(-1)!.length) {
    lines.push(`${header}${content(lines.length)}\n`);
  }
  const log = Buffer.from(lines.join(''));
  const file = path.join(folder, 'bench.log');
  writeFileSync(file, log);
  const fd = openSync(file, 'r');
  const task = openTask(fd, log.length);
  assert(bodyOf(task, true).equals(bodyOf(task, false)), `The kernel differs: ${name}.`);

  const { kernel, window } = encoder;
  assert(kernel !== undefined);
  const chunk = log.subarray(0, log.lastIndexOf('\n', chunkBytes) + 1);
  const chunkLines = chunk.toString('latin1').split('\n').length - 1;
  shared.set(chunk, window);
  const call = { position: window, end: window + chunk.length, offset: 0, heldStreams: 0 };
  const out = slotAddress(layout, 0);
  const softEnd = out + limits.batchBytesSoftMax;
  const alone = measure(rounds, chunkLines, () => kernel.encodeLines({ ...call, out, softEnd }));
  assert.equal(kernel.result.lines, chunkLines);
  report(`${name}: kernel`, alone, log.length / lines.length);
  const whole = measure(rounds, lines.length, () => drainTask(encoder, layout, task));
  report(`${name}: file to slot`, whole, log.length / lines.length);
  closeSync(fd);
}

try {
  for (const corpus of corpora) bench(corpus);
} finally {
  rmSync(folder, { recursive: true });
}
