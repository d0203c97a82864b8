// Runs a scene of mount-scene.ts in a mount namespace of its own.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { temporaryDirectory } from './fixtures.ts';

/** With an empty directory of its own; gives what it printed. */
export function play(scene: string): unknown {
  const directory = temporaryDirectory();
  const program = join(import.meta.dirname, 'mount-scene.ts');
  const output = execFileSync('unshare', ['--mount', process.execPath, program, scene, directory], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output);
}
