// Finds the process that holds the lock on the state directory, for the error message.

import { readFileSync, statSync } from 'node:fs';

/**
 * The holder of a POSIX lock on the file; undefined if there is none, or if it is in another pid
 * namespace. Source: proc_locks(5), `1: POSIX  ADVISORY  WRITE 4711 fe:00:262149 1073741826
 * 1073742335`, with the device in hex.
 */
export function lockHolder(path: string): number | undefined {
  try {
    // Opening the file, even for reading, would release our own locks when it is closed.
    const { ino } = statSync(path, { bigint: true });
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, kind, , , pid, file] = line.split(/\s+/);
      // The inode number alone, because overlay file systems show another device in stat.
      if (kind === 'POSIX' && file?.endsWith(`:${ino}`) === true && Number(pid) > 0) {
        return Number(pid);
      }
    }
  } catch {
    // There is no /proc.
  }
  return undefined;
}
