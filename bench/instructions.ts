// The guard against a kernel that became dearer: WebAssembly instructions a line on a fixed corpus,
// compared with the committed figures. The count is exact, on every machine and under any load; it
// says nothing of what the engine makes of them, which the catch-up does.

import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createEncoder, drainTask } from '../src/encode/encoder.ts';
import type { Source } from '../src/encode/drain-task.ts';
import { createSharedMemory } from '../src/encode/shared-memory.ts';
import { type CorpusKind, writeCorpus } from './corpus.ts';
import { makeSource } from './drain-source.ts';
import { digits, markdownTable } from './statistics.ts';
import { countInstructions } from './wasm-count.ts';
import { makeWorkspace } from './workspace.ts';

const figuresFile = new URL('kernel-instructions.json', import.meta.url);
const kinds = ['text', 'json', 'mixed'] as const satisfies readonly CorpusKind[];
const corpusLines = 5_000;
const toleratedShare = 0.03;
/** Below the first encoder's memory, which nothing else uses (shared-memory.ts). */
const counterAddress = 1024;
const layout = { encoderCount: 1, slotCount: 1 };

/** Instructions a line; lines that the kernel hands back count with what it did for them. */
type Figures = Readonly<Record<(typeof kinds)[number], number>>;

/** An encoder whose kernel counts. */
function createCountingEncoder(memory: WebAssembly.Memory) {
  const { Module } = WebAssembly;
  class CountingModule extends Module {
    constructor(bytes: Uint8Array) {
      super(countInstructions(bytes, counterAddress));
    }
  }
  // The kernel reads its own file, so its module is caught where it is compiled.
  Reflect.set(WebAssembly, 'Module', CountingModule);
  try {
    return createEncoder(memory, 0);
  } finally {
    Reflect.set(WebAssembly, 'Module', Module);
  }
}

function openSource(file: string): { fd: number; source: Source } {
  const fd = openSync(file, 'r');
  const labels = { namespace_name: 'shop', pod_name: 'orders-0', container_name: 'api' };
  const source = makeSource(
    { fd, start: 0, end: statSync(file).size },
    {
      resource: `"resource":${JSON.stringify({ type: 'k8s_container', labels })},`,
      logName: {
        stdout: '"logName":"projects/bench/logs/stdout",',
        stderr: '"logName":"projects/bench/logs/stderr",',
      },
      labels: '"k8s-pod/app":"orders"',
    },
  );
  return { fd, source };
}

function countKind(kind: CorpusKind): number {
  const workspace = makeWorkspace(corpusLines * 1000);
  try {
    const folder = workspace.makeLogs(kind);
    const corpus = writeCorpus({ folder, kind, lineCount: corpusLines, fileCount: 1, seed: 1 });
    const memory = createSharedMemory(layout);
    const encoder = createCountingEncoder(memory);
    const counter = new BigInt64Array(memory.buffer, counterAddress, 1);
    const { fd, source } = openSource(corpus.files[0] ?? '');
    const head = Buffer.from('{"entries":[');
    const readAtMs = Date.now();
    const task = { slot: 0, head, sources: [source], traceParent: undefined, readAtMs };
    const { entries } = drainTask(encoder, layout, task);
    closeSync(fd);
    if (entries === 0) throw new Error('the kernel made no entries');
    return Number(counter[0] ?? 0n) / entries;
  } finally {
    workspace.remove();
  }
}

function readFigures(): Partial<Figures> {
  return JSON.parse(readFileSync(figuresFile, 'utf8')) as Partial<Figures>;
}

/**
 * Prints the table; false when a figure is more than 3 % off the committed one, either way: a
 * kernel that became cheaper must be committed as such, or the guard would let it slip back.
 */
export function checkInstructions(options: { readonly write: boolean }): boolean {
  const counted = kinds.map((kind) => [kind, Math.round(countKind(kind) * 10) / 10] as const);
  if (options.write) {
    writeFileSync(figuresFile, `${JSON.stringify(Object.fromEntries(counted), null, 2)}\n`);
  }
  const committed = readFigures();
  const changes = counted.map(([kind, now]) => now / (committed[kind] ?? Number.NaN) - 1);
  const rows = counted.map(([kind, now], index) => [
    kind,
    digits(now, 1),
    digits(committed[kind], 1),
    `${digits((changes[index] ?? 0) * 100, 2)} %`,
  ]);
  const head = ['corpus', 'instructions of the kernel a line', 'committed', 'change'];
  console.log(markdownTable([head, ...rows]));
  const isKept = changes.every((change) => Math.abs(change) <= toleratedShare);
  const advice = 'npm run bench -- instructions --write';
  console.log(isKept ? 'kept within 3 %' : `NOT within 3 %: if that is meant, \`${advice}\``);
  return isKept;
}
