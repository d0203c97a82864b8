// `tailship convert`: what becomes of configurations with the directives of GKE's tutorials, of the
// charts and of the images. Whatever is read, the result can be loaded.

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { convertConfiguration, noteText } from '../../src/convert/convert.ts';
import { AgentError } from '../../src/errors.ts';
import { loadConfig } from '../../src/options/config-loader.ts';
import { runCli } from '../../src/command/cli.ts';
import { seededRandom } from '../encode/line-generator.ts';
import { makeScratch } from '../support/agent-process.ts';
import { seedOfRun } from '../support/seed.ts';

const configurations = path.join(import.meta.dirname, 'configurations');
const names = readdirSync(configurations);

let scratch: ReturnType<typeof makeScratch>;
beforeEach(() => {
  scratch = makeScratch();
});
afterEach(() => scratch.remove());

type Syntax = 'fluentd' | 'fluent-bit';
type Result = { readonly yaml: Record<string, unknown>; readonly notes: readonly string[] };

function syntaxOf(name: string): Syntax {
  return name.startsWith('fluent-bit') ? 'fluent-bit' : 'fluentd';
}

/** Converts, and loads the result as `tailship run --config` does. */
async function convertFiles(syntax: Syntax, ...files: readonly string[]): Promise<Result> {
  const { yaml, notes } = await convertConfiguration(syntax, files);
  const file = path.join(scratch.path, 'tailship.yaml');
  writeFileSync(file, yaml);
  await loadConfig({ command: 'run', flags: { config: file }, environment: {} });
  const root = (parse(yaml) ?? {}) as Record<string, unknown>;
  return { yaml: root, notes: notes.map((note) => `${note.kind} ${noteText(note)}`) };
}

async function convertText(syntax: Syntax, text: string): Promise<Result> {
  const file = path.join(scratch.path, 'x.conf');
  writeFileSync(file, text);
  return convertFiles(syntax, file);
}

/** A tail source, around what a test is about. */
function fluentd(...sections: readonly string[]): string {
  const source =
    '<source>\n@type tail\npath /var/log/containers/*.log\ntag kubernetes.*\n</source>';
  return [source, ...sections].join('\n');
}

