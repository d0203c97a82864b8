// `tailship bench`: what the lines of this node cost, on its own log files.
//
// The agent first follows what is written, for the share of a core that it takes at this node's
// rate: with many containers that write little, wake-ups cost more than bytes, and only running
// shows that. Then it reads all files once, for what a line costs. It is a process of its own, with
// a state directory that is thrown away, and posts to a sink in this process that throws away what
// it gets. Invariant: nothing outside the temporary directory is written, no log file is changed,
// nothing leaves this machine. Where fluentd is installed it gets the same files.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../options/options.ts';
import type { Control } from '../control.ts';
import { AgentError, hasCode } from '../errors.ts';
import { countText, pluralText } from '../number-text.ts';
import { createProgress, terminalIntervalMs, type ProgressSink } from '../progress.ts';
import { makeScratchDirectory } from '../scratch-directory.ts';
import { readCpuSeconds, startCpuMeter } from './process-cost.ts';

/** Until start-up is over and the compiler has compiled the hot code. */
const settleMs = 10_000;
const rateWindowMs = 10_000;
const pollMs = 200;
/** A process that uses no CPU for this long has started up, or is done. */
const quietMs = 1_500;
const fluentdMsMax = 60_000;
/** With fewer lines, the start-up varies by more than they cost. */
const linesEnough = 100_000;

type Sink = { readonly url: string; lines: number; readonly close: () => void };
type Cost = { readonly lines: number; readonly microsPerLine: number };
/** The cost of following the node's logs. */
type LiveCost = { readonly bytesPerSecond: number; /** Of a core. */ readonly share: number };
type Setting = { readonly config: Config; readonly root: string; readonly sink: Sink };

