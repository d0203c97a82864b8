// The directories under which a container's log may lie, as the configuration names them.

import { resolve } from 'node:path';

/** The directory above a pattern's first wildcard: its files are below it. */
export function globBase(pattern: string): string {
  const parts = resolve(pattern).split('/');
  const wild = parts.findIndex((part) => /[*?[\]{}()!+@]/.test(part));
  return parts.slice(0, wild === -1 ? -1 : wild).join('/') || '/';
}

/** Roots of container logs. */
export function logRootsOf(options: {
  readonly format: 'cri' | 'raw';
  readonly rawPath: readonly string[];
  readonly logRoot: readonly string[];
}): readonly string[] {
  return options.format === 'raw' ? options.rawPath.map(globBase) : options.logRoot;
}
