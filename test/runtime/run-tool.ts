// Runs a program to its end; what it said on stderr is part of the error when it fails.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Resolves to stdout. */
export async function runTool(command: string, words: readonly string[]): Promise<string> {
  const { stdout } = await execute(command, [...words], { encoding: 'utf8' });
  return stdout;
}
