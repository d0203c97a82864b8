// What the filters of fluentd become.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { fluentd, useConverter } from './converter.ts';

const { folder, convertFiles, convertText } = useConverter();

/** A filter grep that begins and ends so. */
function grep(beginning: string, rest: readonly string[]): string {
  return `<filter **>\n@type grep\n${[beginning, ...rest].join('\n')}\n</filter>`;
}

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
    [
      'what any pattern of <or> keeps, and all of the others',
      grep('<regexp>\nkey log\npattern a\n</regexp>\n<or>', [
        '<regexp>\nkey log\npattern b\n</regexp>',
        '<regexp>\nkey level\npattern c\n</regexp>\n</or>',
      ]),
      [{ keep: 'a' }, { keep: ['b', { field: 'level', pattern: 'c' }] }],
    ],
    [
      'what all patterns of <and> drop, and any of the others',
      grep('<exclude>\nkey log\npattern a\n</exclude>\n<and>', [
        '<exclude>\nkey log\npattern b\n</exclude>',
        '<exclude>\nkey level\npattern c\n</exclude>\n</and>',
      ]),
      [{ drop: 'a' }, { drop: { all: ['b', { field: 'level', pattern: 'c' }] } }],
    ],
    [
      'what an <and> of containers, labels and texts drops',
      grep('<and>', [
        '<exclude>\nkey $.kubernetes.namespace_name\npattern ^(dev|test)$\n</exclude>',
        '<exclude>\nkey $.kubernetes.container_name\npattern ^app$\n</exclude>',
        '<exclude>\nkey $.kubernetes.labels.tier\npattern ^front$\n</exclude>',
        '<exclude>\nkey log\npattern debug\n</exclude>\n</and>',
      ]),
      [
        {
          match: { containers: ['dev/*/app', 'test/*/app'], labels: { tier: 'front' } },
          drop: 'debug',
        },
      ],
    ],
    [
      'pods that their label drops',
      grep('<exclude>', ['key $.kubernetes.labels.app\npattern ^(a|b)$\n</exclude>']),
      [
        { match: { labels: { app: 'a' } }, drop: '^' },
        { match: { labels: { app: 'b' } }, drop: '^' },
      ],
    ],
  ])('%s', async (_, section, rules) => {
    expect((await convertText('fluentd', fluentd(section))).yaml['rules']).toEqual(rules);
  });

  test('what Ruby computes is said, and its default holds', async () => {
    const text = `<source>\n@type tail\npath "#{ENV['P'] || '/var/log/containers/*_shop_*.log'}"\npos_file "#{x}"\n</source>`;
    const { yaml, notes } = await convertText('fluentd', text);
    expect(yaml).toMatchObject({ include: ['shop'] });
    expect(notes.join('\n')).toMatch(/none .*x\.conf:3 .*Ruby is not converted/);
  });

  test('skip_labels leaves the API server out', async () => {
    const filter = (value: string) =>
      `<filter **>\n@type kubernetes_metadata\nskip_labels ${value}\n</filter>`;
    const convert = async (value: string) => convertText('fluentd', fluentd(filter(value)));
    expect((await convert('true')).yaml).toEqual({ kubernetesMetadata: 'off' });
    expect((await convert('false')).yaml).toEqual({});
  });

  test('concat says what it joins otherwise, and which end of a record it cannot see', async () => {
    const concat = (...rest: readonly string[]) =>
      fluentd(`<filter **>\n@type concat\nkey log\n${rest.join('\n')}\n</filter>`);
    const start = 'multiline_start_regexp /^\\d/';
    const odd = [start, 'continuous_line_regexp /^ /', 'multiline_end_regexp /;$/', 'separator ""'];
    const { notes } = await convertText('fluentd', concat(...odd));
    expect(notes.filter((note) => note.startsWith('changed'))).toHaveLength(3);
    const usual = await convertText('fluentd', concat(start, String.raw`separator "\n"`));
    expect(usual.notes.filter((note) => note.startsWith('changed'))).toEqual([]);
    const ofDocker = await convertText('fluentd', concat(String.raw`multiline_end_regexp /\n$/`));
    expect(ofDocker.notes.join('\n')).toContain('lines that the runtime cut are joined');
    const ofText = await convertText('fluentd', concat('multiline_end_regexp /;$/'));
    expect(ofText.notes.join('\n')).toContain('records are joined by their first line only');
  });

  test('gsub masks the field that it reads, and makes no other', async () => {
    const record = (line: string) =>
      fluentd(`<filter **>\n@type record_transformer\n<record>\n${line}\n</record>\n</filter>`);
    const other = await convertText('fluentd', record(`a \${record["b"].gsub(/x+/, 'y')}`));
    expect(other.yaml).toEqual({});
    expect(other.notes.join('\n')).toMatch(/none .* a is computed/);
    const own = await convertText('fluentd', record(`a \${record["a"].gsub(/x+/, 'y')}`));
    expect(own.yaml['rules']).toEqual([{ redact: [{ pattern: 'x+', with: 'y' }] }]);
    expect(own.notes.join('\n')).toContain('changed');
    const text = await convertText('fluentd', record(`log \${record["log"].gsub(/x+/, 'y')}`));
    expect(text.notes.join('\n')).not.toContain('changed');
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
    const root = path.join(folder(), 'fluent.conf');
    mkdirSync(path.join(folder(), 'config.d'));
    writeFileSync(root, `@include config.d/*.conf\n${fluentd()}`);
    writeFileSync(
      path.join(folder(), 'config.d/a.conf'),
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
