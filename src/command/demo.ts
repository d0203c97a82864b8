// `tailship demo`: emulator, synthetic node and agent on this machine, in a temporary directory of
// its own.
//
// The agent is a process of its own, started as a user would start it, so that its CPU time and
// memory are the agent's alone. Invariant: when runDemo returns or throws, the agent has ended and
// the directory is gone.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '../admin/admin-source.ts';
import type { Config } from '../options/options.ts';
import type { Control } from '../control.ts';
import { startDemoNode } from '../emulator/kubelet/demo-node.ts';
import type { DemoNode } from '../emulator/kubelet/demo-node.ts';
import { startEmulator } from '../emulator/server/server.ts';
import type { Emulator } from '../emulator/server/server.ts';
import { accountLines } from '../emulator/kubelet/log-account.ts';
import { isExactlyOnce, verifyShipped } from '../emulator/verify/verify-shipped.ts';
import { hasCode } from '../errors.ts';
import { makeScratchDirectory } from '../scratch-directory.ts';
import { pause } from '../until-aborted.ts';
import { bytesText } from '../number-text.ts';

const linesPerSecond = 300;
const reportEveryMs = 5_000;
const catchUpMs = 10_000;
const pollMs = 100;
const demoSeed = 42;
/** Until V8 has compiled the hot code, compiling takes most of the CPU time. */
const startUpSeconds = 30;
const realContainersDir = '/var/log/containers';

type Demo = {
  readonly config: Config;
  readonly control: Control;
  readonly emulator: Emulator;
  readonly node: DemoNode;
  readonly agent: ChildProcess;
  readonly adminUrl: string;
};

/**
 * Runs until the signal or for `config.seconds`; the exit code is 1 if a line was lost or the agent
 * failed.
 */
