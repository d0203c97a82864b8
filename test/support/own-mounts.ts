// File systems that only a command of the test sees, in a mount namespace of its own; needs root.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

export const mayMount =
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** Of tests that are left out for it. */
export const whyNoMounts = mayMount ? '' : ' (skipped: may not mount)';

/** Before a command: with a file system of its own in the place of `directory`. */
export function underTmpfs(directory: string, options: string): string[] {
  fs.mkdirSync(directory, { recursive: true });
  const script = `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, directory];
}