/** Prints what the node writes and what that costs; the exit code is 1 if there are no lines. */
export async function runBench(config: Config, control: Control): Promise<number> {
  const root = makeScratchDirectory(os.tmpdir(), 'tailship-bench-');
  const sink = await startSink();
  const setting = { config, root, sink };
  try {
    if (!config.json) control.write(`tailship bench: watching ${config.containersDir} for 20 s`);
    const { bytesPerSecond, share } = await measureLive(setting, control);
    const start = await runAgent(setting, writeShortLog(root));
    const full = await runAgent(setting, config.containersDir, control.progress);
    const own = { lines: full.lines, microsPerLine: perLine(full, start) };
    const fluentd = await measureFluentd(setting, full.lines);
    const bytesPerLine = full.lines === 0 ? 0 : full.bytes / full.lines;
    const figures = { bytesPerSecond, bytesPerLine, tailship: { ...own, share }, fluentd };
    if (config.json) control.write(JSON.stringify(figures));
    else for (const line of report(figures)) control.write(line);
    return full.lines === 0 ? 1 : 0;
  } catch (error) {
    if (control.signal.aborted) return 1; // The user has seen enough.
    throw error;
  } finally {
    sink.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/**
 * A containers directory with a log of a few lines, to measure the start-up: an agent without
 * anything to send never starts half of its parts.
 */
function writeShortLog(root: string): string {
  const containers = emptyFolder(root, 'short/containers');
  const pod = emptyFolder(
    root,
    'short/pods/bench_short_00000000-0000-4000-8000-000000000000/bench',
  );
  const log = path.join(pod, '0.log');
  fs.writeFileSync(log, '2026-03-05T14:07:21.104582937Z stdout F short\n'.repeat(100));
  fs.symlinkSync(log, path.join(containers, `short_bench_bench-${'0'.repeat(64)}.log`));
  return containers;
}

function emptyFolder(root: string, name: string): string {
  const folder = path.join(root, name);
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** Counts the lines of bodies that are JSON lines; the agent counts its own. */
async function startSink(): Promise<Sink> {
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) sink.lines++;
    });
    request.on('end', () => response.end('{}'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  const sink = { url: `http://127.0.0.1:${port}`, lines: 0, close };
  return sink;
}

/** The length of each linked file, by inode. */
function readLengths(containersDir: string): Map<number, number> {
  const lengths = new Map<number, number>();
  for (const name of fs.readdirSync(containersDir)) {
    try {
      const { ino, size } = fs.statSync(path.join(containersDir, name));
      lengths.set(ino, size);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // Deleted since it was listed.
    }
  }
  return lengths;
}

/**
 * Runs an agent that ships new lines, as `run` would. Measures its CPU time after it has settled,
 * and the bytes that the containers write meanwhile; a new file counts from its start.
 */
async function measureLive(setting: Setting, control: Control): Promise<LiveCost> {
  const { containersDir } = setting.config;
  const agent = startAgent(setting, containersDir, ['--from=end']);
  const errors = collect(agent, 'stderr');
  const ended = once(agent, 'close');
  const { pid = -1 } = agent;
  try {
    await Promise.race([waitFor(settleMs, 'settling, s', control), ended]);
    const before = readLengths(containersDir);
    const usedSeconds = startCpuMeter(() => [pid]);
    const startMs = performance.now();
    await Promise.race([waitFor(rateWindowMs, 'watching, s', control), ended]);
    const cpuSeconds = usedSeconds();
    if (agent.exitCode !== null) throw agentEnded(errors());
    const seconds = (performance.now() - startMs) / 1_000;
    let grown = 0;
    for (const [ino, length] of readLengths(containersDir)) {
      grown += Math.max(0, length - (before.get(ino) ?? 0));
    }
    return { bytesPerSecond: grown / seconds, share: cpuSeconds / seconds };
  } finally {
    if (agent.exitCode === null) agent.kill('SIGTERM');
    await ended;
  }
}

async function waitFor(
  ms: number,
  name: string,
  { signal, progress }: Pick<Control, 'signal' | 'progress'>,
): Promise<void> {
  const endMs = performance.now() + ms;
  // Only a terminal shows it: it ends before the first line would be due.
  const shown = progress && createProgress({ ...progress, name, unit: 'count' });
  for (let leftMs = ms; leftMs > 0; leftMs = endMs - performance.now()) {
    shown?.update((ms - leftMs) / 1_000, leftMs / 1_000);
    await sleep(Math.min(leftMs, terminalIntervalMs), undefined, { signal });
  }
  shown?.end();
}

function agentEnded(errors: string): AgentError {
  const isMissing = errors.includes('CONTAINERS_MISSING');
  const code = isMissing ? 'CONTAINERS_MISSING' : 'FILE_UNREADABLE';
  return new AgentError(code, `the agent ended: ${errors.trim().split('\n')[0]}`);
}

type Summary = { readonly lines: number; readonly bytes: number; readonly cpuSeconds: number };

function startAgent(
  { config, root, sink }: Setting,
  containersDir: string,
  more: readonly string[],
): ChildProcess {
  const entry = fileURLToPath(new URL('../main.ts', import.meta.url));
  const names = ['--project=bench', '--cluster=bench', '--location=bench', '--node=bench'];
  const words = ['run', `--containers-dir=${containersDir}`, `--endpoint=${sink.url}`, ...more];
  words.push(...[...config.logRoot, root].map((folder) => `--log-root=${folder}`), ...names);
  words.push(`--state-dir=${fs.mkdtempSync(path.join(root, 'state-'))}`, '--log-level=info');
  words.push('--admin-address=off', '--kubernetes-metadata=off', '--no-gzip');
  return fork(entry, words, { silent: true, execArgv: ['--max-semi-space-size=1'] });
}

async function runAgent(
  setting: Setting,
  containersDir: string,
  progress?: ProgressSink,
): Promise<Summary> {
  const agent = startAgent(setting, containersDir, ['--once']);
  const [output, errors] = [collect(agent, 'stdout'), collect(agent, 'stderr')];
  if (progress !== undefined) passOnProgress(agent, progress);
  const [code] = (await once(agent, 'close')) as [number | null];
  if (code !== 0) throw agentEnded(errors());
  return JSON.parse(output().trim().split('\n').at(-1) ?? '{}') as Summary;
}

/** The agent logs its progress every ten seconds. */
function passOnProgress(agent: ChildProcess, { writeLine }: ProgressSink): void {
  if (agent.stderr === null) return;
  createInterface({ input: agent.stderr }).on('line', (line) => {
    const [text] = /shipping  \d+ %[^"]*/.exec(line) ?? [];
    if (text !== undefined) writeLine(text.replace('shipping', 'reading'));
  });
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  let text = '';
  child[name]?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  return () => text;
}

function perLine(full: Omit<Summary, 'bytes'>, start: { readonly cpuSeconds: number }): number {
  return Math.max(0, ((full.cpuSeconds - start.cpuSeconds) * 1e6) / Math.max(1, full.lines));
}

function fluentdConfig({ root, sink }: Setting, containersDir: string): string {
  const time = '%Y-%m-%dT%H:%M:%S.%N%z';
  return `<source>
  @type tail
  path ${containersDir}/*.log
  pos_file ${fs.mkdtempSync(path.join(root, 'fluentd-'))}/pos
  tag kubernetes.*
  read_from_head true
  enable_stat_watcher false
  <parse>
    @type regexp
    expression /\\A(?<time>\\S+) (?<stream>\\S+) (?<logtag>\\S+) (?<message>.*)\\z/
    time_format ${time}
  </parse>
</source>
<match kubernetes.**>
  @type http
  endpoint ${sink.url}
  reuse_connections true
  <buffer>
    flush_interval 1s
  </buffer>
</match>
`;
}

/** Undefined where fluentd is not installed, or ends while it starts. */
async function measureFluentd(setting: Setting, lines: number): Promise<Cost | undefined> {
  if (lines === 0) return undefined;
  const start = await runFluentd(setting, path.join(setting.root, 'short/containers'), 0);
  if (start === undefined) return undefined;
  const full = await runFluentd(setting, setting.config.containersDir, lines);
  if (full === undefined || full.lines === 0) return undefined;
  return { lines: full.lines, microsPerLine: perLine(full, start) };
}

/** Until it has sent that many lines, is idle, or a minute has passed. */
async function runFluentd(
  setting: Setting,
  containersDir: string,
  lines: number,
): Promise<Omit<Summary, 'bytes'> | undefined> {
  const { root, sink } = setting;
  const configFile = path.join(root, 'fluentd.conf');
  fs.writeFileSync(configFile, fluentdConfig(setting, containersDir));
  const words = ['--no-supervisor', '-q', '--config', configFile];
  const fluentd = spawn('fluentd', words, { stdio: 'ignore' });
  const ended = once(fluentd, 'exit').catch(() => undefined); // It is not installed.
  sink.lines = 0;
  let cpuSeconds = 0;
  const endMs = performance.now() + fluentdMsMax;
  let quietSinceMs = performance.now() + quietMs;
  try {
    while (fluentd.pid !== undefined && fluentd.exitCode === null && performance.now() < endMs) {
      await sleep(pollMs);
      const now = readCpuSeconds([fluentd.pid]);
      if (now > cpuSeconds + 0.02) quietSinceMs = performance.now();
      cpuSeconds = now;
      const isQuiet = performance.now() - quietSinceMs > quietMs;
      if (isQuiet || (lines > 0 && sink.lines >= lines)) break;
    }
    if (fluentd.pid === undefined || fluentd.exitCode !== null) return undefined;
    return { lines: sink.lines, cpuSeconds };
  } finally {
    fluentd.kill('SIGKILL');
    await ended;
  }
}

type Figures = {
  readonly bytesPerSecond: number;
  readonly bytesPerLine: number;
  readonly tailship: Cost & { readonly share: number };
  readonly fluentd: Cost | undefined;
};

function report({ bytesPerSecond, bytesPerLine, tailship, fluentd }: Figures): string[] {
  const { lines, microsPerLine, share } = tailship;
  if (lines === 0) return ['there are no lines to read'];
  const linesPerSecond = bytesPerSecond / bytesPerLine;
  const rate = countText(Math.round(linesPerSecond));
  const percent = (part: number) => `${(part * 100).toFixed(part < 0.1 ? 3 : 1)} %`;
  const fluentdShare = (linesPerSecond * (fluentd?.microsPerLine ?? 0)) / 1e6;
  const live = linesPerSecond > 0 ? (share * 1e6) / linesPerSecond : 0;
  const sentences = [
    `this node writes ${rate} lines/s of ${bytesPerLine.toFixed(0)} bytes`,
    `tailship  ${percent(share)} of a core at this rate, measured while it followed these files`,
    `          ${microsPerLine.toFixed(2)} µs a line when it reads them at once (${countText(lines)} lines)`,
    fluentd === undefined
      ? 'fluentd   is not installed here: gem install fluentd'
      : `fluentd   ${fluentd.microsPerLine.toFixed(2)} µs a line, ${percent(fluentdShare)} of a core at ` +
        `this rate without its wake-ups, ${(fluentd.microsPerLine / microsPerLine).toFixed(0)} × tailship`,
  ];
  if (live > 2 * microsPerLine) {
    const more = live / Math.max(microsPerLine, 0.01);
    sentences.push(
      `At this rate a line costs ${live.toFixed(1)} µs, ${more.toFixed(0)} × as much as at once: ` +
        'looking at the files, requests and saving positions cost the same for few lines as for many.',
    );
  }
  if (lines < linesEnough) {
    sentences.push(`Only ${pluralText(lines, 'line')}: take the cost of a line with caution.`);
  }
  return sentences;
}
