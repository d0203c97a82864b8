// The command of the runtime tests, as far as a machine without runtimes can show it.

import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

const command = path.join(import.meta.dirname, 'runtime.ts');
const isRoot = process.geteuid?.() === 0;
/** Another user, who may read what is root's alone: the project may be in such a directory. */
const asNobody = [
  'setpriv',
  '--reuid=65534',
  '--regid=65534',
  '--clear-groups',
  '--inh-caps=+dac_read_search',
  '--ambient-caps=+dac_read_search',
];

test('says what it leaves out, and ends with 0, without root', () => {
  const [program, ...words] = [...(isRoot ? asNobody : []), process.execPath, command];
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toBe('left out: real runtimes: they need root\n');
  expect(status).toBe(0);
});

test.runIf(isRoot)('says which programs are missing, and ends with 0', () => {
  const environment = { PATH: '/nowhere' };
  const output = execFileSync(process.execPath, [command], { encoding: 'utf8', env: environment });
  expect(output).toMatch(/^left out: real runtimes: not installed: .*unshare/);
});
