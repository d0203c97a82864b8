// Ships by `run --once`, in a process of its own, whatever the flags point it at, and returns its
// summary. For tests that lay out their files themselves.

import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const mainFile = resolve(import.meta.dirname, '../../src/main.ts');

/**
 * The JSON summary; rejects with the agent's stderr when it fails. The state is kept in
 * `root`/state.
 */
export async function runOnceProcess(
  root: string,
  endpoint: string,
  flags: readonly string[],
): Promise<Record<string, number>> {
  const words = ['run', '--once', '--state-dir', join(root, 'state'), '--endpoint', endpoint];
  const run = promisify(execFile)(process.execPath, [mainFile, ...words, ...flags]);
  return JSON.parse((await run).stdout) as Record<string, number>;
}
