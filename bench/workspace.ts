// The temporary folder of one benchmark run. The log files are in memory where there is room, so
// that no disk disturbs; the agents' state is on the disk of the temporary directory, because a
// store that never waits for a disk would flatter them.

import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export type Workspace = {
  /** A new, empty folder for log files. */
  makeLogs(name: string): string;
  /** Gives the room of `makeLogs(name)` back. */
  removeLogs(name: string): void;
  /** A new, empty folder for one run of one peer. */
  makeState(name: string): string;
  readonly logsOnTmpfs: boolean;
  remove(): void;
};

function hasRoom(folder: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > bytes;
  } catch {
    return false; // No such file system on this machine.
  }
}

/** `logBytes` is about what the log files will take. */
export function makeWorkspace(logBytes: number): Workspace {
  const logsOnTmpfs = hasRoom('/dev/shm', logBytes * 2);
  const logs = mkdtempSync(path.join(logsOnTmpfs ? '/dev/shm' : os.tmpdir(), 'tailship-bench-'));
  const states = mkdtempSync(path.join(os.tmpdir(), 'tailship-bench-'));
  let stateCount = 0;
  return {
    logsOnTmpfs,
    makeLogs(name) {
      // syslog-ng takes the names of pod and container only out of a path that ends like this.
      const folder = path.join(logs, name, 'var/log');
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    removeLogs(name) {
      rmSync(path.join(logs, name), { recursive: true, force: true });
    },
    makeState(name) {
      const folder = path.join(states, `${name}-${stateCount++}`);
      mkdirSync(folder);
      return folder;
    },
    remove() {
      rmSync(logs, { recursive: true, force: true });
      rmSync(states, { recursive: true, force: true });
    },
  };
}
