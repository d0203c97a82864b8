// `npm run bench`: the entry of every benchmark. The text of `--help` is below.

import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificates } from './certificates.ts';
import { corpusKinds } from './corpus.ts';
import { judgeGates } from './gates.ts';
import { runHostile } from './hostile.ts';
import { checkInstructions } from './instructions.ts';
import { listTree } from './measure.ts';
import { type FoundPeer, pickPeers } from './peers/peers.ts';
import { writeFigures } from './performance-page.ts';
import { describeMachine, writeRecord } from './record.ts';
import { scenarios, type Wishes } from './scenarios.ts';
import { createRunProgress } from './run-progress.ts';
import { startSink } from './sink-client.ts';
import { makeWorkspace, type Workspace } from './workspace.ts';

const help = `npm run bench -- [scenario…|all|peers|instructions|hostile] [options]

Scenarios (catch-up if none is named; each writes a record of its own):
  catch-up   files are full at the start: text, json, mixed
  live       2,000 and 20,000 lines/s, one write a line, 50 files
  idle       50, 2,000 and 10,000 files that nobody writes to
  quiet      50, 300 and 500 containers at 1 line/s each
  many       500 containers at 20 lines/s each
  rotate     20,000 lines/s in 4 files that are rotated at 10 MiB
  tls, gzip  20,000 lines/s to an https endpoint; compressed
  admin      20,000 lines/s while nobody asks the agent, and while it is scraped and watched
  rules      300,000 lines with each action of the rules, and without
  journal    entries of a journal, beside journalctl piped into Node
  long       lines of 40 kB in partial lines of 16 KiB
Else:
  all           every scenario
  readme        puts the figures of the newest records into docs/performance.md
  peers         which agents are here, and how to get the others
  instructions  WebAssembly instructions of the kernel on a fixed corpus against the committed
                figure, within 3 %; --write commits to the new one
  hostile [NAME]  CPU per byte of the dearest inputs, relative to plain text, each with its limit

  --only A,B      these peers        --lines N     of a catch-up    --rates N,N   of a live load
  --files N,N     log files          --rounds N    of each          --kinds A,B   ${corpusKinds.join(',')}
  --seconds N     measured interval  --settle N    before it        --record-dir DIR
  --seed N        of the corpora
  --run-seconds N  a slow peer gets as many lines as it takes in this time
  --spread N      adds rounds to a pair, up to twice as many, while the middle half of its ratios is
                  wider than N % of their median
  --gate K:A:B:N  fails when peer A costs more than N times peer B a line; K is the kind of corpus,
                  or the lines/s of a live load
  The first peer, tailship, is measured against each other in turn: A B A B. A peer tailship-base is
  the same from the folder in TAILSHIP_BENCH_BASE.
  --write-readme  the same as readme, after the scenarios
`;

const { values: option, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: 'string' },
    files: { type: 'string' },
    rates: { type: 'string' },
    rounds: { type: 'string' },
    kinds: { type: 'string' },
    seconds: { type: 'string' },
    settle: { type: 'string' },
    only: { type: 'string' },
    spread: { type: 'string' },
    'run-seconds': { type: 'string' },
    gate: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    'record-dir': { type: 'string', default: path.join(import.meta.dirname, 'record') },
    'write-readme': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** Room for the log files of a scenario, to choose where they are. */
const logBytes = 2 ** 31;

function readCounts(text: string | undefined): number[] | undefined {
  return text?.split(',').map((part) => {
    const count = Number(part);
    if (!Number.isInteger(count) || count < 1) throw new Error(`${part} is not a count`);
    return count;
  });
}

function readSpread(): number | undefined {
  const percent = readCounts(option.spread)?.[0];
  return percent === undefined ? undefined : percent / 100;
}

function readWishes(): Wishes {
  const kinds = option.kinds?.split(',').map((name) => {
    const kind = corpusKinds.find((known) => known === name);
    if (kind === undefined) throw new Error(`no corpus is called ${name}`);
    return kind;
  });
  return {
    lines: readCounts(option.lines)?.[0],
    files: readCounts(option.files),
    rates: readCounts(option.rates),
    seconds: readCounts(option.seconds)?.[0],
    settle: readCounts(option.settle)?.[0],
    rounds: readCounts(option.rounds)?.[0],
    spread: readSpread(),
    gates: option.gate,
    runSeconds: readCounts(option['run-seconds'])?.[0],
    kinds,
    seed: Number(option.seed),
  };
}

