// Puts the figures of the newest records into docs/performance.md and docs/rules.md, between the
// marks of `figures`.
// A figure without a record stays a dash.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CatchUpRow } from './catch-up.ts';
import type { IdleRow } from './idle.ts';
import type { LiveRow } from './live.ts';
import { type RuleCostRow, tabulateRuleCosts } from './rules.ts';
import { digits, markdownTable } from './statistics.ts';

const docs = path.resolve(import.meta.dirname, '../docs');
const rowsMax = 15;

type Stored<Row> = {
  readonly name: string;
  readonly machine: { readonly date: string; readonly cpu: string; readonly command: string };
  readonly rows: readonly Row[];
};

/** The newest record of a scenario; the names begin with the date. */
function readNewest<Row>(folder: string, scenario: string): Stored<Row> | undefined {
  const names = readdirSync(folder).filter((file) => file.slice(11) === `${scenario}.json`);
  const newest = names.toSorted().at(-1);
  if (newest === undefined) return undefined;
  const stored = JSON.parse(readFileSync(path.join(folder, newest), 'utf8')) as Stored<Row>;
  return { ...stored, name: newest.replace(/\.json$/, '') };
}

function printFigures(folder: string): string {
  const catchUp = readNewest<CatchUpRow>(folder, 'catch-up');
  const live = readNewest<LiveRow>(folder, 'live');
  const idle = readNewest<IdleRow>(folder, 'idle');
  if (catchUp === undefined) throw new Error('there is no record of a catch-up');
  const cost = (peer: string, kind: string) =>
    catchUp.rows.find((row) => row.peer === peer && row.kind === kind)?.cpuMicrosPerLine;
  const steady = (peer: string, rate: number) =>
    live?.rows.find((row) => row.peer === peer && row.rate === rate);
  const quiet = (peer: string, files: number) =>
    idle?.rows.find((row) => row.peer === peer && row.fileCount === files)?.cpuPercentOfCore;
  const load = (peer: string, rate: number) => {
    const row = steady(peer, rate);
    const behind = row !== undefined && row.missing > 0 ? ', falls behind' : '';
    return digits(row?.cpuPercentOfCore, 1) + behind;
  };
  const peers = [...new Set(catchUp.rows.map((row) => row.peer))].slice(0, rowsMax);
  const head = ['', 'catch-up, text: µs/line', 'JSON: µs/line', '2,000 lines/s: % of a core'];
  head.push('20,000 lines/s: % of a core', 'RSS then, MB', '2,000 idle files: % of a core');
  const table = markdownTable([
    head,
    ...peers.map((peer) => [
      peer === 'tailship' ? '**tailship**' : peer,
      digits(cost(peer, 'text'), 2),
      digits(cost(peer, 'json'), 2),
      load(peer, 2_000),
      load(peer, 20_000),
      digits((steady(peer, 20_000)?.rssBytes ?? Number.NaN) / 1e6, 0),
      digits(quiet(peer, 2_000), 2),
    ]),
  ]);
  const picture = live && `![Cores over lines a second](../bench/record/${live.name}-cores.svg)`;
  const records = [catchUp, live, idle].flatMap((stored) =>
    stored === undefined
      ? []
      : `\`${stored.machine.command}\` ([record](../bench/record/${stored.name}.md))`,
  );
  const { date, cpu } = catchUp.machine;
  const origin = `${date.slice(0, 10)}, ${cpu}: ${records.join(', ')}.`;
  return [table, ...(picture === undefined ? [] : [picture]), origin].join('\n\n');
}

function printRuleCosts(folder: string): string {
  const stored = readNewest<RuleCostRow>(folder, 'rules');
  if (stored === undefined) return 'There is no record.';
  const { date, cpu, command } = stored.machine;
  const record = `[record](../bench/record/${stored.name}.md)`;
  const origin = `${date.slice(0, 10)}, ${cpu}: \`${command}\` (${record}).`;
  return [tabulateRuleCosts(stored.rows), origin].join('\n\n');
}

/** Throws when there are no marks to print between. */
function putBetweenMarks(page: string, printed: string): void {
  const file = path.join(docs, page);
  const text = readFileSync(file, 'utf8');
  const marks = /(<!-- figures:begin -->\n)[\s\S]*?(<!-- figures:end -->)/;
  if (!marks.test(text)) throw new Error(`docs/${page} has no marks for the figures`);
  writeFileSync(
    file,
    text.replace(marks, (_, begin, end) => `${begin}${printed}\n${end}`),
  );
}

/** Throws when there is no record to print, or no marks to print between. */
export function writeFigures(folder: string): void {
  putBetweenMarks('performance.md', printFigures(folder));
  putBetweenMarks('rules.md', printRuleCosts(folder));
}
