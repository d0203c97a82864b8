// Measures what a command costs, all its processes together.
//
// A command that ends is run under bash's `time`, which reads the kernel's rusage of every child
// that was waited for: exact to the millisecond, threads included. A command that runs on is
// sampled from the schedstat of its threads, in nanoseconds; if one of them ends meanwhile, from
// /proc/<pid>/stat, which keeps the time of threads that ended, in clock ticks of 10 ms. Peak RSS
// is the sum of VmHWM over the process tree, polled: a process's own high-water mark never falls,
// so little is missed.

import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { listThreads, readProc, startCpuMeter } from '../src/command/process-cost.ts';

export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** CPU is user + system of the command and its children. */
export type Cost = {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rssPeakBytes: number;
  readonly exitCode: number;
  readonly stderr: string;
};

const rssPollMs = 10;
/** A command that ignores SIGTERM this long is killed. */
const stopTimeoutMs = 30_000;

/** `pid` and all its descendants that are alive. */
export function listTree(pid: number): number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => listTree(Number(child)))];
}

/** Sum over `pids` of the peak resident memory, in bytes. */
export function readRssPeak(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`));
    return sum + Number(match?.[1] ?? 0) * 1024;
  }, 0);
}

/** Sum over `pids` of the resident memory now, in bytes. */
export function readRss(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`));
    return sum + Number(match?.[1] ?? 0) * 1024;
  }, 0);
}

/** How often the threads of `pids` gave up the CPU to wait: each wait ends with a wake-up. */
function readWakeUps(pids: readonly number[]): number {
  let count = 0;
  for (const pid of pids) {
    for (const thread of listThreads(pid)) {
      const status = readProc(`/proc/${pid}/task/${thread}/status`);
      count += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
  }
  return count;
}

/** A command that is running; `stop` sends SIGTERM and answers the cost once all is over. */
export type RunningCommand = {
  /** The command's own processes: bash, which measures, is not among them. */
  readonly tree: () => number[];
  readonly finished: Promise<Cost>;
  readonly stop: () => Promise<Cost>;
};

function parseTimes(text: string): { cpuSeconds: number; wallSeconds: number } {
  const match = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(text);
  if (match === null) throw new Error(`bash printed no times: ${JSON.stringify(text)}`);
  const [, user = '0', system = '0', wall = '0'] = match;
  return { cpuSeconds: Number(user) + Number(system), wallSeconds: Number(wall) };
}

function collect(child: ChildProcess, stream: 2 | 3): () => string {
  let text = '';
  const readable = child.stdio[stream] as NodeJS.ReadableStream;
  readable.setEncoding('utf8');
  // The last 64 KiB are enough: the times are at the end, and so does the reason of a failure.
  readable.on('data', (piece: string) => (text = (text + piece).slice(-65_536)));
  return () => text;
}

/** Starts a command under measurement; its stdout is dropped. */
export function startMeasured(command: Command): RunningCommand {
  const script = 'TIMEFORMAT="%3U %3S %3R"; time "$@" 2>&3';
  const child = spawn('bash', ['-c', script, 'bash', command.file, ...command.args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...command.env },
  });
  const pid = child.pid ?? 0;
  const times = collect(child, 2);
  const stderr = collect(child, 3);
  const tree = () => listTree(pid).slice(1);
  let rssPeakBytes = 0;
  const poll = setInterval(() => {
    rssPeakBytes = Math.max(rssPeakBytes, readRssPeak(tree()));
  }, rssPollMs);
  const finished = new Promise<Cost>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(poll);
      try {
        resolve({ ...parseTimes(times()), rssPeakBytes, exitCode: code ?? -1, stderr: stderr() });
      } catch (error) {
        reject(error);
      }
    });
  });
  const stop = async () => {
    // SIGTERM to the command alone; bash must live to print the times.
    const [first] = tree();
    if (first !== undefined) process.kill(first, 'SIGTERM');
    const timer = setTimeout(() => {
      for (const late of tree()) process.kill(late, 'SIGKILL');
    }, stopTimeoutMs);
    return finished.finally(() => clearTimeout(timer));
  };
  return { tree, finished, stop };
}

/** CPU and memory of a tree over an interval. */
export type IntervalCost = {
  readonly seconds: number;
  readonly cpuPercentOfCore: number;
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
  readonly wakeUpsPerSecond: number;
};

/** Watches a running command for `seconds`. Processes that end meanwhile count if waited for. */
export async function measureInterval(
  tree: () => number[],
  seconds: number,
): Promise<IntervalCost> {
  const cpuSeconds = startCpuMeter(tree);
  const wakeUpsBefore = readWakeUps(tree());
  const before = performance.now();
  await sleep(seconds * 1000);
  const pids = tree();
  const elapsed = (performance.now() - before) / 1000;
  return {
    seconds: elapsed,
    cpuPercentOfCore: (cpuSeconds() / elapsed) * 100,
    rssBytes: readRss(pids),
    rssPeakBytes: readRssPeak(pids),
    wakeUpsPerSecond: (readWakeUps(pids) - wakeUpsBefore) / elapsed,
  };
}
