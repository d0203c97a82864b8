// Opens only what is in a container's own directory: a pod that can write below /var/log may at any
// moment put a link, a FIFO or another pod's directory where a log was.
//
// Invariant: the result is a regular file (or a directory) whose real path is the one that was
// asked for. The kernel names the path of an open file, so replacing a directory before, during or
// after the walk cannot lead elsewhere. Node has no openat(2); this proves the same.

import { constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

import { closeDescriptor } from '../descriptor.ts';
import { AgentError, hasCode } from '../errors.ts';
import { isUnder } from '../real-roots.ts';

export type OpenedLogFile = { readonly fd: number; readonly stats: Stats };

/** O_PATH of open(2), which node:fs lacks: names a file without opening it. */
const pathOnly = 0o10000000;

/**
 * Opens `path`, whose directory is a real path, for reading; never waits for a FIFO. O_PATH first
 * would take 10 µs more, and a start opens thousands.
 * @throws AgentError LINK_REFUSED when it is a link or no regular file, or lies in another
 * directory than `path` says or outside `roots` (real paths without a trailing slash); the system
 * error.
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
    // Only the directory counts: the file may have been rotated since.
    if (dirname(real) !== dirname(path)) throw elsewhere(path, real);
    return { fd, stats };
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/**
 * Opens the directory at the real path `path`; its files are at `/proc/self/fd/<fd>/`, whatever
 * becomes of the path.
 * @throws AgentError LINK_REFUSED when it is another directory; the system error.
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
    // Only the owner may use O_NOATIME; without it a read sometimes updates the inode.
    if (hasCode(error, 'EPERM')) return openSync(path, flags & ~constants.O_NOATIME);
    throw error;
  }
}
