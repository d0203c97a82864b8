// Opens a log file so that a pod that can write into a log directory cannot make the agent read
// something else. Called by log-file.ts for each file, rotated or live.

import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';

import { AgentError } from '../errors.ts';

export type OpenedLogFile = { readonly fd: number; readonly stats: Stats };

/**
 * Opens `path` for reading; the last step is no link, the file is a regular one, and what was
 * opened lies under one of `roots` (real paths without a trailing slash). The place is read back
 * from the kernel, so a directory swapped for a link after discovery is found too.
 * @throws AgentError LINK_REFUSED; the system error (ENOENT, EACCES, EMFILE) as it is.
 */
export function openLogFile(path: string, roots: readonly string[]): OpenedLogFile {
  const flags =
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOATIME;
  const fd = openForReading(path, flags);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new AgentError('LINK_REFUSED', `${path} is no regular file`);
    const real = readlinkSync(`/proc/self/fd/${fd}`);
    if (!roots.some((root) => real.startsWith(root === '/' ? root : `${root}/`))) {
      throw new AgentError('LINK_REFUSED', `${path} leads to ${real}, outside every log root`);
    }
    return { fd, stats };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openForReading(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ELOOP') {
      throw new AgentError('LINK_REFUSED', `${path} is a link`, { cause: error });
    }
    // O_NOATIME is only for the owner of the file; without it the read costs an inode update now
    // and then.
    if (code === 'EPERM') return openSync(path, flags & ~constants.O_NOATIME);
    throw error;
  }
}
