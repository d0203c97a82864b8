// Finds plain log files by glob, for `--format raw` and for the node's own logs, by scans alone.
//
// Invariant: a rotation of a known log is never treated as a separate log, whatever the patterns
// match, even while the live file is being replaced.

import { globSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { isSystemError } from '../errors.ts';
import type { ContainerLog, ContainerName } from './container-name.ts';
import type { Discovery, DiscoveryEvents } from './discovery.ts';

export type RawDiscoveryOptions = {
  /** Absolute patterns, such as `/logs/*.log`. */
  readonly rawPaths: readonly string[];
  /** undefined: the files ship as the node's, with the path as a label. */
  readonly name: ContainerName | undefined;
  readonly scanIntervalMs: number;
  /** Whether the first file name is a rotation of the log whose live file has the second. */
  readonly isRotationOf: (fileName: string, liveName: string) => boolean;
  /** Whether an earlier run has read a log. */
  readonly isKnown: (log: ContainerLog) => boolean;
};

/** Completes the first scan, with all its events, before it returns. */
export function startRawDiscovery(
  options: RawDiscoveryOptions,
  events: Pick<DiscoveryEvents, 'added' | 'removed'>,
): Pick<Discovery, 'scan' | 'close'> {
  const found = new Map<string, ContainerLog>();
  const scan = () => {
    const logs = findLogs(options, found);
    for (const [path, log] of found) {
      if (logs.has(path)) continue;
      found.delete(path);
      events.removed(log);
    }
    for (const [path, log] of logs) {
      if (found.has(path)) continue;
      found.set(path, log);
      events.added(log);
    }
  };
  scan();
  const timer = setInterval(scan, options.scanIntervalMs);
  return {
    scan,
    close: async () => clearInterval(timer),
  };
}

/** By the paths of the live files; `found`: those of the previous scan. */
function findLogs(
  options: RawDiscoveryOptions,
  found: ReadonlyMap<string, ContainerLog>,
): Map<string, ContainerLog> {
  const files = new Map<string, string>();
  for (const path of globSync([...options.rawPaths])) {
    const real = realFile(path);
    if (real !== undefined) files.set(path, real);
  }
  const logs = new Map<string, ContainerLog>();
  for (const [path, real] of files) {
    const live = liveNamesOf(basename(path))
      .filter((liveName) => options.isRotationOf(basename(path), liveName))
      .map((liveName) => ({ path: join(dirname(path), liveName), real: beside(real, liveName) }))
      .find(
        (each) =>
          files.has(each.path) || found.has(each.path) || options.isKnown(logOf(each, options)),
      );
    const at = live ?? { path, real };
    logs.set(
      at.path,
      found.get(at.path) ?? logOf({ ...at, real: files.get(at.path) ?? at.real }, options),
    );
  }
  return logs;
}

function logOf(
  { path, real }: { path: string; real: string },
  { name }: RawDiscoveryOptions,
): ContainerLog {
  return {
    linkPath: path,
    directory: dirname(real),
    fileName: basename(real),
    format: 'raw',
    // Files of one container can begin with the same line: their paths distinguish them.
    name: name === undefined ? undefined : { ...name, podUid: `path:${real}` },
  };
}

/** undefined if it is no file, or unreadable. */
function realFile(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? realpathSync(path) : undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return undefined;
  }
}

/** Possible names of the live file of which `fileName` is a rotation. */
function liveNamesOf(fileName: string): string[] {
  return [...fileName.matchAll(/[-._]/g)].map(({ index }) => fileName.slice(0, index));
}

function beside(path: string, fileName: string): string {
  return join(dirname(path), fileName);
}
