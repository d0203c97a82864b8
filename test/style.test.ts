// Holds src/ and bench/ to the house style where neither the compiler nor oxlint can: layout,
// headers, names, who imports whom. It reads the sources as text, so it sees exactly what a reader
// sees.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const linesMax = 400;
/** Tests are tables as often as not. */
const testLinesMax = 500;
const columnsMax = 100;
const functionLinesMax = 70;
/** `server.ts calls it`, `all tests use it`, `main() is called by …`. */
const callers = /\.ts (?:asks|calls|feeds|opens|owns|serves)\b|\b(?:calls?|uses?) it\.|called by/;
/** What `until` and `eventually` wait at most. */
const waitMs = 120_000;

/** The stages in the order the bytes flow. */
const stages = ['discover', 'tail', 'encode', 'ship', 'commit'] as const;
/**
 * Folders that know no stage. A stage imports only the types of `host`: it is given its part of the
 * configuration, never the whole.
 */
const grounds = ['options', 'host'] as const;
/** What every folder may know: what a rule is, and what a journal file looks like. */
const shared = ['rules', 'journal'] as const;
/** Folders beside the flow: nothing but the wiring imports them. */
const besides = ['admin', 'convert', 'emulator'] as const;
/** What may know several stages: the agent in its parts, what it says of itself, the commands. */
const wiringFolders = ['agent', 'status', 'command'] as const;
const wiringFiles = new Set(
  ['fleet.ts', 'pipeline.ts', 'main.ts', 'tailship.js'].map((name) => `src/${name}`),
);
/** Rooms of one folder that know nothing of each other. */
const apart = [
  ['src/discover/links/', 'src/discover/pods/'],
  ['src/emulator/server/', 'src/emulator/kubelet/'],
] as const;
/**
 * Rooms of a folder, each of which knows only those before it: JSON knows no entry, a record does.
 */
const rooms = {
  encode: ['json', 'redaction', 'traces', 'entries', 'rules', 'records', 'journal'],
  emulator: ['protocol', 'store', 'write', 'query', 'page', 'server', 'kubelet', 'verify'],
} as const;
/** Fixed borders between planner, drain, shipper and store; every stage may import them. */
const borders = new Set(
  [
    'commit/checkpoint',
    'encode/drain-task',
    'encode/entries/entry-template',
    'encode/shared-memory',
  ].map((name) => `src/${name}.ts`),
);
/** Entries of the process: they alone touch `process`. */
const processUsers = new Set(['src/main.ts', 'src/tailship.js', 'src/node-version.js']);
/** What any file may import from node:process by name: it reads, and changes nothing. */
const processMeters = new Set(['cpuUsage', 'getBuiltinModule', 'memoryUsage', 'pid']);
for (const name of ['threadCpuUsage', 'versions']) processMeters.add(name);
const workerEntry = 'src/encode/encoder.ts';
const topFolders = ['src', 'bench', 'deploy', 'docs', 'test', '.ci', '.github'];
const topLevel = new Set([...topFolders, 'node_modules', 'dist', '.git', '.tmp']);

type SourceFile = { readonly name: string; readonly text: string; readonly code: string };

function listFiles(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile() && /\.(?:ts|js)$/.test(found.name))
    .map((found) => path.relative(root, path.join(found.parentPath, found.name)))
    .toSorted();
}

/** The kernel is AssemblyScript: only the rules of layout apply to it. */
function isKernel(name: string): boolean {
  return name.startsWith('src/encode/kernel/');
}

/** The text without comments; strings that hold `//` after a colon, as in URLs, stay whole. */
function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
}

function load(name: string): SourceFile {
  const text = readFileSync(path.join(root, name), 'utf8');
  return { name, text, code: stripComments(text) };
}

type Import = { readonly target: string; readonly typeOnly: boolean };

/** Every import of a file of ours, static, dynamic or re-exported, as a path from the root. */
function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: string | undefined, typeOnly: boolean) => {
    if (specifier?.startsWith('.')) {
      found.push({ target: path.join(path.dirname(file.name), specifier), typeOnly });
    }
  };
  for (const match of file.code.matchAll(
    /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm,
  )) {
    add(match[2], match[1] !== undefined);
  }
  for (const match of file.code.matchAll(/\bimport\(\s*'([^']+)'|^import\s+'([^']+)'/gm)) {
    add(match[1] ?? match[2], false);
  }
  return found;
}

