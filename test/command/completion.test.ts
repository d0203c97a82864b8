// The scripts of `tailship completion`, tried in the shells themselves where they are installed.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionScript, shells } from '../../src/command/completion.ts';
import { configKeys, flagOf } from '../../src/options/config-loader.ts';
import { commands } from '../../src/options/options.ts';

/** A shell complains of a language that is not installed. */
const env = { ...process.env, LC_ALL: 'C' };

function writeScript(shell: (typeof shells)[number]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tailship-completion-')), shell);
  writeFileSync(file, completionScript(shell));
  return file;
}

function bash(...words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash')}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_tailship; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-euc', script], {
    encoding: 'utf8',
    env,
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('in bash', () => {
  test('the first word is a command', () => {
    expect(bash('tailship', '')).toEqual([...commands, 'help', '--help', '--version']);
    expect(bash('tailship', 'de')).toEqual(['demo', 'dead-letters']);
  });

  test('flags are those of the command', () => {
    expect(bash('tailship', 'run', '--con')).toEqual([
      '--config',
      '--containers-dir',
      '--container',
      '--connections',
    ]);
    expect(bash('tailship', 'emulator', '--con')).toEqual(['--config']);
    expect(bash('tailship', 'run', '--no-g')).toEqual(['--no-gzip']);
  });

  test('values are those that are allowed', () => {
    expect(bash('tailship', 'run', '--log-level', 'w')).toEqual(['warn']);
    expect(bash('tailship', 'run', '--log-level', '=', '')).toEqual([
      'debug',
      'info',
      'warn',
      'error',
    ]);
    expect(bash('tailship', 'run', '--log-level', '=')).toEqual(['debug', 'info', 'warn', 'error']);
    expect(bash('tailship', 'run', '--from', '')).toEqual(['start', 'end']);
    expect(bash('tailship', 'migrate', '--from', 'flu')).toEqual(['fluentd', 'fluent-bit']);
    expect(bash('tailship', 'run', '--config', 'pack')).toContain('package.json');
    expect(bash('tailship', 'run', '--workers', '')).toEqual([]);
  });

  test('words of a command come before its flags', () => {
    expect(bash('tailship', 'dead-letters', 'c')).toEqual(['clear']);
    expect(bash('tailship', 'completion', '')).toEqual([...shells, '--help']);
  });
});

test.each(shells)('the script of %s knows every option and is valid there', (shell) => {
  const script = completionScript(shell);
  for (const key of configKeys) {
    const name = flagOf(key).slice(2);
    expect(script).toContain(shell === 'fish' ? `-l ${name}` : `--${name}`);
  }
  if (!existsSync(`/usr/bin/${shell}`)) return;
  const { status, stderr } = spawnSync(shell, ['-n', writeScript(shell)], {
    encoding: 'utf8',
    env,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test.skipIf(!existsSync('/usr/bin/fish'))('in fish, flags and values are completed', () => {
  const complete = (line: string): string[] => {
    const words = ['--no-config', '-c', `source ${writeScript('fish')}; complete -C '${line}'`];
    const { stdout } = spawnSync('fish', words, { encoding: 'utf8' });
    return stdout
      .trim()
      .split('\n')
      .map((each) => each.split('\t')[0] ?? '');
  };
  expect(complete('tailship run --log-level ')).toEqual(['debug', 'error', 'info', 'warn']);
  expect(complete('tailship dead-l')).toEqual(['dead-letters']);
  expect(complete('tailship run --containers-d')).toEqual(['--containers-dir']);
});
