// Directories that files may be read from, and whether a file lies in one of them. Both are
// compared as real paths: with every link resolved, a path that begins with a root lies below it.

import { realpathSync } from 'node:fs';

/** Real paths of `roots`. One that cannot be resolved stays as it is: nothing is below it yet. */
export function realRoots(roots: readonly string[]): readonly string[] {
  return roots.map((root) => {
    try {
      return realpathSync.native(root);
    } catch {
      return root;
    }
  });
}

/** Whether the real path is one of `roots` or below one. */
export function isUnder(realPath: string, roots: readonly string[]): boolean {
  return roots.some(
    (root) => realPath === root || realPath.startsWith(root === '/' ? root : `${root}/`),
  );
}
