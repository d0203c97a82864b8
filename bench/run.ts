// `npm run bench`: the entry of every benchmark.
//
//   npm run bench -- [catch-up] [--lines N] [--files N] [--rounds N] [--kinds text,json]
//                    [--only tailship,curl] [--gate text:tailship:curl:5] [--record-dir DIR] [--seed N]
//   npm run bench -- live [--rate N] [--files N] [--seconds N] [--only tailship]
//   npm run bench -- idle [--files N] [--seconds N] [--only tailship]
//
// `--gate kind:a:b:n` fails the run when, on that corpus, peer a costs more than n times the CPU of
// peer b a line.

import path from 'node:path';
import { parseArgs } from 'node:util';
import { type CatchUpRow, runCatchUp, tabulateCatchUp } from './catch-up.ts';
import type { CorpusKind } from './corpus.ts';
import { runIdle, runLive } from './live.ts';
import { pickPeers } from './peers/peers.ts';
import { describeMachine, writeRecord } from './record.ts';
import { measureSinkCapacity } from './sink-capacity.ts';
import { type Sink, startSink } from './sink-client.ts';
import { digits } from './statistics.ts';
import { makeWorkspace, type Workspace } from './workspace.ts';

const { values: option, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: 'string', default: '500000' },
    files: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    kinds: { type: 'string', default: 'text,json' },
    only: { type: 'string' },
    gate: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '30' },
    'record-dir': { type: 'string', default: path.join(import.meta.dirname, 'record') },
  },
});

type Place = { readonly sink: Sink; readonly workspace: Workspace };
/** Roughly what one line takes on disk, to choose where the logs stand. */
const lineBytes = 300;
const timeoutMs = 300_000;

function readCount(text: string | undefined, fallback: number): number {
  const count = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${text} is not a count`);
  return count;
}

function readKinds(): CorpusKind[] {
  return option.kinds.split(',').map((kind) => {
    if (kind !== 'text' && kind !== 'json') throw new Error(`no corpus is called ${kind}`);
    return kind;
  });
}

/** What a `--gate` finds wrong: a sentence, or nothing. */
function judgeGate(gate: string, rows: readonly CatchUpRow[]): string[] {
  const [kind = '', own = '', other = '', most = ''] = gate.split(':');
  const costOf = (peer: string) =>
    rows.find((row) => row.kind === kind && row.peer === peer)?.cpuMicrosPerLine ?? Number.NaN;
  const ratio = costOf(own) / costOf(other);
  // Written so that a peer that did not run, which is NaN, breaks the gate.
  const isKept = ratio <= Number(most);
  const sentence = `gate ${gate}: ${digits(ratio, 2)} times`;
  console.log(`${sentence}, ${isKept ? 'kept' : 'BROKEN'}`);
  return isKept ? [] : [sentence];
}

async function catchUp(place: Place): Promise<string[]> {
  const machine = describeMachine();
  const options = {
    lineCount: readCount(option.lines, 0),
    fileCount: readCount(option.files, 20),
    rounds: readCount(option.rounds, 0),
    kinds: readKinds(),
    seed: Number(option.seed),
    timeoutMs,
  };
  const peers = pickPeers(option.only?.split(','));
  const { rows, corpora } = await runCatchUp(peers, options, place, console.log);
  const [corpus] = corpora;
  const table = tabulateCatchUp(rows);
  console.log(`\n${table}\n`);
  const paragraphs = [table];
  let capacity;
  if (corpus !== undefined) {
    capacity = await measureSinkCapacity(place.sink, corpus);
    const agents = rows.filter((row) => row.peer !== 'curl');
    const fastest = Math.max(0, ...agents.map((row) => row.lines / row.wallSeconds));
    const sentence =
      `The sink takes ${digits(capacity.linesPerSecond / 1e6, 2)} million lines/s ` +
      `(${digits(capacity.bytesPerSecond / 1e6, 0)} MB/s) from autocannon; the fastest agent ` +
      `sent ${digits(fastest / 1e6, 2)} million, start-up included.`;
    console.log(sentence);
    paragraphs.push(sentence);
  }
  paragraphs.push(
    `Medians of ${options.rounds} interleaved rounds over ${options.fileCount} files. CPU is user ` +
      'and system of all processes of the peer. CPU µs/line is without start-up (the same peer on ' +
      'files of 100 lines); every run delivered every line exactly once.',
    peers.map((peer) => `- ${peer.name}: ${peer.title}`).join('\n'),
  );
  const bytes = corpora.map(({ kind, bytes: size, lineCount }) => ({ kind, size, lineCount }));
  const figures = { options, corpora: bytes, rows, capacity };
  const report = { scenario: 'catch-up', machine, paragraphs, figures };
  console.log(`written: ${writeRecord(option['record-dir'], report)}`);
  return option.gate.flatMap((gate) => judgeGate(gate, rows));
}

async function steady(place: Place, scenario: 'live' | 'idle'): Promise<string[]> {
  const machine = describeMachine();
  const peers = pickPeers(option.only?.split(',')).filter((peer) => peer.canFollow);
  const seconds = readCount(option.seconds, 0);
  const live = { rate: readCount(option.rate, 0), fileCount: readCount(option.files, 50), seconds };
  const idle = { fileCount: readCount(option.files, 2_000), seconds };
  const { table, figures } =
    scenario === 'live' ? await runLive(peers, live, place) : await runIdle(peers, idle, place);
  console.log(`\n${table}\n`);
  const report = { scenario, machine, paragraphs: [table], figures };
  console.log(`written: ${writeRecord(option['record-dir'], report)}`);
  return [];
}

async function main(): Promise<number> {
  const [scenario = 'catch-up'] = positionals;
  const logBytes = scenario === 'catch-up' ? Number(option.lines) * lineBytes * 2 : 2 ** 30;
  const place = { sink: await startSink(), workspace: makeWorkspace(logBytes) };
  try {
    let broken: string[];
    if (scenario === 'catch-up') broken = await catchUp(place);
    else if (scenario === 'live' || scenario === 'idle') broken = await steady(place, scenario);
    else throw new Error(`no scenario is called ${scenario}`);
    for (const sentence of broken) console.error(`FAILED ${sentence}`);
    return broken.length > 0 ? 1 : 0;
  } finally {
    await place.sink.stop();
    place.workspace.remove();
  }
}

process.exitCode = await main();