export async function runDemo(config: Config, control: Control): Promise<number> {
  const root = makeScratchDirectory(os.tmpdir(), 'tailship-demo-');
  const emulator = await startOnPort(config);
  const writing = new AbortController();
  let agent: ChildProcess | undefined;
  try {
    const node = startDemoNode({ root, seed: demoSeed, linesPerSecond, signal: writing.signal });
    const adminPort = await freePort(config.adminAddress?.port ?? 0);
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    agent = startAgent(config, { root, node, emulator, adminPort });
    const demo: Demo = { config, control, emulator, node, agent, adminUrl };
    passLog(demo);
    const isUp = await agentAnswers(demo);
    if (isUp) greet(demo);
    if (isUp) await report(demo);
    writing.abort();
    await node.written;
    if (isUp) await caughtUp(demo);
    return await finish(demo);
  } finally {
    writing.abort();
    await ended(agent);
    await emulator.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** The configured port, or any free one if it is taken: a demo should just run. */
async function startOnPort({ port, data, memoryBytes }: Config): Promise<Emulator> {
  const store = { memoryBytes, ...(data !== undefined && { dataFile: data }) };
  try {
    return await startEmulator({ port, ...store });
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    return startEmulator({ port: 0, ...store });
  }
}

async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  try {
    await once(server.listen(wanted, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    return await freePort(0);
  } finally {
    server.close();
  }
}

type AgentPlace = { root: string; node: DemoNode; emulator: Emulator; adminPort: number };

function startAgent(config: Config, { root, node, emulator, adminPort }: AgentPlace): ChildProcess {
  const words = [
    'run',
    `--containers-dir=${node.containersDir}`,
    `--log-root=${node.podsDir}`,
    `--state-dir=${path.join(root, 'state')}`,
    `--endpoint=${emulator.url}`,
    `--project=${config.project ?? 'demo-project'}`,
    `--cluster=${config.cluster ?? 'demo-cluster'}`,
    `--location=${config.location ?? 'europe-west4'}`,
    `--node=${config.node ?? 'demo-node'}`,
    `--admin-address=127.0.0.1:${adminPort}`,
    `--join-stack-traces=${config.joinStackTraces}`,
    `--partial-flush-ms=${config.partialFlushMs}`,
    `--trace-format=${config.traceFormat}`,
    `--flush-interval-ms=${config.flushIntervalMs}`,
    `--batch-bytes-max=${config.batchBytesMax}`,
    `--gzip=${config.gzip}`,
    `--connections=${config.connections}`,
    `--workers=${config.workers}`,
    `--grace-ms=${config.graceMs}`,
    `--price-per-gib=${config.pricePerGib}`,
    `--logs-link=${emulator.url}/?workload={namespace}/{pod}/{container}`,
    `--log-level=${config.logLevel}`,
    // Every line is synthetic, so the page may show them.
    '--admin-show-content',
  ];
  const entry = fileURLToPath(new URL('../main.ts', import.meta.url));
  // A process group of its own: Ctrl-C must reach only the demo, which ends the agent when the last
  // lines are shipped.
  return fork(entry, words, { silent: true, detached: true });
}

/** The agent's own log, line by line. */
function passLog({ agent, control }: Demo): void {
  for (const stream of [agent.stdout, agent.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => control.write(`agent: ${line}`));
  }
}

function isRunning(agent: ChildProcess): boolean {
  return agent.exitCode === null && agent.signalCode === null;
}

async function status({ adminUrl }: Demo): Promise<AgentStatus | undefined> {
  try {
    const answer = await fetch(`${adminUrl}/api/status`);
    return answer.ok ? ((await answer.json()) as AgentStatus) : undefined;
  } catch {
    return undefined; // It is not up yet, or has ended; the caller checks the process.
  }
}

async function agentAnswers(demo: Demo): Promise<boolean> {
  while (isRunning(demo.agent) && !demo.control.signal.aborted) {
    if ((await status(demo)) !== undefined) return true;
    await pause(pollMs, demo.control.signal);
  }
  return false;
}

function greet({ control, emulator, node, adminUrl, config }: Demo): void {
  const { write } = control;
  write(`tailship demo: ${node.podCount} pods log ${linesPerSecond} lines/s; the agent ships them`);
  write(`  agent      ${adminUrl}/  (page: a click on a workload shows its lines), /metrics`);
  write(`  emulator   ${emulator.url}/  (a local Cloud Logging)`);
  write(`  entries    curl -s ${emulator.url}/emulator/entries | tail -n 3`);
  write(`  log files  ${node.containersDir}`);
  write(
    '  µs a line  much at the start, while code is compiled, and at this low rate: looking at the',
  );
  write('             files and sending cost the same for a few lines as for thousands');
  if (isReadable(realContainersDir)) {
    write(`  this machine has container logs of its own; to ship those into an emulator:`);
    write(`             tailship emulator &`);
    write(`             tailship run --endpoint http://127.0.0.1:8085 --state-dir /tmp/tailship`);
  }
  write(config.seconds > 0 ? `It ends after ${config.seconds} s.` : 'Ctrl-C ends it.');
}

function isReadable(directory: string): boolean {
  try {
    return fs.readdirSync(directory).length > 0;
  } catch {
    return false; // Missing or not readable: there is nothing to offer.
  }
}

/** Prints a line every few seconds until the demo ends. */
async function report(demo: Demo): Promise<void> {
  const { config, control } = demo;
  const startMs = performance.now();
  const endMs = config.seconds > 0 ? startMs + config.seconds * 1_000 : Infinity;
  let before = await status(demo);
  let beforeMs = startMs;
  while (!control.signal.aborted && isRunning(demo.agent) && performance.now() < endMs) {
    await pause(Math.min(reportEveryMs, endMs - performance.now()), control.signal);
    const now = await status(demo);
    if (now === undefined || before === undefined) continue;
    const nowMs = performance.now();
    const passed = { seconds: (nowMs - beforeMs) / 1_000, sinceStart: (nowMs - startMs) / 1_000 };
    control.write(reportLine(before, now, passed));
    [before, beforeMs] = [now, nowMs];
  }
}

function reportLine(
  before: AgentStatus,
  now: AgentStatus,
  passed: { readonly seconds: number; readonly sinceStart: number },
): string {
  const cpuSeconds = totalCpuSeconds(now) - totalCpuSeconds(before);
  const lines = now.lines - before.lines;
  const perLine = lines > 0 ? `${((cpuSeconds * 1e6) / lines).toFixed(1)} µs a line` : 'no line';
  const share = `${((cpuSeconds / passed.seconds) * 100).toFixed(1)} % of a core`;
  const why = passed.sinceStart < startUpSeconds ? 'start-up' : 'low rate';
  const cpu = `${share}, ${perLine} (${why})`;
  return [
    `${passed.sinceStart.toFixed(0).padStart(5)} s`,
    `${now.lines.toLocaleString('en')} lines shipped`,
    `behind ${now.behindSeconds.toFixed(1)} s`,
    `CPU ${cpu}`,
    `RSS ${bytesText(now.rssBytes)}`,
  ].join(' │ ');
}

function totalCpuSeconds({ cpuSecondsByStage }: AgentStatus): number {
  return Object.values(cpuSecondsByStage).reduce((sum, seconds) => sum + seconds, 0);
}

/**
 * Waits a while until the agent has shipped everything. Its lag is as of its last look at the
 * files, so its count of lines decides.
 */
async function caughtUp(demo: Demo): Promise<void> {
  const endMs = performance.now() + catchUpMs;
  const written = accountLines(demo.node.account());
  while (isRunning(demo.agent) && performance.now() < endMs) {
    const now = await status(demo);
    if (now !== undefined && now.lines >= written && now.inFlightBytes === 0) return;
    await sleep(pollMs);
  }
}

async function finish(demo: Demo): Promise<number> {
  const { agent, control, emulator, node } = demo;
  const code = await ended(agent);
  if (code !== 0) {
    control.write(`tailship demo: the agent ended with ${code}`);
    return 1;
  }
  const verdict = await verifyShipped(emulator.url, node.account());
  const { written, lost, lostByKubelet, doubled, outOfOrder, altered } = verdict;
  control.write(
    `written ${written}, lost ${lost}, doubled ${doubled}, out of order ${outOfOrder}, altered ${altered}`,
  );
  if (lostByKubelet > 0) control.write(`deleted before they were read: ${lostByKubelet}`);
  for (const sample of verdict.samples) control.write(`  ${sample}`);
  return isExactlyOnce(verdict) && written === accountLines(node.account()) ? 0 : 1;
}

/** Ends the agent if it runs; returns how it ended. */
async function ended(agent: ChildProcess | undefined): Promise<number | string | undefined> {
  if (agent === undefined) return undefined;
  if (isRunning(agent)) {
    agent.kill('SIGTERM');
    await once(agent, 'exit');
  }
  return agent.exitCode ?? agent.signalCode ?? undefined;
}
