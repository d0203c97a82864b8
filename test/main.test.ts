// The process itself: what no test in the same process can see.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { startEmulator } from '../src/emulator/server/server.ts';

const root = new URL('..', import.meta.url);
const cacheDir = mkdtempSync(join(tmpdir(), 'tailship-cache-'));
/** With a cache directory of its own, main.ts does not become a second process image. */
const environment = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: cacheDir };

type Options = {
  readonly script?: string;
  readonly nodeFlags?: readonly string[];
  readonly environment?: Record<string, string | undefined>;
};

function start(words: readonly string[], options: Options = {}): ChildProcessWithoutNullStreams {
  const script = options.script ?? 'src/main.ts';
  const child = spawn(process.execPath, [...(options.nodeFlags ?? []), script, ...words], {
    cwd: root,
    env: options.environment ?? environment,
  });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return child;
}

async function finish(child: ChildProcessWithoutNullStreams) {
  let out = '';
  let error = '';
  child.stdout.on('data', (text: string) => (out += text));
  child.stderr.on('data', (text: string) => (error += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out, error };
}

describe.each(['src/main.ts', 'src/tailship.js'])('%s', (script) => {
  test('prints the version and exits 0', async () => {
    const { code, out, error } = await finish(start(['--version'], { script }));
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('does the same without a cache directory of the environment, with the same words', async () => {
    const words = ['run', '--project', 'a b', '--workers', '99'];
    const child = start(words, { script, environment: { PATH: process.env['PATH'] } });
    const { code, error } = await finish(child);
    expect(code).toBe(2);
    expect(error).toContain('--workers is "99"');
  });

  test('says one clear line on an old Node', async () => {
    const fake =
      'data:text/javascript,for (const [name, value] of [["versions", { node: "20.1.0" }], ["version", "v20.1.0"]])' +
      ' Object.defineProperty(process, name, { value })';
    const { code, out, error } = await finish(start([], { script, nodeFlags: ['--import', fake] }));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toMatch(
      /^tailship: NODE_TOO_OLD: .*needs Node 26 or newer, and this is v20\.1\.0.*\n$/,
    );
  });
});

/** The directory of a node with one container that has written one line. */
function makeNode(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailship-run-'));
  const podDir = join(directory, 'pods', 'shop_cart-0_11111111-2222-3333-4444-555555555555', 'app');
  mkdirSync(podDir, { recursive: true });
  mkdirSync(join(directory, 'containers'));
  writeFileSync(join(podDir, '0.log'), '2026-01-02T03:04:05.678901234Z stdout F hello\n');
  const link = `cart-0_shop_app-${'a'.repeat(64)}.log`;
  symlinkSync(join(podDir, '0.log'), join(directory, 'containers', link));
  return directory;
}

function runWords(directory: string): string[] {
  const containers = ['--containers-dir', join(directory, 'containers')];
  const roots = ['--log-root', join(directory, 'pods'), '--state-dir', join(directory, 'state')];
  return ['run', '--admin-address', 'off', ...containers, ...roots];
}

/** Resolves to what came until `isEnough`, or until the end. */
async function until(stream: Readable, isEnough: (text: string) => boolean): Promise<string> {
  let text = '';
  const { promise, resolve } = Promise.withResolvers<string>();
  stream.on('data', (piece: string) => {
    text += piece;
    if (isEnough(text)) resolve(text);
  });
  stream.on('end', () => resolve(text));
  return promise;
}

describe('the process', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with 0 at %s', async (signal) => {
    const child = start(['emulator', '--port', '0']);
    const finished = finish(child);
    await once(child.stdout, 'data');
    child.kill(signal);
    expect(await finished).toMatchObject({ code: 0, signal: null, error: '' });
  });

  test('ends at once with 1 at the second signal', async () => {
    // An endpoint that never answers keeps a request in flight, for which the first signal waits.
    const endpoint = createServer();
    const asked = once(endpoint, 'connection');
    endpoint.listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const { port } = endpoint.address() as AddressInfo;
    const child = start([...runWords(makeNode()), '--endpoint', `http://127.0.0.1:${port}`]);
    const finished = finish(child);
    const [socket] = (await asked) as [Socket];
    await once(socket, 'data');
    child.kill('SIGTERM');
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ code: 1, signal: null });
    endpoint.close();
  });

  test.each(['SIGUSR1', 'SIGUSR2'] as const)(
    'goes on at %s and says what SIGHUP does',
    async (name) => {
      const agent = start([...runWords(makeNode()), '--output', 'stdout']);
      const finished = finish(agent);
      await once(agent.stdout, 'data');
      const isNoted = (text: string) => text.includes('SIGHUP reads the configuration again');
      const noted = until(agent.stderr, isNoted);
      agent.kill(name);
      const words = await noted;
      expect(words).toContain(`${name} does nothing here`);
      agent.kill('SIGTERM');
      const { code, signal, error } = await finished;
      expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(error).not.toContain('Debugger listening');
    },
  );

  test('writes the compile cache', async () => {
    await finish(start(['--version']));
    expect(readdirSync(cacheDir).length).toBeGreaterThan(0);
  });

  test('outlives a reader of its stdout that goes away', async () => {
    const child = start(['--help']);
    child.stdout.destroy();
    const { code, error } = await finish(child);
    expect({ code, error }).toEqual({ code: 0, error: '' });
  });
});

