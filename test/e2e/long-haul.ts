// An hour at full load, `npm run long-haul -- --seconds 3600 --settle 600 [--record FILE]`. Prints
// the figures; the exit code is 1 when memory, descriptors or latency have a slope, or when what
// arrived is not what was written.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../bench/record.ts';
import { digits, markdownTable } from '../../bench/statistics.ts';
import { MiB } from '../../src/byte-units.ts';
import { longRunOptions, longRunWords } from './busy-node.ts';
import { runLongHaul, type LongHaulResult, type Measure } from './long-haul-run.ts';

const { values } = parseArgs({
  options: {
    ...longRunWords,
    seconds: { type: 'string', default: '3600' },
    settle: { type: 'string', default: '600' },
    containers: { type: 'string', default: '300' },
    'lines-per-second': { type: 'string', default: '20000' },
    record: { type: 'string' },
  },
});

/** What each may change by in an hour, and how it is shown. */
const bounds: Readonly<Record<Measure, { perHour: number; unit: number; name: string }>> = {
  rss: { perHour: 4 * MiB, unit: MiB, name: 'RSS, MiB' },
  ownRss: { perHour: 4 * MiB, unit: MiB, name: 'RSS without pages of files, MiB' },
  descriptors: { perHour: 8, unit: 1, name: 'descriptors' },
  p50Ms: { perHour: 50, unit: 1, name: 'p50, ms' },
  p99Ms: { perHour: 100, unit: 1, name: 'p99, ms' },
};

function tableOf({ trends, minutes }: LongHaulResult): string {
  const rows = Object.entries(bounds).map(([key, { perHour, unit, name }]) => {
    const measure = key as Measure;
    const trend = trends[measure];
    const highest = Math.max(...minutes.map((minute) => minute[measure]));
    const figures = [trend.median, highest, trend.perHour, perHour];
    return [name, ...figures.map((figure) => digits(figure / unit, 1))];
  });
  return markdownTable([['', 'median', 'highest', 'change in an hour', 'allowed'], ...rows]);
}

const machine = describeMachine();
const result = await runLongHaul(longRunOptions(values));
const options = process.argv.slice(2).join(' ');
const text = [
  '# An hour at full load',
  `${values.containers} containers, ${values['lines-per-second']} lines/s of text, two pods a second that come and go, one rotation a second; ${values.seconds} s, the first ${values.settle} s left out.`,
  tableOf(result),
  `Slopes are medians over all pairs of minutes. ${result.linesWritten} lines were written, ${result.entries} entries arrived; ${result.podsMade} pods, ${result.rotations} rotations; the writer was at most ${digits(result.writerLateMs, 0)} ms late.`,
  `${machine.date}, ${machine.cpu}, ${machine.cores} cores, load ${digits(machine.loadAverage, 1)} before it; commit ${machine.commit}, Node ${machine.node}: \`npm run long-haul -- ${options}\``,
].join('\n\n');
process.stdout.write(`${text}\n`);
if (values.record !== undefined) {
  writeFileSync(`${values.record}.md`, `${text}\n`);
  const figures = {
    machine: { ...machine, command: `npm run long-haul -- ${options}` },
    ...result,
  };
  writeFileSync(`${values.record}.json`, `${JSON.stringify(figures, undefined, 2)}\n`);
}
const isFlat = Object.entries(bounds).every(
  ([measure, { perHour }]) => result.trends[measure as Measure].perHour <= perHour,
);
process.exitCode = isFlat && result.entries === result.linesWritten ? 0 : 1;
