// Opens what lies in a container's own directory, and nothing else: a pod that can write below
// /var/log may at any moment put a link, a FIFO or another pod's directory where a log was.
//
// Invariant: what is returned is a regular file (or a directory) whose real place is the one that
// its path names. The kernel tells the place of what was opened, so no exchange of a directory
// before, during or after the walk can lead elsewhere. Node has no openat(2); this proves the same.

import { constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

import { closeDescriptor } from '../descriptor.ts';
import { AgentError, hasCode } from '../errors.ts';
import { isUnder } from '../real-roots.ts';

export type OpenedLogFile = { readonly fd: number; readonly stats: Stats };

/** open(2), O_PATH, which node:fs does not name: whatever lies there is named, not opened. */
const pathOnly = 0o10000000;

/**
 * Opens `path`, whose directory is a real path, for reading; never waits for a FIFO. It is opened
 * at once and looked at then: O_PATH first would take 10 µs more, and a start opens thousands.
 * @throws AgentError LINK_REFUSED when the last step is a link, the file is no regular one, it lies
 * in another directory than `path` says, or outside `roots` (real paths without a trailing slash);
 * the system error (ENOENT, EACCES, EMFILE) as it is.
 */
export function openLogFile(path: string, roots: readonly string[]): OpenedLogFile {
  const fd = openForReading(path);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new AgentError('LINK_REFUSED', `${path} is no regular file`);
    const real = pathOf(fd);
    if (!isUnder(dirname(real), roots)) {
      throw new AgentError('LINK_REFUSED', `${path} leads to ${real}, outside every log root`);
    }
    // Its name may be another one by now: logs are rotated.
    if (dirname(real) !== dirname(path)) throw elsewhere(path, real);
    return { fd, stats };
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/**
 * Opens the directory at the real path `path`. Its files are found under `/proc/self/fd/<fd>/`,
 * whatever is put in the place of the path.
 * @throws AgentError LINK_REFUSED when another directory lies there; the system error as it is.
 */
export function openOwnDirectory(path: string): OpenedLogFile {
  const fd = openSync(path, pathOnly);
  try {
    const stats = fstatSync(fd);
    if (!stats.isDirectory()) {
      throw new AgentError('LINK_REFUSED', `${path} is no directory`);
    }
    const real = pathOf(fd);
    if (real !== path) throw elsewhere(path, real);
    return { fd, stats };
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function pathOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

function elsewhere(path: string, real: string): AgentError {
  return new AgentError('LINK_REFUSED', `${path} leads to ${real}, another place than its own`);
}

function openForReading(path: string): number {
  const flags =
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOATIME;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (hasCode(error, 'ELOOP')) {
      throw new AgentError('LINK_REFUSED', `${path} is a link`, { cause: error });
    }
    // O_NOATIME is only for the owner of the file; without it the read costs an inode update now
    // and then.
    if (hasCode(error, 'EPERM')) return openSync(path, flags & ~constants.O_NOATIME);
    throw error;
  }
}
