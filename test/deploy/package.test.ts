// The npm package and the trees of the image, made as a release makes them: packed, installed into
// an empty directory and run by the Node that the package brings; both machines' trees put together
// from the lock file. They need a registry, and say so without one.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const timeoutMs = 240_000;
/** The PATH of a user: without the Node that `npm ci` brought. */
const userPath = (process.env['PATH'] ?? '')
  .split(':')
  .filter((one) => !one.endsWith('node_modules/.bin'))
  .join(':');
const environment = { ...process.env, PATH: userPath, npm_config_loglevel: 'error' };
const hasRegistry =
  spawnSync('npm', ['ping'], { env: environment, cwd: root, timeout: 20_000 }).status === 0;
const needed = hasRegistry ? '' : ' (left out: no npm registry answers)';
const version = (JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as Versioned)
  .version;

type Versioned = { readonly version: string };

let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'tailship-package-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

function run(program: string, words: readonly string[], cwd: string): string {
  return execFileSync(program, words, { cwd, env: environment, encoding: 'utf8' });
}

describe.skipIf(!hasRegistry)(`the npm package${needed}`, () => {
  let empty: string;
  let files: string[];

  beforeAll(() => {
    // Another test may pack at the same time, so each has its own copy of what is packed.
    const copy = path.join(directory, 'copy');
    fs.mkdirSync(copy);
    for (const name of ['src', 'deploy', 'package.json', 'package-lock.json']) {
      fs.mkdirSync(path.dirname(path.join(copy, name)), { recursive: true });
      run('cp', ['-r', path.join(root, name), path.join(copy, name)], root);
    }
    for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE']) {
      fs.copyFileSync(path.join(root, name), path.join(copy, name));
    }
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    run('npm', ['pack', '--pack-destination', directory], copy);
    const tarball = path.join(directory, `tailship-${version}.tgz`);
    files = run('tar', ['--list', '--file', tarball], directory).trim().split('\n');
    empty = path.join(directory, 'empty');
    fs.mkdirSync(empty);
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], empty);
  }, timeoutMs);

  test('holds the program as JavaScript with its manifests, and nothing of tests or benchmarks', () => {
    expect(files).toContain('package/dist/main.js');
    expect(files).toContain('package/npm-shrinkwrap.json');
    expect(files.filter((name) => name.endsWith('.ts'))).toEqual([]);
    expect(
      files.filter(
        (name) => !/^package\/(?:dist\/|deploy\/(?:base|components)\/|[^/]+$)/.test(name),
      ),
    ).toEqual([]);
  });

  test('installs what the lock file says, and nothing of the development', () => {
    const named = (file: string): Set<string> => {
      const { packages } = JSON.parse(fs.readFileSync(file, 'utf8')) as {
        packages: Readonly<Record<string, Versioned & { readonly dev?: boolean }>>;
      };
      const runs = Object.entries(packages).filter(
        ([name, { dev }]) => name !== '' && dev !== true,
      );
      // npm lays packages out by itself; which they are is what counts.
      return new Set(runs.map(([name, found]) => `${path.basename(name)} ${found.version}`));
    };
    const installed = named(path.join(empty, 'node_modules/.package-lock.json'));
    const locked = named(path.join(root, 'package-lock.json'));
    expect(installed.size).toBeGreaterThan(20);
    expect([...installed].filter((one) => !locked.has(one))).toEqual([`tailship ${version}`]);
  });

  test('says its version by npx', () => {
    expect(run('npx', ['--no-install', 'tailship', '--version'], empty)).toBe(`${version}\n`);
  });

  test('prints manifests', () => {
    const image = `r.example.com/t@sha256:${'a'.repeat(64)}`;
    const text = run('npx', ['--no-install', 'tailship', 'manifests', '--image', image], empty);
    expect(text).toContain(`image: ${image}`);
  });

  test('runs by the Node that it brings, and ships', async () => {
    const program = path.join(empty, 'node_modules/.bin/tailship');
    const emulator = spawn(program, ['emulator', '--port', '0'], {
      cwd: empty,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface(emulator.stdout), 'line')) as [string];
      const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      expect(fs.readlinkSync(`/proc/${emulator.pid}/exe`)).toMatch(
        new RegExp(`^${empty}/.*node_modules/node-linux-\\w+/bin/node$`),
      );
      const summary = run(program, ['run', '--endpoint', url, ...makeNode()], empty);
      expect(JSON.parse(summary)).toMatchObject({ files: 1, lines: 2, entries: 2 });
    } finally {
      emulator.kill();
      await once(emulator, 'exit');
    }
  }, 60_000);
});