/** `src/ship/pool.ts` → `ship`; files at the top of src have none. */
function folderOf(name: string): string | undefined {
  const parts = name.split('/');
  return parts[0] === 'src' && parts.length > 2 ? parts[1] : undefined;
}

function isOneOf(folders: readonly string[], folder: string | undefined): boolean {
  return folder !== undefined && folders.includes(folder);
}

function isWiring(name: string): boolean {
  return wiringFiles.has(name) || isOneOf(wiringFolders, folderOf(name));
}

function mayImport(file: SourceFile, wanted: Import): boolean {
  const own = folderOf(file.name);
  const other = folderOf(wanted.target);
  if (!wanted.target.startsWith('src/')) return false;
  if (isWiring(file.name)) return true;
  if (isWiring(wanted.target)) return false;
  if (other === undefined || other === own || borders.has(wanted.target)) return true;
  if (isOneOf(shared, other)) return true;
  if (isOneOf(grounds, other)) {
    return !isOneOf(stages, own) || (wanted.typeOnly && other === 'host');
  }
  if (own === undefined || !wanted.typeOnly) return false;
  const place = (stages as readonly string[]).indexOf(own);
  return place > 0 && stages[place - 1] === other;
}

/** Groups of files that import each other, types included, each in the order of its names. */
function importCircles(files: readonly SourceFile[]): string[][] {
  const targets = new Map(
    files.map((file) => [file.name, importsOf(file).map(({ target }) => target)]),
  );
  const reached = new Map(
    [...targets.keys()].map((name) => {
      const seen = new Set<string>();
      const walk = (from: string): void => {
        for (const target of targets.get(from) ?? []) {
          if (seen.has(target)) continue;
          seen.add(target);
          walk(target);
        }
      };
      walk(name);
      return [name, seen];
    }),
  );
  const circles = [...targets.keys()]
    .filter((name) => reached.get(name)?.has(name))
    .map((name) =>
      [...targets.keys()].filter(
        (other) => reached.get(name)?.has(other) && reached.get(other)?.has(name),
      ),
    );
  return [...new Map(circles.map((circle) => [circle.join(), circle])).values()];
}

/** Fields of classes that anyone may assign, as `file:line`. */
function mutableFieldsOf({ name, text }: SourceFile): string[] {
  const found: string[] = [];
  let isClass = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\S/.test(line)) isClass = /^(?:export )?(?:abstract )?class\b/.test(line);
    const isField = /^  (?:static |override |declare )*[a-zA-Z_]\w*[?!]?(?::| =)[^(]*/.test(line);
    if (isClass && isField && !/^  (?:static )?readonly\b/.test(line)) {
      found.push(`${name}:${index + 1}`);
    }
  }
  return found;
}

/**
 * Functions at the top of a file that are too long, as `file: name`. What `create…` holds are
 * functions of their own.
 */
function longFunctionsOf({ name, text }: SourceFile): string[] {
  const functions = text.matchAll(
    /^(?:export )?(?:default )?(?:async )?function\*? (\w+)[^]*?^}$/gm,
  );
  return [...functions]
    .filter(
      ([whole, own]) => whole.split('\n').length > functionLinesMax && !own?.startsWith('create'),
    )
    .map(([, own]) => `${name}: ${own}`);
}

/** What a file says of itself, on one line. */
function headerOf(text: string): string {
  const [header = ''] = /^(?:\/\/.*\n)+/.exec(text) ?? [];
  return header.replaceAll(/\n\/\/ ?/g, ' ');
}

