// The scenarios by name: what each runs if nothing else is said, and how it is reported.

import { costOfLooking, runAdmin, tabulateAdmin } from './admin.ts';
import { type CatchUpRow, runCatchUp, tabulateCatchUp } from './catch-up.ts';
import { drawBars, drawCurves } from './chart.ts';
import type { CorpusKind } from './corpus.ts';
import { runIdle, tabulateIdle } from './idle.ts';
import { runJournal, tabulateJournal } from './journal.ts';
import { type LiveRow, runLive, tabulateLive } from './live.ts';
import type { Rated } from './gates.ts';
import type { Place } from './peer-run.ts';
import type { FoundPeer } from './peers/peers.ts';
import type { Chart, Section } from './record.ts';
import { healthCheckShare } from './rule-cases.ts';
import { runRuleCosts, tabulateRuleCosts } from './rules.ts';
import { measureSinkCapacity } from './sink-capacity.ts';
import { digits } from './statistics.ts';

/** What the command line changes; undefined is the scenario's own. */
export type Wishes = {
  readonly lines: number | undefined;
  readonly files: readonly number[] | undefined;
  readonly rates: readonly number[] | undefined;
  readonly seconds: number | undefined;
  readonly settle: number | undefined;
  readonly rounds: number | undefined;
  /** Part of the median; pairs that spread wider are repeated. */
  readonly spread: number | undefined;
  readonly gates: readonly string[];
  readonly runSeconds: number | undefined;
  readonly kinds: readonly CorpusKind[] | undefined;
  readonly seed: number;
};

/** A scenario's rows too, for the gates. */
type Outcome = Section & {
  readonly rated: readonly Rated[];
  readonly liveRows: readonly LiveRow[];
};

type Scenario = {
  readonly https?: true;
  readonly gzip?: true;
  /** Whether only peers that follow files take part. */
  readonly follows?: true;
  /** None of the usual peers takes part. */
  readonly hasOwnPeers?: true;
  readonly run: (
    name: string,
    peers: readonly FoundPeer[],
    wishes: Wishes,
    place: Place,
  ) => Promise<Outcome>;
};

const inPairs =
  'the first peer and each other in turn; ratios are taken within a round, with their quartiles';
const catchUpTimeoutMs = 300_000;
const rotateBytes = 10 * 1024 * 1024;
/**
 * Before a steady load is measured. An agent runs for weeks; in its first half minute V8 compiles
 * what is hot, and tailship costs twice as much at 2,000 lines/s as after it.
 */
const settleSeconds = 30;
/** After many files were opened: each link is read once more, 256 a second. */
const idleSettleSeconds = 60;

function barsOf(rows: readonly CatchUpRow[]): Chart[] {
  return [...new Set(rows.map((row) => row.kind))].map((kind) => {
    const own = rows.filter((row) => row.kind === kind);
    const bars = own.map(({ peer, cpuMicrosPerLine: value }) => {
      return { label: peer, value, isOurs: peer === 'tailship' };
    });
    const size = digits(own[0]?.bytesPerLine, 0);
    const title = `CPU of one line, ${kind} of ${size} bytes, catch-up`;
    return { name: kind, title, svg: drawBars(title, 'µs, user and system', bars) };
  });
}

type CatchUpPreset = { readonly lines: number; readonly kinds: readonly CorpusKind[] };

function catchUp(preset: CatchUpPreset): Scenario {
  return {
    async run(scenario, peers, wishes, place) {
      const options = {
        lineCount: wishes.lines ?? preset.lines,
        fileCount: wishes.files?.[0] ?? 20,
        rounds: wishes.rounds ?? 5,
        spreadMax: wishes.spread,
        gates: wishes.gates,
        runSeconds: wishes.runSeconds ?? 60,
        kinds: wishes.kinds ?? preset.kinds,
        seed: wishes.seed,
        timeoutMs: catchUpTimeoutMs,
      };
      const rows = await runCatchUp(peers, options, place);
      const capacity = await measureSinkCapacity(place);
      const agents = rows.filter((row) => row.peer !== 'curl');
      const fastest = Math.max(0, ...agents.map((row) => row.lines / row.wallSeconds));
      const about =
        `Medians of ${options.rounds} rounds over ${options.fileCount} files, ${inPairs}; every run ` +
        'delivered every line exactly once. CPU is user and system of all processes of the peer; ' +
        'µs/line is without start-up, which is the median of the same peer on short files. A peer ' +
        `that would take longer than ${options.runSeconds} s gets fewer lines. The sink takes ${digits(capacity.bytesPerSecond / 1e6, 0)} MB/s from autocannon; ` +
        `the fastest agent sent ${digits(fastest / 1e6, 2)} million lines/s, start-up included.`;
      return {
        scenario,
        about,
        table: tabulateCatchUp(rows),
        charts: barsOf(rows),
        figures: { options, rows, capacity },
        rated: rows.map((row) => ({ ...row, place: row.kind })),
        liveRows: [],
      };
    },
  };
}

