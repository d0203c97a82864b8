// `tailship convert`: what becomes of configurations with the directives of GKE's tutorials, of the
// charts and of the images. Whatever is read, the result can be loaded.

import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readTree } from '../../src/convert/read-tree.ts';
import type { Section } from '../../src/convert/section.ts';
import { AgentError } from '../../src/errors.ts';
import { runCli } from '../../src/command/cli.ts';
import { seededRandom } from '../encode/line-generator.ts';
import { fluentBit, useConverter, type Syntax } from './converter.ts';
import { seedOfRun } from '../support/seed.ts';

const configurations = path.join(import.meta.dirname, 'configurations');
const names = readdirSync(configurations);

const { folder, convertFiles, convertText } = useConverter();

function syntaxOf(name: string): Syntax {
  return name.startsWith('fluent-bit') ? 'fluent-bit' : 'fluentd';
}

test.each(names)('%s converts, and what becomes of it has file and line', async (name) => {
  const { notes } = await convertFiles(syntaxOf(name), path.join(configurations, name));
  expect(notes.length).toBeGreaterThan(3);
  const text = readFileSync(path.join(configurations, name), 'utf8').split('\n');
  for (const note of notes) {
    const line = Number(/:(\d+) {2}/.exec(note)?.[1]);
    expect(text[line - 1]?.trim(), note).toMatch(/\S/);
  }
});

test.each(names)('%s has no directive that docs/migrate.md does not name', async (name) => {
  const docs = readFileSync(path.join(import.meta.dirname, '../../docs/migrate.md'), 'utf8');
  const named = new Set(docs.toLowerCase().match(/[@\w./-]+/g));
  const root = await readTree(syntaxOf(name), [path.join(configurations, name)], () => {});
  const keys = (section: Section): string[] => [
    ...section.directives.flatMap(({ key, value }) => [
      key,
      ...(/^@?type$/.test(key) ? [value] : []),
    ]),
    ...section.sections.flatMap((each) => [each.name, ...keys(each)]),
  ];
  // What a user calls a field or a label is no directive.
  const isOwn = /^(?:team|zone|node|mine|method|lvl|record\b)/;
  const unnamed = keys(root).filter(
    (key) =>
      !named.has(key.toLowerCase().replace(/\d$/, 'n')) &&
      !named.has(key.toLowerCase()) &&
      !isOwn.test(key),
  );
  expect([...new Set(unnamed)]).toEqual([]);
});

test("GKE's ConfigMap of fluentd with the filters of its tutorial", async () => {
  const file = path.join(configurations, 'fluentd-gke.yaml');
  const { yaml, notes } = await convertFiles('fluentd', file);
  expect(yaml).toEqual({
    from: 'start',
    joinStackTraces: true,
    nodeLogs: 'auto',
    nodeUnits: ['docker.service'],
    partialFlushMs: '5s',
    rules: [
      { drop: '^DEBUG' },
      {
        redact: [{ pattern: '[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}', with: '[CARD]' }],
      },
    ],
  });
  const source = notes.find((note) => note.includes('source systemd'));
  expect(source).toMatch(/^taken .*fluentd-gke\.yaml:system\.input\.conf:71 {2}/);
});

test('a ConfigMap of Fluent Bit whose files include each other, with its parsers', async () => {
  const file = path.join(configurations, 'fluent-bit-tutorial.yaml');
  const { yaml } = await convertFiles('fluent-bit', file);
  expect(yaml).toMatchObject({
    flushIntervalMs: 1_000,
    adminAddress: '0.0.0.0:2020',
    podAnnotations: true,
    location: 'europe-west4',
  });
  expect(yaml['rules']).toMatchObject([
    { drop: '/healthz' },
    { parse: { regex: '^(?<lvl>[A-Z]+) (?<rest>.*)$' } },
    { message: { from: 'msg' }, remove: ['stream'], set: { env: 'prod' } },
    {
      redact: [
        { pattern: String.raw`[0-9][0-9][0-9]\-*[0-9][0-9]`, with: 'xxx-xx' },
        { pattern: String.raw`[A-Za-z0-9+\.\-_]+@[A-Za-z0-9\.]+`, with: 'me@"$1"' },
      ],
    },
    { severity: { from: 'level' } },
  ]);
});

test('the YAML form of Fluent Bit, with variables and a multiline parser', async () => {
  const file = path.join(configurations, 'fluent-bit-pipeline.yaml');
  const { yaml } = await convertFiles('fluent-bit', file);
  expect(yaml).toMatchObject({
    include: ['shop'],
    exclude: ['shop/x*', 'kube-system'],
    cluster: 'blue',
  });
  expect(yaml['rules']).toMatchObject([
    { match: 'shop', firstLine: String.raw`^\d{4}-` },
    { match: 'shop', keep: '^keep' },
    { match: 'shop', labels: { a: 'b', c: 'd' } },
  ]);
});

test('what one input leaves out and another one reads is not excluded', async () => {
  const input = (path_: string, excluded: string) =>
    `[INPUT]\n Name tail\n Path ${path_}\n Exclude_Path ${excluded}\n Tag kube.*\n`;
  const own = input(
    '/var/log/containers/app*_shop_*.log',
    '/var/log/containers/*_kube-system_*.log',
  );
  const rest = input(
    '/var/log/containers/*.log',
    '/var/log/containers/app*_shop_*.log,/var/log/containers/*_kube-system_*.log',
  );
  const { yaml, notes } = await convertText('fluent-bit', own + rest);
  expect(yaml).toEqual({ exclude: ['kube-system'] });
  expect(notes.join('\n')).toMatch(/changed .*another input reads these containers/);
});

