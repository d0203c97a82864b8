// Which files the agent may read at all. A pod that can write to a host path can plant links, and
// the agent runs as root: without this it would ship /etc/shadow. Who opens a file checks its
// location again, because a directory may be replaced by a link in between. Invariant: no path
// leaves here that does not lie, with every link resolved, under a real log root.

import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { limits } from '../../config.ts';
import { readNames } from '../../directory-names.ts';
import { hasCode } from '../../errors.ts';
import { isUnder } from '../../real-roots.ts';

/**
 * Where a link leads: the directory's real path, the live file's name in it, and the real path of
 * the file.
 */
export type LogLocation = {
  readonly directory: string;
  readonly fileName: string;
  readonly realPath: string;
};

/**
 * `nowhere` may be found later (rotation, not created yet); `refused` is never read as long
 * as it stays so.
 */
export type Resolution =
  | { readonly kind: 'found'; readonly location: LogLocation }
  | { readonly kind: 'nowhere' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Names in a directory that something was rotated away from, of one moment. */
export type Rotations = Map<string, ReadonlySet<string>>;

type Where = { readonly roots: readonly string[]; readonly rotations: Rotations };

/**
 * Resolves what a name in the containers directory leads to; `target` is the link's text, made
 * absolute. Links that are resolved together share `rotations`. Never throws.
 */
export function resolveLog(
  target: string,
  roots: readonly string[],
  rotations: Rotations = new Map(),
): Resolution {
  try {
    return resolveFile(target, { roots, rotations });
  } catch (error) {
    // What went away between two calls, and a shortage of descriptors or memory, is over by the
    // next scan.
    if (!hasCode(error, 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG')) return { kind: 'nowhere' };
    return {
      kind: 'refused',
      reason: `cannot be resolved: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

function resolveFile(target: string, where: Where): Resolution {
  const { roots } = where;
  // Errors cost ten times as much as an answer, and links that lead nowhere may be many.
  if (!exists(dirname(target))) return { kind: 'nowhere' };
  if (!exists(target)) return resolveGap(target, where);
  let realPath: string;
  try {
    realPath = realpathSync.native(target);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return resolveGap(target, where);
  }
  if (!isUnder(realPath, roots)) return outside(realPath);
  if (!lstatSync(realPath).isFile()) {
    return { kind: 'refused', reason: `leads to something that is no regular file, ${realPath}` };
  }
  return {
    kind: 'found',
    location: { directory: dirname(realPath), fileName: basename(realPath), realPath },
  };
}

/**
 * In a rotation's gap `0.log` is missing while its writer still fills `0.log.<time>`: the directory
 * and a file of that name with anything behind it are enough to go on. Source: kubelet
 * container_log_manager.go, which renames before it reopens.
 */
function resolveGap(target: string, { roots, rotations }: Where): Resolution {
  const path = finalTarget(target);
  const directory = dirname(path);
  if (!isUnder(directory, roots)) return outside(directory);
  const fileName = basename(path);
  let rotated = rotations.get(directory);
  if (rotated === undefined) rotations.set(directory, (rotated = rotatedNames(directory)));
  if (!rotated.has(fileName)) return { kind: 'nowhere' };
  return { kind: 'found', location: { directory, fileName, realPath: path } };
}

/**
 * `0.log` for `0.log.20240305-140721` and the like, of so many names only: the gap is over before a
 * large directory is read.
 */
function rotatedNames(directory: string): ReadonlySet<string> {
  const rotated = new Set<string>();
  let count = 0;
  for (const entry of readNames(directory)) {
    for (let end = entry.name.indexOf('.', 1); end > 0; end = entry.name.indexOf('.', end + 1)) {
      if (entry.isFile()) rotated.add(entry.name.slice(0, end));
    }
    count += 1;
    if (count === limits.gapNamesMax) break;
  }
  return rotated;
}

/**
 * Follows the links of a path whose last component is missing, where realpath gives nothing; throws
 * ENOENT if a directory is missing.
 */
function finalTarget(target: string): string {
  let path = target;
  // The kernel follows 40 links, too.
  for (let hops = 0; hops < 40; hops += 1) {
    path = join(realpathSync.native(dirname(path)), basename(path));
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) break;
    path = resolve(dirname(path), readlinkSync(path));
  }
  return path;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function outside(realPath: string): Resolution {
  return { kind: 'refused', reason: `leads outside the log roots, to ${realPath}` };
}