/** A loader hook that tells every module that a process loads. */
const tellModules = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  import { writeSync } from 'node:fs';
  registerHooks({ load(url, context, next) { writeSync(3, url + '\\n'); return next(url, context); } });
`)}`;

async function loadedModules(words: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', tellModules, 'src/main.ts', ...words], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  let told = '';
  let error = '';
  child.stderr?.on('data', (chunk) => (error += String(chunk)));
  child.stdio[3]?.on('data', (chunk) => (told += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  expect({ code, error }).toEqual({ code: 0, error: '' });
  return told.trim().split('\n');
}

describe('run', () => {
  test('loads nothing heavy, and nothing of the other commands', async () => {
    const directory = makeNode();
    const emulator = await startEmulator({ port: 0 });
    const words = [...runWords(directory), '--once', '--endpoint', emulator.url];
    const modules = await loadedModules(words);
    const stats = await fetch(`${emulator.url}/emulator/stats`);
    expect(await stats.json()).toMatchObject({ entries: 1 });
    await emulator.close();
    expect(modules.some((url) => url.endsWith('/src/agent/run-agent.ts'))).toBe(true);
    const unwanted =
      /\/src\/(?:emulator|help|demo|journal)|\/journal\/|\/src\/admin\/(?:check|top|status-page)|\/node_modules\/(?:yaml|google-auth-library|@google-cloud|prom-client|@kubernetes)\//;
    expect(modules.filter((url) => unwanted.test(url))).toEqual([]);
  });

  test('loads YAML for --config', async () => {
    const directory = makeNode();
    const config = join(directory, 'tailship.yaml');
    const emulator = await startEmulator({ port: 0 });
    writeFileSync(
      config,
      [
        'once: true',
        `endpoint: ${emulator.url}`,
        `containersDir: ${join(directory, 'containers')}`,
        `logRoot: ${join(directory, 'pods')}`,
        `stateDir: ${join(directory, 'state')}`,
      ].join('\n'),
    );
    const modules = await loadedModules(['run', '--config', config]);
    await emulator.close();
    expect(modules.some((url) => url.includes('/node_modules/yaml/'))).toBe(true);
  });
});

describe('stderr', () => {
  /** Runs `code` within the agent's process as soon as its log takes what Node would print. */
  async function errorsAfter(code: string): Promise<Record<string, unknown>[]> {
    const hook = `const clock = setInterval(() => {
      if (process.listenerCount('uncaughtException') === 0) return;
      clearInterval(clock);
      ${code}
    }, 1)`;
    const nodeFlags = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`];
    const directory = makeNode();
    const words = ['run', '--containers-dir', join(directory, 'containers')];
    words.push('--log-root', join(directory, 'pods'), '--state-dir', join(directory, 'state'));
    words.push('--endpoint', 'http://127.0.0.1:1', '--admin-address', 'off', '--grace-ms', '0');
    const child = start(words, { nodeFlags });
    child.stderr.on('data', (text: string) => {
      if (text.includes('a warning of a library')) child.kill('SIGTERM');
    });
    const { error } = await finish(child);
    return error
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test.each([
    ['an error that nobody catches', "throw new Error('a bug')"],
    ['a rejection that nobody catches', "Promise.reject(new Error('a bug'))"],
    ['what is no error', "throw 'a bug'"],
  ])('has one line of JSON for %s', async (_name, code) => {
    const line = (await errorsAfter(code)).at(-1);
    expect(line).toMatchObject({ severity: 'ERROR', message: expect.stringContaining('a bug') });
    expect(line?.['time']).toMatch(/^\d{4}-/);
    expect(line?.['stack']).toContain('\n');
  });

  test('has one line of JSON for a warning of Node', async () => {
    const lines = await errorsAfter("process.emitWarning('a warning of a library')");
    expect(lines).toContainEqual(
      expect.objectContaining({ severity: 'WARNING', message: 'Warning: a warning of a library' }),
    );
  });

  test('has one line of JSON, with advice, for what ends a running agent', async () => {
    const words = ['run', '--endpoint', 'http://10.0.0.1/', '--project', 'p', '--cluster', 'c'];
    words.push('--location', 'l', '--node', 'n');
    const { code, error } = await finish(start(words));
    expect(code).toBe(1);
    expect(JSON.parse(error)).toMatchObject({
      severity: 'ERROR',
      code: 'PLAIN_HTTP_REFUSED',
      advice: expect.stringContaining('--allow-plain-http'),
    });
  });

  test('says so before it asks anybody where it runs', async () => {
    let questions = 0;
    const metadata = createServer((socket) => {
      questions += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(metadata, 'listening');
    const { port } = metadata.address() as AddressInfo;
    const words = ['run', '--endpoint', 'http://10.0.0.1/', `--metadata-host=127.0.0.1:${port}`];
    const { code, error } = await finish(start(words));
    metadata.close();
    expect({ code, questions }).toEqual({ code: 1, questions: 0 });
    expect(JSON.parse(error)).toMatchObject({ code: 'PLAIN_HTTP_REFUSED' });
  });
});
