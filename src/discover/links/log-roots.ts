// Which files the agent may read. A pod that can write to a host path can plant links, and the
// agent runs as root: it would ship /etc/shadow. Opening a file checks again, because a directory
// may be replaced by a link meanwhile. Invariant: every returned path, with all links resolved, is
// under a real log root.

import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { limits } from '../../config.ts';
import { readNames } from '../../directory-names.ts';
import { errorText, hasCode } from '../../errors.ts';
import { isUnder } from '../../real-roots.ts';

/** `directory` and `realPath` are real paths; `fileName`: of the live file. */
export type LogLocation = {
  readonly directory: string;
  readonly fileName: string;
  readonly realPath: string;
};

/** `nowhere`: not created yet, or just rotated; `refused`: must not be read. */
export type Resolution =
  | { readonly kind: 'found'; readonly location: LogLocation }
  | { readonly kind: 'nowhere' }
  | { readonly kind: 'refused'; readonly reason: string };

/** By directory: names of files that were rotated away. */
export type Rotations = Map<string, ReadonlySet<string>>;

/** What links that are resolved together share. */
export type Where = { readonly roots: readonly string[]; readonly rotations: Rotations };

/** `target`: the link's absolute target. */
export function resolveLog(target: string, where: Where): Resolution {
  try {
    return resolveFile(target, where);
  } catch (error) {
    // Files that go meanwhile, and a lack of descriptors or memory, are for the next scan.
    if (!hasCode(error, 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG')) return { kind: 'nowhere' };
    return { kind: 'refused', reason: `cannot be resolved: ${errorText(error)}` };
  }
}

function resolveFile(target: string, where: Where): Resolution {
  const { roots } = where;
  // An exception costs ten times as much, and many links may lead nowhere.
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
 * The kubelet renames `0.log` to `0.log.<time>` before the runtime opens a new one
 * (container_log_manager.go): meanwhile a file whose name begins with `0.log.` is enough.
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

/** Contains `0.log` if there is a `0.log.20240305-140721`. Reads at most `gapNamesMax` names. */
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

/** Follows the links of a path whose last component is missing. @throws ENOENT: a directory is. */
function finalTarget(target: string): string {
  let path = target;
  // As many links as the kernel follows.
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
