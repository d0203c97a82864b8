// Starts the real emulator and the real agent as processes, exactly as a user does, and ends them.
//
// Invariant: `stopAll`, called after each test, leaves no process behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmulator, type EmulatorStats } from '../../src/emulator/server/server.ts';
import type { FaultRule } from '../../src/emulator/server/faults.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';

const mainFile = path.resolve(import.meta.dirname, '../../src/main.ts');
const running = new Set<ChildProcess>();

export type EmulatorProcess = {
  readonly pid: number;
  readonly url: string;
  stats(): Promise<EmulatorStats>;
  setFaults(faults: FaultRule | readonly FaultRule[]): Promise<void>;
  readonly port: number;
  stop(): Promise<void>;
};

/** `tailship emulator` on a free port, or the one that is given. */
export async function startEmulatorProcess(port = 0): Promise<EmulatorProcess> {
  const child = start(['emulator', '--port', String(port)]);
  assert(child.stdout !== null, 'stdout is a pipe');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { listening: url } = JSON.parse(line) as { listening: string };
  return {
    pid: child.pid ?? -1,
    url,
    port: Number(new URL(url).port),
    async stats() {
      return (await (await fetch(`${url}/emulator/stats`)).json()) as EmulatorStats;
    },
    async setFaults(faults) {
      const answer = await fetch(`${url}/emulator/faults`, {
        method: 'PUT',
        body: JSON.stringify(faults),
      });
      assert(answer.ok, await answer.text());
    },
    stop: () => stop(child, 'SIGTERM'),
  };
}

/** What a test needs that only writes, reads and sets faults. */
export type LocalEmulator = Pick<EmulatorProcess, 'url' | 'stats' | 'setFaults' | 'stop'>;

/**
 * The emulator within this process, which is there in a tenth of the time: for tests that neither
 * block the event loop while an agent runs nor look at the emulator's process.
 */
export async function startEmulatorHere(): Promise<LocalEmulator> {
  const emulator = await startEmulator({ port: 0 });
  return {
    url: emulator.url,
    stats: async () => emulator.stats(),
    setFaults: async (faults) => emulator.setFaults(faults),
    stop: () => emulator.close(),
  };
}

export type AgentOptions = {
  readonly kubelet: Pick<FakeKubelet, 'containersDir' | 'podsDir'>;
  readonly stateDir: string;
  readonly endpoint: string;
  readonly flags?: readonly string[];
  /** A command that ends in executing its arguments: for limits that only the kernel can set. */
  readonly under?: readonly string[];
};

export type AgentProcess = {
  readonly pid: number;
  /** Lines of stderr so far. */
  readonly log: readonly string[];
  /** Those of them that are more than what it tells of itself. */
  warnings(): string[];
  readonly isRunning: () => boolean;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
};

function agentWords({ kubelet, stateDir, endpoint, flags = [] }: AgentOptions): string[] {
  const values = {
    'containers-dir': kubelet.containersDir,
    'log-root': kubelet.podsDir,
    'state-dir': stateDir,
    endpoint,
    project: 'acme-logs-42',
    cluster: 'blue',
    location: 'europe-west4',
    node: 'gke-blue-pool-1-7f3a',
  };
  return ['run', ...Object.entries(values).map(([name, value]) => `--${name}=${value}`), ...flags];
}

/** `tailship run`, with a fast clock so that tests need not wait; flags win over it. */
export function startAgentProcess(options: AgentOptions): AgentProcess {
  const fast = ['--flush-interval-ms', '50', '--admin-address', 'off'];
  const flags = [...fast, ...(options.flags ?? [])];
  const child = start(agentWords({ ...options, flags }), {}, options.under);
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    assert(stream !== null, 'both outputs are pipes');
    createInterface({ input: stream }).on('line', (line) => log.push(line));
  }
  return {
    pid: child.pid ?? -1,
    log,
    warnings: () => log.filter((line) => !line.startsWith('{"severity":"INFO"')),
    isRunning: () => running.has(child),
    async stop() {
      await stop(child, 'SIGTERM');
      return child.exitCode;
    },
    kill: () => stop(child, 'SIGKILL'),
  };
}

export type OnceResult = {
  readonly code: number | null;
  /** The summary on stdout. */
  readonly summary: Readonly<Record<string, number>>;
  readonly stdout: string;
  readonly stderr: string;
};

/** `tailship run --once`, to its end. */
export async function runOnce(options: AgentOptions): Promise<OnceResult> {
  const flags = ['--once', ...(options.flags ?? [])];
  const child = start(agentWords({ ...options, flags }), {}, options.under);
  const [stdout, stderr] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    child.exitCode ?? once(child, 'exit'),
  ]);
  const summary = JSON.parse(stdout === '' ? '{}' : stdout) as Record<string, number>;
  return { code: child.exitCode, summary, stdout, stderr };
}

async function readAll(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}

export type CommandProcess = {
  /** Lines of stdout and stderr so far. */
  readonly lines: readonly string[];
  readonly signal: (name: 'SIGHUP' | 'SIGINT' | 'SIGTERM' | 'SIGKILL') => void;
  /** Resolves to the exit code when it has ended by itself or by a signal. */
  readonly ended: Promise<number | null>;
};

/** Any command of tailship, with more environment, under another command as in `AgentOptions`. */
export function startCommand(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  under: readonly string[] = [],
): CommandProcess {
  const child = start(words, environment, under);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    assert(stream !== null, 'both outputs are pipes');
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const ended = once(child, 'close').then(() => child.exitCode);
  return { lines, signal: (name) => child.kill(name), ended };
}

function start(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  under: readonly string[] = [],
): ChildProcess {
  const [command = '', ...rest] = [...under, process.execPath, mainFile, ...words];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...environment },
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Settings of the user who runs the tests must not reach the agent. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/^(TAILSHIP_|VITEST|GOOGLE_)/.test(name)));
}

async function stop(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!running.has(child)) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** Kills whatever a test has left running. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => stop(child, 'SIGKILL')));
}

/** A directory for one test; its name has a space in it, as users' paths do. */
export function makeScratch(): { readonly path: string; remove(): void } {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailship e2e-'));
  return {
    path: directory,
    remove: () => fs.rmSync(directory, { recursive: true, force: true }),
  };
}

/**
 * Polls until the condition holds; throws with `what` and the last value when it has not in time.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  options: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const endMs = performance.now() + (options.withinMs ?? 120_000);
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`waited too long until ${what}`);
    await sleep(options.everyMs ?? 50);
  }
}
