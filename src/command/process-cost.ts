// What processes have cost by now, as the kernel says it. A process that has ended costs nothing.

import { readdirSync, readFileSync } from 'node:fs';

const clockTicksPerSecond = 100;

/** Text of a file under /proc; empty when the process has ended. */
export function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // The process ended since it was listed.
  }
}

/** Its threads that are alive. */
export function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // The process ended since it was listed.
  }
}

/** CPU seconds of `pids` and of the ended children that they waited for. */
export function readCpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // The name in brackets may hold spaces; the fields are counted after it (proc_pid_stat(5)).
    const fields = readProc(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
    const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
    return sum + (Number.isNaN(ticks) ? 0 : ticks / clockTicksPerSecond);
  }, 0);
}

/** CPU nanoseconds of each thread of `pids`. */
export function readThreadNanos(pids: readonly number[]): Map<string, number> {
  const nanos = new Map<string, number>();
  for (const pid of pids) {
    for (const thread of listThreads(pid)) {
      const text = readProc(`/proc/${pid}/task/${thread}/schedstat`);
      if (text !== '') nanos.set(thread, Number(text.split(' ')[0]));
    }
  }
  return nanos;
}

/** Seconds between two readings; undefined when a thread ended, because its time is unknown. */
export function secondsBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): number | undefined {
  let nanos = 0;
  for (const thread of before.keys()) if (!after.has(thread)) return undefined;
  for (const [thread, now] of after) nanos += now - (before.get(thread) ?? 0);
  return nanos / 1e9;
}

/** Counts CPU seconds of processes from now on, to the nanosecond unless a thread ends. */
export function startCpuMeter(pids: () => readonly number[]): () => number {
  const before = readCpuSeconds(pids());
  const nanosBefore = readThreadNanos(pids());
  return () => {
    const now = pids();
    return secondsBetween(nanosBefore, readThreadNanos(now)) ?? readCpuSeconds(now) - before;
  };
}
