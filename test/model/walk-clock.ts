// A clock for a walk in one thread: time passes only when the walk says so, and files that were
// written get its time.
//
// Invariant: no two readings are the same, and none goes back.

import fs from 'node:fs';
import path from 'node:path';

let skewMs = 0;
/** Of inodes: the time that this clock has given them last. */
const stamped = new Map<number, number>();

/** Runs something by a clock that goes on only when it is told to. */
export async function withClock<T>(run: () => Promise<T>): Promise<T> {
  const steadyNow = performance.now.bind(performance);
  const wallNow = Date.now.bind(Date);
  const [fromMs, wallFromMs] = [steadyNow(), wallNow()];
  skewMs = 0;
  stamped.clear();
  performance.now = () => fromMs + (skewMs += 0.001);
  Date.now = () => wallFromMs + skewMs;
  try {
    return await run();
  } finally {
    performance.now = steadyNow;
    Date.now = wallNow;
  }
}

export function passTime(ms: number): void {
  skewMs += ms;
}

/** Gives a directory and its files, where they changed since the last time, its time. */
export function stampFiles(directory: string): void {
  const names = fs.readdirSync(directory).map((name) => path.join(directory, name));
  for (const name of [...names, directory]) {
    const { mtimeMs, ino } = fs.statSync(name);
    if (stamped.get(ino) === mtimeMs) continue;
    fs.utimesSync(name, Date.now() / 1_000, Date.now() / 1_000);
    stamped.set(ino, fs.statSync(name).mtimeMs);
  }
}