/** A node with one container, and the words that an agent is given for it. */
function makeNode(): string[] {
  const node = path.join(directory, 'node');
  const podDir = path.join(node, 'pods/shop_cart-0_11111111-2222-3333-4444-555555555555/app');
  fs.mkdirSync(podDir, { recursive: true });
  fs.mkdirSync(path.join(node, 'containers'));
  const time = '2026-01-02T03:04:05.678901234Z';
  fs.writeFileSync(path.join(podDir, '0.log'), `${time} stdout F one\n${time} stdout F {"a":2}\n`);
  const link = `cart-0_shop_app-${'a'.repeat(64)}.log`;
  fs.symlinkSync(path.join(podDir, '0.log'), path.join(node, 'containers', link));
  const places = ['--containers-dir', `${node}/containers`, '--log-root', `${node}/pods`];
  return ['--once', '--admin-address', 'off', '--state-dir', `${node}/state`, ...places];
}

/** `e_machine` of an ELF header; undefined for a file that is no program or library. */
function machineOf(file: string): number | undefined {
  const head = Buffer.alloc(20);
  const descriptor = fs.openSync(file, 'r');
  const length = fs.readSync(descriptor, head);
  fs.closeSync(descriptor);
  const isElf = length === head.length && head.toString('latin1', 0, 4) === '\x7fELF';
  return isElf ? head.readUInt16LE(18) : undefined;
}

/** By path from the directory, the machine of each binary below it. */
function binariesOf(tree: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const entry of fs.readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const machine = machineOf(file);
    if (machine !== undefined) found[path.relative(tree, file)] = machine;
  }
  return found;
}

test.skipIf(!hasRegistry)(`npm ci says nothing of engines on the Node of the PATH${needed}`, () => {
  const place = path.join(directory, 'quiet');
  fs.mkdirSync(place);
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
    fs.copyFileSync(path.join(root, name), path.join(place, name));
  }
  const { npm_config_loglevel: _, ...env } = environment;
  const words = ['ci', '--dry-run', '--prefer-offline'];
  const { status, stderr } = spawnSync('npm', words, { cwd: place, env, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

describe.skipIf(!hasRegistry).each([
  ['amd64', 62],
  ['arm64', 183],
] as const)(`the tree of the image for %s${needed}`, (architecture, machine) => {
  let tree: string;

  beforeAll(() => {
    tree = path.join(directory, architecture);
    fs.mkdirSync(tree);
    for (const name of ['package.json', 'package-lock.json']) {
      fs.copyFileSync(path.join(root, name), path.join(tree, name));
    }
    run('sh', ['deploy/release/tree.sh', tree, architecture], root);
  }, timeoutMs);

  test('has no binary of another machine', () => {
    const binaries = binariesOf(tree);
    expect(binaries['bin/node']).toBe(machine);
    expect(Object.values(binaries).filter((found) => found !== machine)).toEqual([]);
  });

  test('has what the other has, but for names of machines', () => {
    const names = fs.readdirSync(path.join(tree, 'node_modules'), { recursive: true }) as string[];
    const general = names.map((name) => name.replaceAll(/x64|arm64/g, 'machine')).toSorted();
    expect(general.length).toBeGreaterThan(500);
    packagesOfTrees.push(general);
    for (const other of packagesOfTrees) expect(general).toEqual(other);
  });
});

const packagesOfTrees: string[][] = [];

test('the program itself has no binary: the kernel is WebAssembly', () => {
  expect(binariesOf(path.join(root, 'src'))).toEqual({});
  const kernel = fs.readFileSync(path.join(root, 'src/encode/kernel.wasm'));
  expect(kernel.toString('latin1', 0, 4)).toBe('\0asm');
});
