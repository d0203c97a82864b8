// Times that a loaded machine does not stretch: the kernel counts for how long a thread was ready
// to run while another one had the core, and a test that says "within a second" must not mean that.

import { readdirSync, readFileSync } from 'node:fs';
import { threadCpuUsage } from 'node:process';

/** Milliseconds of CPU that this thread spends on `work`. */
export function cpuMsOf(work: () => unknown): number {
  const before = threadCpuUsage();
  work();
  const { user, system } = threadCpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * Starts a clock that stops while this thread, or the main thread of one of these processes, waits
 * for a core. It says how many milliseconds have passed.
 */
export function startOwnClock(...pids: readonly number[]): () => number {
  const files = ['/proc/thread-self/schedstat', ...pids.map((pid) => `/proc/${pid}/schedstat`)];
  const waitedMs = () => files.reduce((sum, file) => sum + queuedMs(file), 0);
  const [startMs, startWaitedMs] = [performance.now(), waitedMs()];
  return () => performance.now() - startMs - (waitedMs() - startWaitedMs);
}

/**
 * Begins to count how long the threads of these processes wait for a core, one after the other: by
 * so many milliseconds at most the machine has delayed what they do.
 */
export function countHeldUpMs(...pids: readonly number[]): () => number {
  const sum = () => pids.reduce((total, pid) => total + queuedMsOfThreads(pid), 0);
  const startMs = sum();
  return () => Math.max(0, sum() - startMs);
}

function queuedMsOfThreads(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + queuedMs(`/proc/${pid}/task/${thread}/schedstat`),
    0,
  );
}

/** Source: Documentation/scheduler/sched-stats.rst of the kernel. */
function queuedMs(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // It has ended.
  }
}