test('a project of some containers is a rule, and stdout beside Cloud Logging a copy', async () => {
  const cloud = '[OUTPUT]\n Name stackdriver\n Match kube.var.log.containers.*_pay_*\n';
  const outputs = `${cloud} export_to_project_id other-project\n[OUTPUT]\n Name stdout\n Match *`;
  const { yaml } = await convertText('fluent-bit', fluentBit(outputs));
  expect(yaml).toEqual({
    output: ['endpoint', 'stdout'],
    rules: [{ match: 'pay', project: 'other-project' }],
  });
});

test('an output for what is no container labels no container', async () => {
  const journal = '[INPUT]\n Name systemd\n Tag node.*\n';
  const output = '[OUTPUT]\n Name stackdriver\n Match node.*\n labels a=b';
  const { yaml } = await convertText('fluent-bit', fluentBit(journal + output));
  expect(yaml).toEqual({ nodeLogs: 'auto', nodeJournal: true });
});

test('a ConfigMap as JSON, with the YAML form of Fluent Bit in it', async () => {
  const text = readFileSync(path.join(configurations, 'fluent-bit-pipeline.yaml'), 'utf8');
  const map = { apiVersion: 'v1', kind: 'ConfigMap', data: { 'fluent-bit.yaml': text } };
  const file = path.join(folder(), 'cm.json');
  writeFileSync(file, JSON.stringify({ kind: 'List', items: [map] }));
  expect((await convertFiles('fluent-bit', file)).yaml).toMatchObject({ cluster: 'blue' });
});

async function runConvert(...words: readonly string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const { signal } = new AbortController();
  const code = await runCli({
    words: ['convert', ...words],
    environment: {},
    signal,
    outputClosed: signal,
    terminalSize: () => undefined,
    isErrorTerminal: false,
    writeOut: (line) => void out.push(line),
    writeError: (line) => void errors.push(line),
  });
  return { code, out: out.join('\n'), errors: errors.join('\n') };
}

test('the command prints YAML, and a summary on stderr', async () => {
  const file = path.join(configurations, 'fluentd-rules.conf');
  const { code, out, errors } = await runConvert('fluentd', file);
  expect(code).toBe(0);
  expect(parse(out)).toMatchObject({ cluster: 'blue' });
  expect(errors).toMatch(/^\d+ directives taken over\n/);
  expect(errors).toContain('Socket.gethostname');
});

test.each([
  ['text', 'worker_processes 4;\nhttp {\n}\n'],
  ['nothing', ''],
  ['binary', '\0\x01<source>\n</source>'],
  ['JSON', '{"a": [1]}'],
  ['other YAML', 'kind: ConfigMap\ndata:\n  a: |\n    hello\n'],
])('a file of %s is refused with exit code 2', async (_, text) => {
  for (const name of ['x.conf', 'x.yaml', 'x.json']) {
    const file = path.join(folder(), name);
    writeFileSync(file, text);
    for (const syntax of ['fluentd', 'fluent-bit']) {
      const { code, errors } = await runConvert(syntax, file);
      expect(code).toBe(2);
      expect(errors).toMatch(/CONFIG_INVALID: .*(?:is no configuration of|is no text)/);
    }
  }
});

test('no file, no such file, no such agent', async () => {
  expect(await runConvert('fluentd')).toMatchObject({ code: 2 });
  expect(await runConvert('fluentd', folder())).toMatchObject({ code: 2 });
  expect(await runConvert('fluentd', path.join(folder(), 'none'))).toMatchObject({ code: 2 });
  expect(await runConvert('vector', 'x')).toMatchObject({ code: 2 });
});

/** Bytes that mean something to one of the syntaxes. */
const odd = [
  '<',
  '>',
  '</',
  '"',
  "'",
  '{',
  '[',
  ']',
  '\\',
  '#',
  '#{',
  '${',
  '@',
  '\n',
  ': ',
  '|',
  '*',
  '(?',
  'é',
  '\u2028',
];

test('whatever is changed in a configuration, the result loads', async () => {
  const seed = seedOfRun();
  const random = seededRandom(seed);
  cpSync(configurations, folder(), { recursive: true });
  for (let round = 0; round < 25; round += 1) {
    for (const name of names) {
      let text = readFileSync(path.join(configurations, name), 'utf8');
      for (let count = 0; count < 4; count += 1) {
        const at = random.below(text.length + 1);
        const length = random.oneIn(2) ? 0 : random.below(40);
        const put = random.pick(odd);
        text = text.slice(0, at) + put + text.slice(at + length);
      }
      const file = path.join(folder(), name);
      writeFileSync(file, text);
      try {
        await convertFiles(syntaxOf(name), file);
      } catch (error) {
        const isRefused =
          error instanceof AgentError && / is no configuration of /.test(error.message);
        expect(isRefused, `seed ${seed}, round ${round}, ${name}: ${String(error)}\n${text}`).toBe(
          true,
        );
      }
    }
  }
});
