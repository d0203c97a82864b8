import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseFlags } from '../../src/command/argv.ts';
import { type Invocation, runCli } from '../../src/command/cli.ts';
import { configKeys, flagOf, rowOf, variableOf } from '../../src/options/config-loader.ts';
import { nearest } from '../../src/options/nearest.ts';
import { commands } from '../../src/options/options.ts';
import { version } from '../../src/version.ts';

type Ran = { readonly code: number; readonly out: string; readonly error: string };

async function run(words: readonly string[], more: Partial<Invocation> = {}): Promise<Ran> {
  const out: string[] = [];
  const error: string[] = [];
  const code = await runCli({
    words,
    environment: {},
    signal: new AbortController().signal,
    outputClosed: new AbortController().signal,
    terminalSize: () => undefined,
    isErrorTerminal: false,
    writeOut: (line) => void out.push(line),
    writeError: (line) => void error.push(line),
    ...more,
  });
  return { code, out: out.join('\n'), error: error.join('\n') };
}

describe('tailship', () => {
  test('--version prints the version of package.json', async () => {
    const packageFile = new URL('../../package.json', import.meta.url);
    const { version: written } = JSON.parse(readFileSync(packageFile, 'utf8')) as {
      version: string;
    };
    expect(await run(['--version'])).toEqual({ code: 0, out: written, error: '' });
    expect(version).toBe(written);
  });

  test('without a command prints the help on stderr and exits 2', async () => {
    const { code, out, error } = await run([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toContain('Usage: tailship COMMAND');
  });

  test.each([['--help'], ['-h'], ['help']])('%s names every command on stdout', async (word) => {
    const { code, out } = await run([word]);
    expect(code).toBe(0);
    for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  test.each(commands)(
    '%s --help names each of its options, its variable and its key',
    async (command) => {
      const { code, out } = await run([command, '--help']);
      expect(code).toBe(0);
      for (const key of configKeys) {
        const words = out.split(/\s+/);
        const isTold = words.includes(flagOf(key)) && words.includes(variableOf(key));
        expect({ key, isTold }).toEqual({ key, isTold: rowOf(key).commands.includes(command) });
      }
      expect(await run(['help', command])).toEqual({ code: 0, out, error: '' });
    },
  );

  test.each<[string[], string]>([
    [['rnu'], 'unknown command rnu; meant is run?'],
    [
      ['frobnicate'],
      'unknown command frobnicate; commands are run, emulator, demo, check, top, tail, dead-letters, migrate, convert, bench, manifests, completion, rules',
    ],
    [
      ['--project', 'x'],
      'unknown command --project; the command comes first: tailship run --project …',
    ],
    [['run', '--wokers', '2'], 'unknown flag --wokers; meant is --workers?'],
    [['run', '--frobnicate'], 'unknown flag --frobnicate; see `tailship run --help`'],
    [['run', '--port', '1'], '--port is not for run, but for emulator, demo'],
    [['run', '--project'], '--project needs a value'],
    [['run', 'now'], 'run takes no argument, but got now'],
    [['migrate'], 'migrate needs --from fluentd|fluent-bit FILE; none is given'],
    [
      ['migrate', '--from', 'vector', 'x.pos'],
      'migrate needs --from fluentd|fluent-bit FILE; got --from vector x.pos',
    ],
    [
      ['migrate', '--from', 'fluentd', '--dry-run'],
      'migrate needs --from fluentd|fluent-bit FILE; got --from fluentd --dry-run',
    ],
    [['migrate', '--from=fluentd', 'x.pos', 'y'], 'migrate takes no argument, but got y'],
    [['run', '--workers', '99'], '--workers is "99"; allowed is a whole number from 1 to 8'],
  ])('%o exits 2 with one line that says what is wrong and one what to do', async (words, text) => {
    const { code, out, error } = await run(words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    const [line, advice, ...rest] = error.split('\n');
    expect(line).toBe(`tailship: CONFIG_INVALID: ${text}`);
    expect(advice).toMatch(/^ {2}\S/);
    expect(rest).toEqual([]);
  });

  test('with an operating error exits 1 and says its code', async () => {
    const { code, error } = await run(['top', '--once', '--admin-address', '127.0.0.1:1']);
    expect(code).toBe(1);
    expect(error).toMatch(
      /^tailship: ADMIN_UNREACHABLE: http:\/\/127\.0\.0\.1:1\/api\/status: .+\n {2}\S/,
    );
  });

  test('logs a variable that is probably a typo, and goes on', async () => {
    const environment = { TAILSHIP_ADMIN_ADRESS: '127.0.0.1:1' };
    const { error } = await run(['top', '--once', '--admin-address', '127.0.0.1:1'], {
      environment,
    });
    const [first = ''] = error.split('\n');
    expect(JSON.parse(first)).toMatchObject({
      severity: 'WARNING',
      message: 'unknown variable TAILSHIP_ADMIN_ADRESS; meant is TAILSHIP_ADMIN_ADDRESS?',
    });
  });
});

describe('tailship emulator', () => {
  test('says where it listens in one JSON line, serves, and ends with 0 at a signal', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const told = Promise.withResolvers<void>();
    const ended = run(['emulator', '--port', '0'], {
      signal: stop.signal,
      writeOut: (line) => {
        lines.push(line);
        told.resolve();
      },
    });
    await told.promise;
    const { listening } = JSON.parse(lines[0] ?? '') as { listening: string };
    const stats = await fetch(`${listening}/emulator/stats`);
    expect(stats.status).toBe(200);
    stop.abort('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, error: '' });
    expect(lines).toHaveLength(1);
    await expect(fetch(listening)).rejects.toThrow('fetch failed');
  });

  test('refuses a --faults file that is no JSON', async () => {
    const { code, error } = await run([
      'emulator',
      '--port',
      '0',
      '--faults',
      import.meta.filename,
    ]);
    expect(code).toBe(2);
    expect(error).toContain('holds no JSON');
  });

  test('on a port that is taken exits 1 with one line', async () => {
    const stop = new AbortController();
    const told = Promise.withResolvers<string>();
    const writeOut = told.resolve;
    const first = run(['emulator', '--port', '0'], { signal: stop.signal, writeOut });
    const { listening } = JSON.parse(await told.promise) as { listening: string };
    const second = await run(['emulator', '--port', new URL(listening).port]);
    expect(second.code).toBe(1);
    expect(second.error).toMatch(/^tailship: EADDRINUSE: /);
    stop.abort('SIGTERM');
    await first;
  });
});

describe('a configuration that is wrong in many places', () => {
  test.each(['run', 'check'] as const)('%s names all of them, and what to do', async (command) => {
    const file = join(mkdtempSync(join(tmpdir(), 'tailship-cli-')), 'tailship.yaml');
    writeFileSync(file, 'workrs: 2\nconnections: 99\nlogLevel: loud\nnothing: 1\n');
    const words = ['--wokers', '2', '--port', '1', '--partial-flush-ms', 'soon', 'stray'];
    const environment = { TAILSHIP_BATCH_BYTES_MAX: 'many' };
    const { code, error } = await run([command, `--config=${file}`, ...words], { environment });
    expect(code).toBe(2);
    const lines = error.split('\n');
    const problems = lines.filter((line) => line.startsWith('tailship: CONFIG_INVALID: '));
    for (const word of ['--wokers', '--port is not for', 'stray', 'TAILSHIP_BATCH_BYTES_MAX is']) {
      expect(problems.filter((line) => line.includes(word))).toHaveLength(1);
    }
    for (const word of ['key workrs', 'connections in', 'logLevel in', '--partial-flush-ms is']) {
      expect(problems.filter((line) => line.includes(word))).toHaveLength(1);
    }
    expect(problems).toHaveLength(9);
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toMatch(/^ {2}Correct /);
    // Who runs it need not be told to run it.
    expect(error.includes('`tailship check`')).toBe(command === 'run');
  });
});

describe('parseFlags()', () => {
  test('reads --name value, --name=value, booleans and repeated lists', () => {
    const words = ['--project', 'a', '--node=b=c', '--gzip', '--no-once', '--log-root', '/x'];
    expect(parseFlags('run', [...words, '--log-root=/y', '--join-stack-traces=false'])).toEqual({
      project: 'a',
      node: 'b=c',
      gzip: true,
      once: false,
      logRoot: ['/x', '/y'],
      joinStackTraces: 'false',
    });
  });

  test('lets the last of a repeated flag win', () => {
    expect(parseFlags('run', ['--workers', '1', '--workers', '2'])).toEqual({ workers: '2' });
  });

  test('refuses a negation that has a value, which could mean either', () => {
    for (const value of ['true', 'false', '']) {
      expect(() => parseFlags('run', [`--no-gzip=${value}`])).toThrow(
        '--no-gzip takes no value; write --gzip=true or --gzip=false',
      );
    }
  });

  test('refuses a negation of what is no boolean', () => {
    expect(() => parseFlags('run', ['--no-project'])).toThrow('--project needs a value');
  });
});

describe('nearest()', () => {
  test.each<[string, string | undefined]>([
    ['contaners-dir', '--containers-dir'],
    ['CONTAINERS_DIR', '--containers-dir'],
    ['adres', undefined],
    ['', undefined],
  ])('of %s is %s', (written, near) => {
    expect(nearest(written, ['--containers-dir', '--admin-address'])).toBe(near);
  });
});

test('a --data file that cannot be made ends the emulator with 2', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'tailship-cli-')), 'missing', 'entries.db');
  const { code, error } = await run(['emulator', '--port', '0', '--data', file]);
  expect(code).toBe(2);
  expect(error).toMatch(/^tailship: CONFIG_INVALID: --data .*entries\.db: /);
});