function curvesOf(rows: readonly LiveRow[]): Chart[] {
  const rates = [...new Set(rows.map((row) => row.rate))];
  if (rates.length < 2) {
    const bars = rows.map(({ peer, cpuPercentOfCore: value }) => {
      return { label: peer, value, isOurs: peer === 'tailship' };
    });
    const title = `CPU at ${rates[0]?.toLocaleString('en')} lines/s`;
    return [{ name: 'cpu', title, svg: drawBars(title, '% of a core', bars) }];
  }
  const curves = [...new Set(rows.map((row) => row.peer))].map((peer) => {
    const own = rows.filter((row) => row.peer === peer).toSorted((a, b) => a.rate - b.rate);
    const points = own.map((row) => ({ x: row.rate, y: row.cpuPercentOfCore / 100 }));
    return { label: peer, isOurs: peer === 'tailship', points };
  });
  const title = 'What a steady load of log lines costs';
  return [{ name: 'cores', title, svg: drawCurves(title, curves) }];
}

type LivePreset = {
  readonly rates: readonly number[];
  /** Undefined: as many as there are lines a second. */
  readonly files?: number;
  readonly rotateBytes?: number;
  readonly https?: true;
  readonly gzip?: true;
};

function live(preset: LivePreset): Scenario {
  const { rates, files, https, gzip } = preset;
  return {
    ...(https && { https }),
    ...(gzip && { gzip }),
    follows: true,
    async run(scenario, peers, wishes, place) {
      const options = {
        loads: (wishes.rates ?? rates).map((rate) => {
          return { rate, fileCount: wishes.files?.[0] ?? files ?? rate };
        }),
        settleSeconds: wishes.settle ?? settleSeconds,
        seconds: wishes.seconds ?? 20,
        rounds: wishes.rounds ?? 1,
        spreadMax: wishes.spread,
        gates: wishes.gates,
        rotateBytes: preset.rotateBytes,
      };
      const rows = await runLive(peers, options, place);
      const about =
        `One write a line in turn over the files, ${options.seconds} s after ` +
        `${options.settleSeconds} s of it, ${options.rounds} round(s), ${inPairs}${https ? ', over TLS' : ''}${gzip ? ', gzip' : ''}` +
        `${preset.rotateBytes === undefined ? '' : ', files rotated at 10 MiB'}. Wake-ups are ` +
        'voluntary context switches; p50 and p99 are from write to arrival; missing is what had ' +
        'not arrived 15 s after the last write.';
      return {
        scenario,
        about,
        table: tabulateLive(rows),
        charts: curvesOf(rows),
        figures: { options, rows },
        rated: rows.map((row) => ({ ...row, place: String(row.rate) })),
        liveRows: rows,
      };
    },
  };
}

const idle: Scenario = {
  follows: true,
  async run(scenario, peers, wishes, place) {
    const fileCounts = wishes.files ?? [50, 2_000, 10_000];
    const settle = wishes.settle ?? idleSettleSeconds;
    const options = { fileCounts, settleSeconds: settle, seconds: wishes.seconds ?? 30 };
    const rows = await runIdle(peers, options, place);
    const about =
      `Files of one line each that get no more, ${options.seconds} s, begun ${settle} s after the ` +
      'last line arrived. Wake-ups are voluntary context switches.';
    const figures = { options, rows };
    const table = tabulateIdle(rows);
    return { scenario, about, table, charts: [], figures, rated: [], liveRows: [] };
  },
};

