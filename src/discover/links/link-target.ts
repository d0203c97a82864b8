// Where a name in the containers directory leads to, and which container's log that is.

import { readlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { hasCode } from '../../errors.ts';
import { namesItsContainer, parseContainerName } from '../container-name.ts';
import type { ContainerLog } from './link-events.ts';
import type { LogLocation } from './log-roots.ts';

/**
 * The link's text made absolute; a file that is no link is its own target; undefined when it is
 * gone or unreadable.
 */
export function readTarget(directory: string, name: string): string | undefined {
  const path = join(directory, name);
  try {
    return resolve(directory, readlinkSync(path));
  } catch (error) {
    return hasCode(error, 'EINVAL') ? path : undefined;
  }
}

/** The log that a link with the text `target` leads to. */
export function describeLog(linkPath: string, target: string, location: LogLocation): ContainerLog {
  const { directory, fileName, realPath } = location;
  // With docker the link's first hop names the pod and the real path does not; with /var/log/pods
  // a link, both do.
  const named = namesItsContainer(realPath) ? realPath : target;
  return {
    linkPath,
    directory,
    fileName,
    format: fileName.endsWith('-json.log') ? 'docker' : 'cri',
    name: parseContainerName(basename(linkPath), named),
  };
}

/** The directory of the log's pod, as far as the path tells; else that of the log. */
export function ownerOf({
  directory,
  fileName,
}: Pick<LogLocation, 'directory' | 'fileName'>): string {
  return namesItsContainer(join(directory, fileName)) ? dirname(directory) : directory;
}