/** Limits of time for a test or for a wait that are below the common ones. */
function shortLimitsOf(code: string): number[] {
  const given = code.matchAll(/\b(?:testTimeout|withinMs|(?<=\{ )timeout): ([\d_]+)\b/g);
  return [...given]
    .map(([, ms = '']) => Number(ms.replaceAll('_', '')))
    .filter((ms) => ms < waitMs);
}

/**
 * Whether a line is a comment's prose: not a drawing, a table or an example, which may be wider.
 */
function isProse(line: string): boolean {
  const [, text] = /^\s*(?:\/\/|\/\*\*?|\*) ?(.*)$/.exec(line) ?? [];
  return text !== undefined && !/^\s{2}|\S\s{2,}\S/.test(text);
}

/** Whether a file takes more of the process than its meters. */
function usesProcess(file: SourceFile): boolean {
  if (/(?:^|[^\w.$'"`/-])process\.\w/m.test(file.code)) return true;
  const imports = [...file.code.matchAll(/import\s+([^;]*?)\s+from\s+'node:process'/g)];
  return imports.some(([, clause = '']) => {
    const imported = /^\{([^}]*)\}$/.exec(clause)?.[1]?.split(',') ?? ['process'];
    return !imported.every((name) => processMeters.has(name.trim()) || name.trim() === '');
  });
}

const all = listFiles('src').map(load);
const sources = all.filter(({ name }) => !isKernel(name));
const benches = listFiles('bench').map(load);
const tests = listFiles('test').map(load);
const laidOut = [...all, ...benches];
const everything = [...laidOut, ...tests];

function names(files: readonly SourceFile[]): string[] {
  return files.map((file) => file.name);
}

describe('the house style', () => {
  test('finds the sources it is meant to read', () => {
    expect(names(sources)).toEqual(expect.arrayContaining(['src/config.ts', 'src/errors.ts']));
    expect(names(all.filter(({ name }) => isKernel(name)))).toContain('src/encode/kernel/text.ts');
    expect(benches.length).toBeGreaterThan(0);
  });

  test('the top level holds only the folders of the layout', () => {
    const found = readdirSync(root, { withFileTypes: true }).filter((each) => each.isDirectory());
    expect(found.map(({ name }) => name).filter((name) => !topLevel.has(name))).toEqual([]);
  });

  test('src/ holds only the stages, what is beside them, and files', () => {
    const known = new Set<string>([...shared, ...grounds, ...stages, ...besides, ...wiringFolders]);
    expect(
      sources.filter((file) => {
        const folder = folderOf(file.name);
        return folder !== undefined && !known.has(folder);
      }),
    ).toEqual([]);
  });

  test(`no file is longer than ${linesMax} lines, no test than ${testLinesMax}`, () => {
    const isLong = (most: number) => (file: SourceFile) => file.text.split('\n').length - 1 > most;
    expect(names(laidOut.filter(isLong(linesMax)))).toEqual([]);
    expect(names(tests.filter(isLong(testLinesMax)))).toEqual([]);
  });

  test(`no comment is wider than ${columnsMax} columns`, () => {
    const wide = everything.flatMap((file) =>
      file.text
        .split('\n')
        .map((line, index) => ({ line, at: `${file.name}:${index + 1}` }))
        .filter(({ line }) => isProse(line) && line.length > columnsMax)
        .map(({ at }) => at),
    );
    expect(wide).toEqual([]);
  });

  test(`no function is longer than ${functionLinesMax} lines`, () => {
    expect(laidOut.flatMap(longFunctionsOf)).toEqual([]);
  });

  test('every file begins with a comment that says what it is', () => {
    const bare = laidOut.filter((file) => !/^(?:#!.*\n)?(?:\/\/ \S|\/\*)/.test(file.text));
    expect(names(bare)).toEqual([]);
  });

  test('no file says who calls it, which nothing would check', () => {
    const saying = everything.filter(({ text }) => callers.test(headerOf(text)));
    expect(names(saying)).toEqual([]);
  });

  test('a test waits for conditions, and for as long as a loaded machine may take', () => {
    const own = new Set(['test/style.test.ts', 'test/support/eventually.ts']);
    const waiting = tests.filter(({ name }) => !own.has(name) && !name.includes('.slow.'));
    expect(names(waiting.filter(({ code }) => /\b(?:vi\.wait|expect\.poll)/.test(code)))).toEqual(
      [],
    );
    expect(names(waiting.filter(({ code }) => shortLimitsOf(code).length > 0))).toEqual([]);
  });

  test('there is no default export but the entry of a worker', () => {
    const found = [...sources, ...benches].filter(
      (file) => /^export default\b/m.test(file.code) && file.name !== workerEntry,
    );
    expect(names(found)).toEqual([]);
  });

  test('there is no barrel, and every file name is kebab-case', () => {
    const odd = names(everything).filter(
      (name) =>
        path.basename(name) === 'index.ts' ||
        !/^[a-z0-9-]+(?:\.(?:slow\.)?test|\.d)?\.(?:ts|js)$/.test(path.basename(name)),
    );
    expect(odd).toEqual([]);
  });

  test('only the process entry uses `process`; others read its meters by name', () => {
    const users = sources.filter((file) => !processUsers.has(file.name) && usesProcess(file));
    expect(names(users)).toEqual([]);
  });

  test('a stage imports itself, the types of the stage before, the borders and the top of src/', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .filter((wanted) => !mayImport(file, wanted))
        .map((wanted) => `${file.name} → ${wanted.target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no files import each other, not even types', () => {
    const circles = importCircles(sources).map((circle) => circle.join(' ↔ '));
    expect(circles).toEqual([]);
  });

  test('a field of a class is private or readonly', () => {
    const found = sources.flatMap(mutableFieldsOf);
    expect(found).toEqual([]);
  });

  test.each(apart)('%s and %s do not import each other', (one, other) => {
    const wrong = sources.flatMap((file) => {
      const foreign = file.name.startsWith(one) ? other : one;
      const isInside = file.name.startsWith(one) || file.name.startsWith(other);
      return importsOf(file)
        .filter(({ target }) => isInside && target.startsWith(foreign))
        .map(({ target }) => `${file.name} → ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test.each(Object.entries(rooms))(
    'a room of `%s` imports only the rooms before it',
    (folder, order) => {
      const roomOf = (name: string) =>
        order.findIndex((room) => name.startsWith(`src/${folder}/${room}/`));
      expect(sources.filter((file) => roomOf(file.name) >= 0).length).toBeGreaterThan(0);
      const wrong = sources.flatMap((file) => {
        const own = roomOf(file.name);
        return importsOf(file)
          .filter(({ target }) => own >= 0 && roomOf(target) > own)
          .map(({ target }) => `${file.name} → ${target}`);
      });
      expect(wrong).toEqual([]);
    },
  );

  test('the rules above catch what they are meant to catch', () => {
    const file = (name: string, text: string): SourceFile => ({
      name,
      text,
      code: stripComments(text),
    });
    const shipper = file(
      'src/ship/pool.ts',
      "import type { Plan } from '../tail/planner.ts';\nimport { x } from '../encode/drain-task.ts';\n",
    );
    expect(importsOf(shipper).map((wanted) => mayImport(shipper, wanted))).toEqual([false, true]);
    const store = file('src/commit/store.ts', "import { pool } from '../ship/pool.ts';\n");
    expect(importsOf(store).map((wanted) => mayImport(store, wanted))).toEqual([false]);
    const typed = file('src/commit/store.ts', "import type { Pool } from '../ship/pool.ts';\n");
    expect(importsOf(typed).map((wanted) => mayImport(typed, wanted))).toEqual([true]);
    const [a, b, c] = [
      file('src/a.ts', "import type { B } from './b.ts';\n"),
      file('src/b.ts', "export type { C } from './c.ts';\n"),
      file('src/c.ts', "const { a } = await import('./a.ts');\n"),
    ];
    expect(importCircles([a, b, c])).toEqual([['src/a.ts', 'src/b.ts', 'src/c.ts']]);
    expect(importCircles([a, b])).toEqual([]);
    const fields = 'class A {\n  readonly a = 1;\n  #b = 2;\n  c: number;\n  d = 0;\n  get e() {';
    expect(mutableFieldsOf(file('src/a.ts', fields))).toEqual(['src/a.ts:4', 'src/a.ts:5']);
    const long = (lines: number) => `export function a() {\n${'  b();\n'.repeat(lines - 2)}}\n`;
    expect(longFunctionsOf(file('src/a.ts', long(functionLinesMax)))).toEqual([]);
    expect(longFunctionsOf(file('src/a.ts', long(functionLinesMax + 1)))).toEqual(['src/a.ts: a']);
    expect(shortLimitsOf('until(x, { withinMs: 25_000 }); eventually(y)')).toEqual([25_000]);
    const meter = "import { cpuUsage } from 'node:process';";
    expect(usesProcess(file('src/a.ts', meter))).toBe(false);
    expect(usesProcess(file('src/a.ts', "import { exit } from 'node:process';"))).toBe(true);
    expect(usesProcess(file('src/a.ts', "import process from 'node:process';"))).toBe(true);
    expect(usesProcess(file('src/a.ts', 'const path = process.env.PATH;'))).toBe(true);
    expect(stripComments("a; // process.exit\nfetch('http://x'); /* process.env */")).toBe(
      "a; \nfetch('http://x'); ",
    );
  });
});
