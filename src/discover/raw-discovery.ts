// Finds plain log files by glob for `--format raw`: the sidecar, whose container writes files and
// not stdout. There are few files and no links: the scan alone finds them.

import { globSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

import type { ContainerName } from './container-name.ts';
import type { Discovery, DiscoveryEvents } from './discovery.ts';
import type { ContainerLog } from './links/link-events.ts';

export type RawDiscoveryOptions = {
  /** Absolute patterns of node:fs's glob, such as `/logs/*.log`. */
  readonly rawPaths: readonly string[];
  /** Names of the container; undefined: the files ship as the node's, with a path as label. */
  readonly name: ContainerName | undefined;
  readonly scanIntervalMs: number;
};

/** The directory of a pattern above its first wildcard: its files must lie under it. */
export function globBase(pattern: string): string {
  const parts = resolve(pattern).split('/');
  const wild = parts.findIndex((part) => /[*?[\]{}()!+@]/.test(part));
  return parts.slice(0, wild === -1 ? -1 : wild).join('/') || '/';
}

/** The first scan, with all its events, happens before this returns. */
export function startRawDiscovery(
  options: RawDiscoveryOptions,
  events: Pick<DiscoveryEvents, 'added' | 'removed'>,
): Pick<Discovery, 'scan' | 'close'> {
  const found = new Map<string, ContainerLog>();
  const scan = () => {
    const paths = new Set(globSync([...options.rawPaths]).filter((path) => isFile(path)));
    for (const [path, log] of found) {
      if (paths.has(path)) continue;
      found.delete(path);
      events.removed(log);
    }
    for (const path of paths) {
      if (found.has(path)) continue;
      const real = realpathSync(path);
      const log: ContainerLog = {
        linkPath: path,
        directory: dirname(real),
        fileName: basename(real),
        format: 'raw',
        // Files of one container can begin with the same line: their paths tell them apart.
        name: options.name === undefined ? undefined : { ...options.name, podUid: `path:${real}` },
      };
      found.set(path, log);
      events.added(log);
    }
  };
  scan();
  const clock = setInterval(scan, options.scanIntervalMs);
  return {
    scan,
    close: async () => clearInterval(clock),
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
