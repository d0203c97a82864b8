// By what the fleet and the store know a container.

import type { ContainerLog } from '../discover/discovery.ts';

/**
 * A CRI container's restarts share their directory and so their chain; other logs have one each.
 */
export function keyOf(containerLog: ContainerLog): string {
  return /^\d+\.log$/.test(containerLog.fileName)
    ? containerLog.directory
    : `${containerLog.directory}/${containerLog.fileName}`;
}

/** Whose positions they are, in the store. */
export function ownerOf({ name, directory, fileName }: ContainerLog): {
  podUid: string;
  container: string;
} {
  return { podUid: name?.podUid ?? `path:${directory}`, container: name?.container ?? fileName };
}
