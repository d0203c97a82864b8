// Writes a report into bench/record: the JSON for programs, the Markdown for readers, the charts,
// all with the machine and the command, because a figure without them says nothing.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FoundPeer } from './peers/peers.ts';
import type { Peer, PeerTask } from './peers/peer.ts';

type Machine = {
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

export type Chart = { readonly name: string; readonly title: string; readonly svg: string };

/** What a scenario found. */
export type Section = {
  readonly scenario: string;
  /** What was run, one sentence or two. */
  readonly about: string;
  readonly table: string;
  readonly charts: readonly Chart[];
  /** Rows and options; they go into the JSON as they are. */
  readonly figures: object;
};

export type Report = {
  readonly section: Section;
  readonly machine: Machine;
  readonly found: readonly FoundPeer[];
  readonly missing: readonly Peer[];
};

/** A task with names for places, to print configurations that do not depend on this run. */
const sampleTask: PeerTask = {
  containersDir: '/var/log/containers',
  logRoot: '/var/log/pods',
  files: ['/var/log/pods/…/0.log', '…'],
  kind: 'mixed',
  stateDir: '/state',
  endpoint: 'http://127.0.0.1:1',
  grpcEndpoint: 'http://127.0.0.1:2',
  forwardEndpoint: 'tcp://127.0.0.1:3',
  caFile: undefined,
  metadataUrl: 'http://127.0.0.1:1',
  gzip: false,
  follow: true,
};

function describePeer(peer: FoundPeer): string {
  const { file, args, env = {} } = peer.command(sampleTask);
  const root = path.resolve(import.meta.dirname, '..');
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), file, ...args];
  const command = words.join(' ').replaceAll(`${root}/`, '').replaceAll(process.execPath, 'node');
  const configs = peer
    .configFiles(sampleTask)
    .flatMap(({ name, text }) => ['', `# ${name}`, text.trimEnd()]);
  const fenced = ['```', command, ...configs, '```'];
  const summary = `<summary>${peer.name} ${peer.version}: ${peer.title}</summary>`;
  return ['<details>', summary, '', ...fenced, '', '</details>'].join('\n');
}

function describeMissing(missing: readonly Peer[]): string[] {
  if (missing.length === 0) return [];
  const rows = missing.map(
    (peer) => `- ${peer.name} (${peer.title}): not on this machine, \`${peer.installHint}\``,
  );
  return [rows.join('\n')];
}

/** Writes `<date>-<scenario>.json`, `.md` and charts, over those of the day; answers the path. */
export function writeRecord(folder: string, report: Report): string {
  const { section, machine, found, missing } = report;
  mkdirSync(folder, { recursive: true });
  const name = `${machine.date.slice(0, 10)}-${section.scenario}`;
  const base = path.join(folder, name);
  const peers = found.map(({ name: peer, version, title }) => ({ peer, version, title }));
  const json = { scenario: section.scenario, machine, peers, ...section.figures };
  writeFileSync(`${base}.json`, `${JSON.stringify(json, null, 2)}\n`);
  for (const chart of section.charts) {
    writeFileSync(path.join(folder, `${name}-${chart.name}.svg`), chart.svg);
  }
  const memory = (machine.memoryBytes / 2 ** 30).toFixed(0);
  const paragraphs = [
    `# ${section.scenario}, ${machine.date.slice(0, 10)}`,
    `\`${machine.command}\``,
    [
      `- ${machine.cpu}, ${machine.cores} cores, ${memory} GiB`,
      `- ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}`,
      `- load average before the first run: ${machine.loadAverage.toFixed(2)}`,
    ].join('\n'),
    section.about,
    section.table,
    ...section.charts.map((chart) => `![${chart.title}](${name}-${chart.name}.svg)`),
    ...(found.length + missing.length > 0 ? ['## Peers and their configurations'] : []),
    ...describeMissing(missing),
    ...found.map(describePeer),
  ];
  writeFileSync(`${base}.md`, `${paragraphs.join('\n\n')}\n`);
  return `${base}.md`;
}
