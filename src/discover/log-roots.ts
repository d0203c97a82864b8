// Which files the agent may read at all. A pod that can write to a host path can plant links, and
// the agent runs as root: without this it would ship /etc/shadow. Called by discovery for every
// link; whoever opens a file looks once more, as a directory may be swapped for a link in between.
// Invariant: no path leaves here that does not lie, with every link resolved, under a real log
// root.

import { lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { hasCode } from '../errors.ts';

/**
 * Where a link leads: the directory's real path, the live file's name in it, and the real path of
 * the file.
 */
export type LogPlace = {
  readonly directory: string;
  readonly fileName: string;
  readonly realPath: string;
};

/**
 * `nowhere` may become a place later (rotation, not created yet); `refused` is never read as long
 * as it stays so.
 */
export type Resolution =
  | { readonly kind: 'place'; readonly place: LogPlace }
  | { readonly kind: 'nowhere' }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Real paths of the roots that exist now; a root may itself be a link, e.g. /var/log/pods onto
 * another disk.
 */
export function resolveRoots(logRoots: readonly string[]): readonly string[] {
  return logRoots.map(realPathOf).filter((root) => root !== undefined);
}

/**
 * Resolves what a name in the containers directory leads to; `target` is the link's text, made
 * absolute. Never throws.
 */
export function resolveLog(target: string, roots: readonly string[]): Resolution {
  try {
    return resolveFile(target, roots);
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

function resolveFile(target: string, roots: readonly string[]): Resolution {
  let realPath: string;
  try {
    realPath = realpathSync.native(target);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return resolveGap(target, roots);
  }
  if (!isUnder(realPath, roots)) return outside(realPath);
  if (!lstatSync(realPath).isFile()) {
    return { kind: 'refused', reason: `leads to something that is no regular file, ${realPath}` };
  }
  return {
    kind: 'place',
    place: { directory: dirname(realPath), fileName: basename(realPath), realPath },
  };
}

/**
 * In a rotation's gap `0.log` is missing while its writer still fills `0.log.<time>`: the directory
 * and a file of that name with anything behind it are enough to go on. Source: kubelet
 * container_log_manager.go, which renames before it reopens.
 */
function resolveGap(target: string, roots: readonly string[]): Resolution {
  const path = finalTarget(target);
  const directory = dirname(path);
  if (!isUnder(directory, roots)) return outside(directory);
  const fileName = basename(path);
  const rotated = readdirSync(directory, { withFileTypes: true }).some(
    (entry) => entry.name.startsWith(`${fileName}.`) && entry.isFile(),
  );
  if (!rotated) return { kind: 'nowhere' };
  return { kind: 'place', place: { directory, fileName, realPath: path } };
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

function outside(realPath: string): Resolution {
  return { kind: 'refused', reason: `leads outside the log roots, to ${realPath}` };
}

function isUnder(realPath: string, roots: readonly string[]): boolean {
  return roots.some(
    (root) => realPath === root || realPath.startsWith(root === '/' ? root : `${root}/`),
  );
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    // Missing, a loop, or not ours to look into: either way nothing that may be read.
    return undefined;
  }
}