function fluentBit(...sections: readonly string[]): string {
  const input = '[INPUT]\n Name tail\n Path /var/log/containers/*.log\n Tag kube.*';
  return [input, ...sections].join('\n');
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

describe('fluentd', () => {
  test.each([
    [
      'a filter of one container, by its tag',
      '<filter kubernetes.var.log.containers.web-*_shop_app-*.log>\n@type grep\n<exclude>\nkey level\npattern /^debug$/i\n</exclude>\n</filter>',
      [{ match: 'shop/web-*/app', drop: { field: 'level', pattern: '(?i)^debug$' } }],
    ],
    [
      'a value in quotes over two lines, and comments',
      '<filter **> # all\n@type grep\n<exclude>\nkey log # the text\npattern "a\\\n b" # more\n</exclude>\n</filter>',
      [{ drop: 'a b' }],
    ],
    [
      'JSON over lines',
      '<match **>\n@type google_cloud\nlabels {\n  "a": "b", # one\n  "c": "}"\n}\n</match>',
      [{ labels: { a: 'b', c: '}' } }],
    ],
    [
      'a parser of a field, with types',
      '<filter **>\n@type parser\nkey_name msg\nreserve_data true\n<parse>\n@type regexp\nexpression /^(?<code>\\d+) /\ntypes code:integer\n</parse>\n</filter>',
      [
        {
          parse: {
            format: 'regex',
            pattern: String.raw`^(?<code>\d+) `,
            field: 'msg',
            types: { code: 'integer' },
          },
        },
      ],
    ],
    [
      'a format of old',
      '<filter **>\ntype parser\nformat nginx\nkey_name log\n</filter>',
      [{ parse: 'nginx' }],
    ],
    [
      'concat by the first line',
      '<filter **>\n@type concat\nkey log\nmultiline_start_regexp /^\\h{8}/\n</filter>',
      [{ firstLine: '^[0-9a-fA-F]{8}' }],
    ],
    [
      'record_modifier with replace',
      '<filter **>\n@type record_modifier\nremove_keys a,b\n<replace>\nkey log\nexpression /(u)=\\w+/\nreplace \\1=x\n</replace>\n</filter>',
      [{ remove: ['a', 'b'] }, { redact: { pattern: String.raw`(u)=\w+`, with: '$1=x' } }],
    ],
    ['sampling', '<filter **>\n@type sampling_filter\ninterval 10\n</filter>', [{ sample: 0.1 }]],
  ])('%s', async (_, section, rules) => {
    expect((await convertText('fluentd', fluentd(section))).yaml['rules']).toEqual(rules);
  });

  test('what Ruby computes is said, and its default holds', async () => {
    const text = `<source>\n@type tail\npath "#{ENV['P'] || '/var/log/containers/*_shop_*.log'}"\npos_file "#{x}"\n</source>`;
    const { yaml, notes } = await convertText('fluentd', text);
    expect(yaml).toMatchObject({ include: ['shop'] });
    expect(notes.join('\n')).toMatch(/none .*x\.conf:3 .*Ruby is not converted/);
  });

  test('quotes within Ruby end no value', async () => {
    const text = `<source>\n@type tail\npath "#{ENV["P"] || "/var/log/containers/*_shop_*.log"}" # x\n</source>`;
    expect((await convertText('fluentd', text)).yaml).toEqual({ include: ['shop'] });
  });

  test('what RE2 cannot do has no equivalent, and the rest is taken over', async () => {
    const section = '<filter **>\n@type grep\nexclude1 log (?=a)b\nexclude2 log c\n</filter>';
    const { yaml, notes } = await convertText('fluentd', fluentd(section));
    expect(yaml['rules']).toEqual([{ drop: 'c' }]);
    expect(notes.join('\n')).toMatch(/none .*x\.conf:8 .*regular expression of RE2/);
  });

  test('a filter of what is no container drops nothing', async () => {
    const journal = '<source>\n@type systemd\ntag journal\n</source>';
    const filter = '<filter journal>\n@type grep\nexclude1 log x\n</filter>';
    const { yaml } = await convertText('fluentd', fluentd(journal, filter));
    expect(yaml['rules']).toBeUndefined();
  });

  test('includes from the disk, also in a circle', async () => {
    const root = path.join(scratch.path, 'fluent.conf');
    mkdirSync(path.join(scratch.path, 'config.d'));
    writeFileSync(root, `@include config.d/*.conf\n${fluentd()}`);
    writeFileSync(
      path.join(scratch.path, 'config.d/a.conf'),
      '@include ../fluent.conf\n<filter **>\n@type grep\nexclude1 log x\n</filter>',
    );
    const { yaml, notes } = await convertFiles('fluentd', root);
    expect(yaml['rules']).toEqual([{ drop: 'x' }]);
    expect(notes.join('\n')).toContain('includes too much, or itself');
  });

  test('a section that is not closed, and one that closes nothing', async () => {
    const { notes } = await convertText('fluentd', fluentd('</match>', '<match **>', '@type null'));
    expect(notes.join('\n')).toMatch(/closes nothing[^]*is not closed/);
  });
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
  const file = path.join(scratch.path, 'cm.json');
  writeFileSync(file, JSON.stringify({ kind: 'List', items: [map] }));
  expect((await convertFiles('fluent-bit', file)).yaml).toMatchObject({ cluster: 'blue' });
});

describe('Fluent Bit', () => {
  test('a script that does more is said, and what has no file beside it', async () => {
    const script = '[FILTER]\n Name lua\n Match *\n script a.lua\n call a';
    const missing = await convertText('fluent-bit', fluentBit(script));
    expect(missing.notes.join('\n')).toContain('a script, which is not given');
    writeFileSync(path.join(scratch.path, 'a.lua'), 'function a()\n x = 1\nend\n');
    const other = await convertText('fluent-bit', fluentBit(script));
    expect(other.notes.join('\n')).toContain('only string.gsub with constants');
    expect(other.yaml).toEqual({});
  });

  test.each([
    ['[FILTER]\n Name grep\n Match *\n Exclude $log ^x', { rules: [{ drop: '^x' }] }],
    [
      "[FILTER]\n Name grep\n Match *\n Exclude $kubernetes['namespace_name'] ^(dev|test)$",
      { exclude: ['dev', 'test'] },
    ],
    [
      '[FILTER]\n Name record_modifier\n Match *\n Record team core\n Remove_key a',
      { rules: [{ set: { team: 'core' }, remove: ['a'] }] },
    ],
    [
      '[FILTER]\n Name parser\n Match *\n Key_Name log\n Parser logfmt\n Parser apache2',
      { rules: [{ parse: ['logfmt', 'apache'] }] },
    ],
    [
      '@SET level=debug\n[SERVICE]\n Log_Level ${level}\n Grace 10',
      { logLevel: 'debug', graceMs: 10_000 },
    ],
    ['[FILTER]\n Name multiline\n Match *\n multiline.parser java, go', { joinStackTraces: true }],
    ['[OUTPUT]\n Name stdout\n Match *', { output: ['stdout'] }],
  ])('%j', async (section, expected) => {
    expect((await convertText('fluent-bit', fluentBit(section))).yaml).toEqual(expected);
  });

  test('a condition drops nothing', async () => {
    const filter = '[FILTER]\n Name modify\n Match *\n Condition Key_exists a\n Remove b';
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({});
    expect(notes.join('\n')).toContain('a condition');
  });
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
    const file = path.join(scratch.path, name);
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
  expect(await runConvert('fluentd', scratch.path)).toMatchObject({ code: 2 });
  expect(await runConvert('fluentd', path.join(scratch.path, 'none'))).toMatchObject({ code: 2 });
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
  cpSync(configurations, scratch.path, { recursive: true });
  for (let round = 0; round < 25; round += 1) {
    for (const name of names) {
      let text = readFileSync(path.join(configurations, name), 'utf8');
      for (let count = 0; count < 4; count += 1) {
        const at = random.below(text.length + 1);
        const length = random.oneIn(2) ? 0 : random.below(40);
        const put = random.pick(odd);
        text = text.slice(0, at) + put + text.slice(at + length);
      }
      const file = path.join(scratch.path, name);
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