function tellPeers(): void {
  const { found, missing } = pickPeers(undefined);
  for (const { name, version, title } of found) console.log(`${name} ${version}: ${title}`);
  for (const { name, title, installHint } of missing) {
    console.log(`${name} (${title}) is not here: ${installHint}`);
  }
}

let openWorkspace: Workspace | undefined;

/** A benchmark that is stopped must leave neither agents behind nor gigabytes in memory. */
function cleanUp(): void {
  for (const pid of listTree(process.pid).slice(1)) process.kill(pid, 'SIGKILL');
  openWorkspace?.remove();
  process.exit(1);
}

/** Answers the sentences of the gates that are broken. */
async function runScenario(name: string): Promise<string[]> {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new Error(`no scenario is called ${name}; see --help`);
  const machine = describeMachine();
  const { found, missing } = pickPeers(option.only?.split(','));
  for (const peer of scenario.hasOwnPeers === true ? [] : missing) {
    console.error(`${peer.name} is left out, it is not installed: ${peer.installHint}`);
  }
  const canTakePart = (peer: FoundPeer) =>
    scenario.hasOwnPeers !== true &&
    (peer.canFollow || scenario.follows !== true) &&
    (peer.canGzip || scenario.gzip !== true) &&
    (peer.isPlainOnly !== true || scenario.https !== true);
  const peers = found.filter(canTakePart);
  const workspace = makeWorkspace(logBytes);
  openWorkspace = workspace;
  const tls = scenario.https ? makeCertificates(workspace.makeState('certificates')) : undefined;
  const sink = await startSink(tls);
  const progress = createRunProgress(name);
  try {
    const gzip = scenario.gzip === true;
    const place = { sink, workspace, gzip, progress };
    const section = await scenario.run(name, peers, readWishes(), place);
    progress.end();
    console.log(`\n${section.table}\n`);
    const others = scenario.hasOwnPeers === true ? [] : missing;
    const report = { section, machine, found: peers, missing: others };
    console.log(`written: ${writeRecord(option['record-dir'], report)}`);
    const verdicts = judgeGates(option.gate, section.rated, readSpread());
    for (const { sentence } of verdicts) console.log(sentence);
    const losses = section.liveRows.flatMap((row) =>
      row.peer === 'tailship' && row.missing + row.doubled > 0
        ? `${name}: tailship at ${row.rate} lines/s missed ${row.missing}, doubled ${row.doubled}`
        : [],
    );
    const broken = verdicts.filter(({ isKept }) => !isKept).map(({ sentence }) => sentence);
    return [...losses, ...broken];
  } finally {
    progress.end();
    await sink.stop();
    workspace.remove();
  }
}

/** Answers the sentences of the limits that are exceeded; part of the inputs makes no record. */
function recordHostile(name: string): string[] {
  const machine = describeMachine();
  const { section, over } = runHostile(readWishes().rounds ?? 3, name);
  console.log(`\n${section.table}\n`);
  if (name !== '') return over;
  const report = { section, machine, found: [], missing: [] };
  console.log(`written: ${writeRecord(option['record-dir'], report)}`);
  return over;
}

/** Answers the exit code. */
function tellBroken(broken: readonly string[]): number {
  for (const sentence of broken) console.error(`FAILED ${sentence}`);
  return broken.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const [first = 'catch-up', ...others] = positionals;
  if (option.help) {
    console.log(help);
    return 0;
  }
  if (first === 'peers') {
    tellPeers();
    return 0;
  }
  if (first === 'readme') {
    writeFigures(option['record-dir']);
    return 0;
  }
  if (first === 'hostile') return tellBroken(recordHostile(others[0] ?? ''));
  if (first === 'instructions') return checkInstructions({ write: option.write }) ? 0 : 1;
  const names = first === 'all' ? Object.keys(scenarios) : [first, ...others];
  const broken: string[] = [];
  process.once('SIGINT', cleanUp).once('SIGTERM', cleanUp);
  for (const name of names) {
    try {
      broken.push(...(await runScenario(name)));
    } catch (error) {
      // The others of `all` can still say something.
      broken.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (option['write-readme']) writeFigures(option['record-dir']);
  return tellBroken(broken);
}

process.exitCode = await main();
