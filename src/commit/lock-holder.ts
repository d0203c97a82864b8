// Who holds the lock on the state directory: names the other agent in the error instead of leaving
// the user to search for it.

import { readFileSync, statSync } from 'node:fs';

/**
 * The process that holds a POSIX lock on the file; undefined if none does, or if it lives in
 * another pid namespace. Source: proc_locks(5), `1: POSIX  ADVISORY  WRITE 4711
 * fe:00:262149 1073741826 1073742335`, with the device in hex.
 */
export function lockHolder(path: string): number | undefined {
  try {
    // Opening the file here, even for reading, would end our own locks on it when it is closed.
    const { ino } = statSync(path, { bigint: true });
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, kind, , , pid, file] = line.split(/\s+/);
      // The inode number alone: the device that overlay file systems show in stat is another one
      // than the kernel's.
      if (kind === 'POSIX' && file?.endsWith(`:${ino}`) === true && Number(pid) > 0) {
        return Number(pid);
      }
    }
  } catch {
    // Without /proc there is no name to give.
  }
  return undefined;
}
