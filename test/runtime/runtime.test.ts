// The command of the runtime tests, as far as a machine without runtimes can show it.

import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

const command = path.join(import.meta.dirname, 'runtime.ts');
const isRoot = process.geteuid?.() === 0;
const nobody = 65_534;

test('says what it leaves out, and ends with 0, without root', () => {
  // Another user may not be let into the directory of the project.
  const script = `process.setuid(${nobody}); await import(${JSON.stringify(command)});`;
  const words = isRoot ? ['--input-type=module', '--eval', script] : [command];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toBe('left out: real runtimes: they need root\n');
  expect(status).toBe(0);
});

test.runIf(isRoot)('says which programs are missing, and ends with 0', () => {
  const environment = { PATH: '/nowhere' };
  const output = execFileSync(process.execPath, [command], { encoding: 'utf8', env: environment });
  expect(output).toMatch(/^left out: real runtimes: not installed: .*unshare/);
});
