// Where a link in the containers directory leads, and which container's log that is.

import { readlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { hasCode } from '../../errors.ts';
import { type ContainerLog, namesItsContainer, parseContainerName } from '../container-name.ts';
import type { LogLocation } from './log-roots.ts';

/** The link's absolute target; a file that is no link is its own; undefined: unreadable. */
export function readTarget(directory: string, name: string): string | undefined {
  const path = join(directory, name);
  try {
    return resolve(directory, readlinkSync(path));
  } catch (error) {
    return hasCode(error, 'EINVAL') ? path : undefined;
  }
}

export function describeLog(linkPath: string, target: string, location: LogLocation): ContainerLog {
  const { directory, fileName, realPath } = location;
  // With docker only the link's target names the pod, not the real path.
  const named = namesItsContainer(realPath) ? realPath : target;
  return {
    linkPath,
    directory,
    fileName,
    format: fileName.endsWith('-json.log') ? 'docker' : 'cri',
    name: parseContainerName(basename(linkPath), named),
  };
}

/** The directory of the log's pod if the path contains it, else that of the log. */
export function ownerOf({
  directory,
  fileName,
}: Pick<LogLocation, 'directory' | 'fileName'>): string {
  return namesItsContainer(join(directory, fileName)) ? dirname(directory) : directory;
}