const admin: Scenario = {
  follows: true,
  async run(scenario, peers, wishes, place) {
    const options = {
      rate: wishes.rates?.[0] ?? 20_000,
      fileCount: wishes.files?.[0] ?? 50,
      seconds: wishes.seconds ?? 12,
      rounds: wishes.rounds ?? 5,
    };
    const peer = peers.find(({ name }) => name === 'tailship');
    if (peer === undefined) throw new Error('only tailship has this admin server');
    const rows = await runAdmin(peer, options, place);
    const { cpuShare, noiseShare, rssBytes } = costOfLooking(rows);
    const about =
      `${options.rate} lines/s over ${options.fileCount} files, shipped by three agents at once. ` +
      `They are measured in eight intervals of ${options.seconds} s; medians of ` +
      `${options.rounds} rounds. The agent that is asked is so in the second, third, sixth and ` +
      'seventh interval, five times as often as Prometheus (15 s) and an open page (10 s) ask; a ' +
      'fifth of what that costs is ' +
      `${digits(cpuShare * 100, 1)} % more CPU (the same figure of the agent without a server is ` +
      `${digits(noiseShare * 100, 1)} %: the noise) and ${digits(rssBytes / 1e6, 1)} MB more ` +
      'memory than its neighbour grew by.';
    const figures = { options, rows };
    const table = tabulateAdmin(rows);
    return { scenario, about, table, charts: [], figures, rated: [], liveRows: [] };
  },
};

const rules: Scenario = {
  async run(scenario, peers, wishes, place) {
    const options = {
      lineCount: wishes.lines ?? 300_000,
      fileCount: wishes.files?.[0] ?? 20,
      rounds: wishes.rounds ?? 5,
      spreadMax: wishes.spread,
      gates: wishes.gates,
      seed: wishes.seed,
      timeoutMs: catchUpTimeoutMs,
    };
    const [peer, base] = ['tailship', 'tailship-base'].map((wanted) =>
      peers.find(({ name }) => name === wanted),
    );
    if (peer === undefined) throw new Error('only tailship has these rules');
    const rows = await runRuleCosts(peer, base, options, place);
    const about =
      `${options.lineCount} lines in ${options.fileCount} files, shipped with a rule and without ` +
      `it in turn; medians of ${options.rounds} rounds, ratios within a round with their ` +
      'quartiles. CPU is user and system of the whole process, divided by the lines that were ' +
      'read; start-up, the median of the same agent on short files, is left out. Every line that ' +
      `the rule leaves over arrived exactly once. Of health checks one line in ${healthCheckShare} is none.`;
    const figures = { options, rows };
    const table = tabulateRuleCosts(rows);
    return { scenario, about, table, charts: [], figures, rated: [], liveRows: [] };
  },
};

const journal: Scenario = {
  hasOwnPeers: true,
  async run(scenario, _peers, wishes, place) {
    const options = {
      entryCount: wishes.lines ?? 100_000,
      rounds: wishes.rounds ?? 5,
      spreadMax: wishes.spread,
      gates: wishes.gates,
    };
    const rows = await runJournal(options, place);
    const about =
      `A journal of ${options.entryCount} entries of 20 fields, written by systemd-journal-remote, ` +
      `is shipped once; medians of ${options.rounds} rounds, ${inPairs}; every run delivered every ` +
      'entry exactly once. CPU is user and system of all processes of the peer, without start-up, ' +
      'which is the median of the same peer on a journal of 2,000 entries.';
    const figures = { options, rows };
    const table = tabulateJournal(rows);
    return { scenario, about, table, charts: [], figures, rated: [], liveRows: [] };
  },
};

/** Every scenario, in the order of `all`. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'catch-up': catchUp({ lines: 500_000, kinds: ['text', 'json', 'mixed'] }),
  live: live({ rates: [2_000, 20_000], files: 50 }),
  idle,
  quiet: live({ rates: [50, 300, 500] }),
  many: live({ rates: [10_000], files: 500 }),
  rotate: live({ rates: [20_000], files: 4, rotateBytes }),
  tls: live({ rates: [20_000], files: 50, https: true }),
  gzip: live({ rates: [20_000], files: 50, gzip: true }),
  admin,
  rules,
  journal,
  long: catchUp({ lines: 5_000, kinds: ['long'] }),
};
