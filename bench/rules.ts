// What rules cost: the same files are shipped with a rule and without it in turn, and the CPU time
// of the whole process is divided by the lines that were read, shipped or dropped.
//
// The invariant: what a rule leaves over arrives, each line once; otherwise there is no figure.

import path from 'node:path';
import { microsPerLine, type CatchUpRound } from './catch-up.ts';
import { type Corpus, writeCorpus } from './corpus.ts';
import { type Measured, measurePairs, type PairOptions } from './pairs.ts';
import { type Place, runPeer } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import {
  healthCheckShare,
  ruleCases,
  ruleLines,
  type RuleCase,
  type RuleLineKind,
} from './rule-cases.ts';
import { digits, digitsOf, markdownTable, median, type Spread } from './statistics.ts';

export type RuleCostOptions = PairOptions & {
  readonly lineCount: number;
  readonly fileCount: number;
  readonly seed: number;
  readonly timeoutMs: number;
};

/** Medians over the rounds, without start-up. */
export type RuleCostRow = {
  readonly name: string;
  readonly lines: RuleLineKind;
  readonly bytesPerLine: number;
  readonly microsWithout: number;
  readonly microsWith: number;
  /** With over without, within a round. */
  readonly ratio: Spread;
};

/** Lines in each file of the short run, which is start-up. */
const startLinesPerFile = 100;

/** `peer` with a rule; its name is that of the rule in the ratios. */
function withRule(peer: FoundPeer, { name, rule }: RuleCase): FoundPeer {
  const file = 'rules.yaml';
  return {
    ...peer,
    name,
    configFiles: () => [{ name: file, text: `rules:\n  - ${rule}\n` }],
    command(task) {
      const command = peer.command(task);
      return { ...command, args: [...command.args, '--rules', path.join(task.stateDir, file)] };
    },
  };
}

/** What of a corpus arrives. */
function countArriving(lines: RuleLineKind, lineCount: number, isDropping: boolean): number {
  if (lines !== 'health checks' || !isDropping) return lineCount;
  return Math.ceil(lineCount / healthCheckShare);
}

type Corpora = { readonly start: Corpus; readonly full: Corpus };

/** Writes the corpora of a kind once. */
function makeCorpora({ lineCount, fileCount, seed }: RuleCostOptions, { workspace }: Place) {
  const written = new Map<RuleLineKind, Corpora>();
  const write = (lines: RuleLineKind, count: number): Corpus => {
    const folder = workspace.makeLogs(`${lines}-${count}`.replaceAll(' ', '-'));
    const content = ruleLines(lines, seed);
    return writeCorpus({ folder, kind: 'text', lineCount: count, fileCount, seed, content });
  };
  return (lines: RuleLineKind): Corpora => {
    const present = written.get(lines);
    if (present !== undefined) return present;
    const start = write(lines, startLinesPerFile * fileCount);
    const made = { start, full: write(lines, lineCount) };
    written.set(lines, made);
    return made;
  };
}

type Pair = {
  readonly peers: readonly [FoundPeer, FoundPeer];
  readonly lines: RuleLineKind;
  /** Whether the second peer drops health checks. */
  readonly isDropping: boolean;
};

async function measurePair(
  { peers, lines, isDropping }: Pair,
  { start, full }: Corpora,
  options: RuleCostOptions,
  place: Place,
): Promise<readonly [Measured<CatchUpRound>, Measured<CatchUpRound>]> {
  const run = async (peer: FoundPeer, corpus: Corpus) => {
    const { lineCount } = corpus;
    const arriving = countArriving(lines, lineCount, isDropping && peer === peers[1]);
    const { cost, stats } = await runPeer(peer, corpus, place, options.timeoutMs, arriving);
    place.progress.ran();
    return { lines: lineCount, cost, stats };
  };
  const measured = await measurePairs(peers, options, {
    place: lines,
    run: async (peer) => ({ start: await run(peer, start), full: await run(peer, full) }),
    costsOf: microsPerLine,
  });
  const [first, second] = peers.map((peer) => measured.get(peer));
  if (first === undefined || second === undefined) throw new Error('a pair has two peers');
  return [first, second];
}

/** Measures every case against no rule, and no rule against another checkout if there is one. */
export async function runRuleCosts(
  peer: FoundPeer,
  base: FoundPeer | undefined,
  options: RuleCostOptions,
  place: Place,
): Promise<RuleCostRow[]> {
  const corporaOf = makeCorpora(options, place);
  const pairs = ruleCases.map((each): Pair & { readonly name: string } => ({
    name: each.name,
    peers: [peer, withRule(peer, each)],
    lines: each.lines,
    isDropping: each.rule.includes('drop:'),
  }));
  if (base !== undefined) {
    const name = `no rule; beside it ${base.name} ${base.version}, without one`;
    pairs.unshift({ name, peers: [base, peer], lines: 'text', isDropping: false });
  }
  place.progress.plan(pairs.length * options.rounds * 4);
  const rows: RuleCostRow[] = [];
  for (const pair of pairs) {
    const { name, lines, peers } = pair;
    const corpora = corporaOf(lines);
    const [without, withIt] = await measurePair(pair, corpora, options, place);
    const ratio = withIt.ratios[peers[0].name];
    if (ratio === undefined) throw new Error('a pair has a ratio');
    rows.push({
      name,
      lines,
      bytesPerLine: corpora.full.bytes / corpora.full.lineCount,
      microsWithout: median(microsPerLine(without.runs)),
      microsWith: median(microsPerLine(withIt.runs)),
      ratio,
    });
    place.progress.say(rowText(rows.at(-1)).join('  '));
  }
  return rows;
}

function rowText(row: RuleCostRow | undefined): string[] {
  if (row === undefined) return [];
  return [
    row.name,
    row.lines,
    digits(row.bytesPerLine, 0),
    digits(row.microsWith, 2),
    digits(row.microsWithout, 2),
    digitsOf(row.ratio, 2),
  ];
}

/** The table of the report and of docs/rules.md. */
export function tabulateRuleCosts(rows: readonly RuleCostRow[]): string {
  const head = ['', 'lines', 'bytes/line', 'CPU µs/line', 'without a rule', 'ratio'];
  return markdownTable([head, ...rows.map(rowText)]);
}
