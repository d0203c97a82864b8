// Writes a report into bench/record: the JSON for programs, the Markdown for readers, both with the
// machine and the command, because a figure without them says nothing. Called by run.ts.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export type Machine = {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly loadAverage: number;
  readonly command: string;
};

function readCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown'; // An unpacked archive has no history.
  }
}

/** The facts of this machine, read before the first run: the load is of everything else on it. */
export function describeMachine(): Machine {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    commit: readCommit(),
    loadAverage: os.loadavg()[0] ?? 0,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
  };
}

export type Report = {
  readonly scenario: string;
  readonly machine: Machine;
  /** Markdown, one string a paragraph or table. */
  readonly paragraphs: readonly string[];
  /** Everything measured; goes into the JSON as it is. */
  readonly figures: unknown;
};

/** Writes `<date>-<scenario>.json` and `.md`, replacing those of the same day; returns the path. */
export function writeRecord(folder: string, report: Report): string {
  const { scenario, machine, paragraphs, figures } = report;
  mkdirSync(folder, { recursive: true });
  const base = path.join(folder, `${machine.date.slice(0, 10)}-${scenario}`);
  writeFileSync(`${base}.json`, `${JSON.stringify({ scenario, machine, figures }, null, 2)}\n`);
  const memory = (machine.memoryBytes / 2 ** 30).toFixed(0);
  const head = [
    `# ${scenario}, ${machine.date.slice(0, 10)}`,
    `\`${machine.command}\``,
    [
      `- ${machine.cpu}, ${machine.cores} cores, ${memory} GiB`,
      `- ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}`,
      `- load average before the first run: ${machine.loadAverage.toFixed(2)}`,
    ].join('\n'),
  ];
  writeFileSync(`${base}.md`, `${[...head, ...paragraphs].join('\n\n')}\n`);
  return `${base}.md`;
}
