// The grammar of `rules`: what is read of it, and that all that is wrong is said at once.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { loadConfig } from '../../src/options/config-loader.ts';
import { problemTexts } from '../../src/options/config-problems.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';

const published = `
rules:
  - match: 'shop/*/*'
    drop: 'GET /healthz'
  - match: 'shop/*/*'
    parse: logfmt
    severity: { from: level, map: pino }   # pino's numbers and names
    message: { from: msg }
    rename: { old: new }
    labels: { team: core }
    project: other-project
    redact: { pattern: 'abc\\d+', with: 'xxx' }
`;

function rulesOf(yaml: string) {
  return parseRules((parse(yaml) as { rules: unknown }).rules);
}

/** `path text` of each problem. */
function problemsOf(yaml: string): string[] {
  return rulesOf(yaml).problems.map((problem) => `${problem.path} ${problem.text}`);
}

describe('parseRules()', () => {
  test('reads the form that others rely on', () => {
    const { rules, problems } = rulesOf(published);
    expect(problems).toEqual([]);
    expect(rules[0]).toMatchObject({
      name: '1',
      match: { containers: ['shop/*/*'] },
      steps: { drop: [{ pattern: 'GET /healthz' }] },
    });
    expect(rules[1]).toMatchObject({
      name: '2',
      steps: {
        parse: [{ format: 'logfmt' }],
        severity: { from: 'level', map: 'pino' },
        message: { from: 'msg' },
        rename: [['old', 'new']],
        redact: [{ pattern: 'abc\\d+', with: 'xxx' }],
      },
      template: { labels: { team: { value: 'core' } }, project: 'other-project' },
    });
  });

  test.each([
    ['match: { namespace: [a, b], container: c }', { containers: ['a/*/c', 'b/*/c'] }],
    ['match: [a, b/c]', { containers: ['a', 'b/c'] }],
    ['match: { labels: { app: "web-*" }, stream: stderr }', { podLabels: { app: 'web-*' } }],
    ['', { containers: [] }],
  ])('reads %s', (text, match) => {
    const { rules, problems } = rulesOf(`rules: [{ drop: x${text === '' ? '' : `, ${text}`} }]`);
    expect(problems).toEqual([]);
    expect(rules[0]?.match).toMatchObject(match);
  });

  test.each([
    ['json', { format: 'json' }],
    ['{ json: { field: log } }', { format: 'json', field: 'log' }],
    ['{ format: json, field: log }', { format: 'json', field: 'log' }],
    ['{ json: log }', { format: 'json', field: 'log' }],
    ['{ regex: "^(?<a>.)" }', { format: 'regex', pattern: '^(?<a>.)' }],
    ['{ regex: { pattern: "^(?P<a>.)", types: { a: integer } } }', { types: { a: 'integer' } }],
  ])('reads parse: %s', (text, action) => {
    const { rules, problems } = rulesOf(`rules: [{ parse: ${text} }]`);
    expect(problems).toEqual([]);
    expect(rules[0]?.steps.parse?.[0]).toMatchObject(action);
  });

  test('reads severities that are compared', () => {
    const { rules } = rulesOf('rules: [{ drop: [{ severity: "<INFO" }], keep: "x" }]');
    expect(rules[0]?.steps.drop?.[0]?.severities).toEqual(['DEFAULT', 'DEBUG']);
  });

  test('says all that is wrong at once, with its path and the nearest name', () => {
    const problems = problemsOf(`
rules:
  - sevrity: { from: level }
    parse: logftm
  - severity: { from: level, map: pinoo }
    drop: '('
    labels: { a: { podlabel: x } }
  - match: 'a/b/c/d'
    time: { from: t, format: '%Q' }
    project: 'Not A Project'
    redact: { pattern: 'x*', with: y }
    sample: 2
  - match: { stream: stdout }
    resource: { a: b }
`);
    expect(problems).toEqual([
      expect.stringMatching(/^rules\[0\]\.sevrity is unknown; meant is severity\?$/),
      expect.stringMatching(/^rules\[0\]\.parse is "logftm"; allowed is .* meant is logfmt\?$/),
      expect.stringMatching(/^rules\[1\]\.labels\.a\.podlabel is unknown; meant is podLabel\?$/),
      expect.stringMatching(/^rules\[1\]\.labels\.a is /),
      expect.stringMatching(/^rules\[1\]\.drop is "\("; allowed is a regular expression of RE2/),
      expect.stringMatching(/^rules\[1\]\.severity\.map is "pinoo"; .* meant is pino\?$/),
      expect.stringMatching(/^rules\[2\]\.match is "a\/b\/c\/d"; allowed is NAMESPACE/),
      expect.stringMatching(/^rules\[2\]\.project is "Not A Project"/),
      expect.stringMatching(/^rules\[2\]\.time\.format has %Q, which is not understood$/),
      expect.stringMatching(/^rules\[2\]\.redact\.pattern is "x\*"; allowed is a pattern that/),
      expect.stringMatching(/^rules\[2\]\.sample is 2; allowed is a share from 0 to 1$/),
      expect.stringMatching(/^rules\[3\]\.resource cannot depend on match\.stream/),
    ]);
  });

  test.each([
    ['rules: 5', 'rules is 5; allowed is a list of at most 256 rules'],
    ['rules: [5]', expect.stringMatching(/^rules\[0\] is 5; allowed is an object of name, match/)],
    ['rules: [{ name: a, drop: x }, { name: a }]', 'rules have two rules named "a"'],
    ['rules: [{ parse: { regex: "(a)" } }]', expect.stringContaining('groups that have names')],
    ['rules: [{ parse: { regex: "(?<a>.)(?<a>.)" } }]', expect.stringContaining('duplicate')],
    // What would be all containers, or nothing of what they write.
    ['rules: [{ match: , drop: x }]', expect.stringMatching(/^rules\[0\]\.match is empty/)],
    ['rules: [{ match: [], drop: x }]', expect.stringMatching(/^rules\[0\]\.match is \[\]/)],
    ['rules: [{ match: { pod: [] }, drop: x }]', expect.stringContaining('match.pod is []')],
    ['rules: [{ match: { pod: }, drop: x }]', expect.stringContaining('match.pod is empty')],
    ['rules: [{ sample: false }]', expect.stringContaining('allowed is a share from 0 to 1')],
    ['rules: [{ sample: " " }]', expect.stringContaining('allowed is a share from 0 to 1')],
    ['rules: [{ sample: [0.5] }]', expect.stringContaining('allowed is a share from 0 to 1')],
    [
      'rules: [{ drop: { all: [{ all: [a], pattern: b }] } }]',
      expect.stringContaining('drop.all[0].all is'),
    ],
    ['rules: [{ drop: { all: [] } }]', expect.stringContaining('allowed is a list of conditions')],
    ['rules: [{ drop: { all: [a], field: b } }]', expect.stringContaining('drop.field is unknown')],
    ['rules: [{ drop: }]', expect.stringContaining('rules[0].drop is empty')],
    [`rules: [{ remove: [${'a, '.repeat(257)}] }]`, 'rules[0].remove has 257 of at most 256'],
    ['rules: [{ drop: &a [*a] }]', expect.stringContaining('rules[0].drop[0] is ')],
    ['rules: [{ set: &a { a: *a } }]', expect.stringContaining('rules[0].set.a is [object')],
    // The API refuses a request with half of a surrogate pair.
    ['rules: [{ set: { a: "\\ud800" } }]', expect.stringContaining('rules[0].set.a is ')],
    ['rules: [{ set: { a: { b: ["\\udfff"] } } }]', expect.stringContaining('rules[0].set.a is ')],
    ['rules: [{ set: { "\\ud800": 1 } }]', expect.stringContaining('is no field')],
    ['rules: [{ rename: { a: "\\ud800" } }]', expect.stringContaining('rules[0].rename.a is ')],
  ])('refuses %s', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

test('parts of match that combine to more than any list may hold are refused, not cut', () => {
  const names = `[${Array.from({ length: 20 }, (_, index) => `n${index}`).join(', ')}]`;
  expect(problemsOf(`rules: [{ match: { namespace: ${names}, pod: ${names} }, drop: x }]`)).toEqual(
    [expect.stringContaining('match has 400 combinations of at most 256')],
  );
});

describe('loadConfig()', () => {
  async function load(text: string) {
    const config = path.join(mkdtempSync(path.join(tmpdir(), 'rules-')), 'a.yaml');
    writeFileSync(config, text);
    return loadConfig({ command: 'run', flags: { config }, environment: {} });
  }

  test('takes rules from the YAML file', async () => {
    const { config } = await load(published);
    expect(JSON.parse(config.rules ?? '[]')).toHaveLength(2);
  });

  test('warns of rules that ask for pods, where there is no API server', async () => {
    const rules = `rules:
  - { match: { labels: { app: web } }, drop: x }
  - { labels: { owner: { annotation: a } } }
  - { labels: { team: core } }
`;
    const text = 'rules 1, 2 ask for labels or annotations of pods, but';
    const { warnings } = await load(rules);
    expect(warnings).toEqual([`${text} kubernetesApi is not set`]);
    const api = 'kubernetesApi: https://kubernetes\n';
    expect((await load(api + rules)).warnings).toEqual([]);
    const off = await load(`${api}kubernetesMetadata: 'off'\n${rules}`);
    expect(off.warnings).toEqual([`${text} kubernetesMetadata is off`]);
  });

  test.each([
    ['rules: &a [*a]', 'an alias points at what holds it'],
    ['rules: [&a { drop: &b [*b] }]', 'an alias points at what holds it'],
    ['rules: [{ drop: x, drop: y }]', 'Map keys must be unique at line 1, column'],
    ['rules: [{ set: { a: !secret b } }]', 'Unresolved tag: !secret at line 1, column 21'],
    ['rules: []\n---\nrules: []', 'multiple documents'],
    [`rules: [{ set: { a: ${'['.repeat(5_000)}${']'.repeat(5_000)} } }]`, 'call stack'],
  ])('refuses %s', async (text, problem) => {
    const error = await load(text).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((error as Error).message).toContain(problem);
  });

  test('refuses wrong rules whole, beside other problems', async () => {
    const error = await load('workers: none\nrules: [{ drp: a }, { keep: ")" }]').catch(
      (reason: unknown) => reason,
    );
    expect(problemTexts(error as Error)).toEqual([
      expect.stringMatching(/^rules\[0\]\.drp in .*a\.yaml is unknown; meant is drop\?$/),
      expect.stringMatching(/^rules\[1\]\.keep in .*a\.yaml is "\)"; allowed is a regular/),
      expect.stringMatching(/^workers in .*a\.yaml is "none"/),
    ]);
  });
});
