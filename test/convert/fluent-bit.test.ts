// What the filters of Fluent Bit become.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { fluentBit, useConverter } from './converter.ts';

const { folder, convertText } = useConverter();

describe('Fluent Bit', () => {
  test('a field whose value is not known is not set, and not said to be', async () => {
    const filter = '[FILTER]\n Name modify\n Match *\n Add a ${A}\n Add b 1';
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({ rules: [{ set: { b: '1' } }] });
    expect(notes.filter((note) => note.includes('is set if it is there, too'))).toHaveLength(1);
  });

  test('what a variable switches is not guessed', async () => {
    const input =
      '[INPUT]\n Name tail\n Path /var/log/containers/*.log\n Tag a.*\n Read_from_Head ${HEAD}';
    const filter = '[FILTER]\n Name kubernetes\n Match a.*\n Labels ${L}\n K8S-Logging.Parser ${P}';
    const { yaml, notes } = await convertText('fluent-bit', `${input}\n${filter}`);
    expect(yaml).toEqual({});
    for (const variable of [
      'Read_from_Head: ${HEAD}',
      'Labels: ${L}',
      'K8S-Logging.Parser: ${P}',
    ]) {
      expect(notes.filter((note) => note.startsWith('none')).join('\n')).toContain(variable);
    }
  });

  test.each([
    ['', { kubernetesMetadata: 'off' }],
    ['\n K8S-Logging.Exclude On', { podAnnotations: true }],
    [
      "\n[FILTER]\n Name grep\n Match *\n Exclude $kubernetes['labels']['noisy'] ^true$",
      { rules: [{ match: { labels: { noisy: 'true' } }, drop: '^' }] },
    ],
  ])(
    'Labels Off leaves the API server out where nothing else asks it: %j',
    async (more, result) => {
      const filter = `[FILTER]\n Name kubernetes\n Match *\n Labels Off${more}`;
      expect((await convertText('fluent-bit', fluentBit(filter))).yaml).toEqual(result);
    },
  );

  describe('with two inputs', () => {
    const input = (tag: string, file: string, more = '') =>
      `[INPUT]\n Name tail\n Tag ${tag}.*\n Path /var/log/containers/${file}.log${more}\n`;
    const ofBoth = [
      '[FILTER]\n Name grep\n Match b.*\n Exclude log x\n',
      '[FILTER]\n Name modify\n Match b.*\n Set team core\n',
      "[FILTER]\n Name grep\n Match b.*\n Regex $kubernetes['namespace_name'] ^dev$\n",
      '[FILTER]\n Name grep\n Match a.*\n Exclude log y\n',
      '[OUTPUT]\n Name null\n Match a.*\n',
    ].join('');
    const convert = async (pathOfA: string, pathOfB: string, more = '') =>
      convertText('fluent-bit', input('a', pathOfA) + input('b', pathOfB, more) + ofBoth);

    test('a filter of one drops nothing that the other ships', async () => {
      const { yaml, notes } = await convert('*_shop_*', '*');
      expect(yaml).toEqual({ rules: [{ set: { team: 'core' } }] });
      const own = notes.filter((note) => note.includes('another input reads some'));
      expect(own.map((note) => note.split(' ')[0])).toEqual(['none', 'changed', 'none', 'none']);
    });

    test('a filter of one drops what the other one excludes', async () => {
      const { yaml } = await convert(
        '*_shop_*',
        '*',
        '\n Exclude_Path /var/log/containers/*_shop_*',
      );
      expect(yaml).toMatchObject({
        rules: [{ set: { team: 'core' } }, { match: 'shop', drop: 'y' }],
        exclude: ['shop'],
      });
    });

    test('filters of other namespaces are for them alone', async () => {
      const { yaml } = await convert('*_shop_*', '*_pay_*');
      expect(yaml['rules']).toEqual([
        { match: 'pay', drop: 'x' },
        { match: 'pay', set: { team: 'core' } },
        { match: 'shop', drop: 'y' },
      ]);
    });
  });

  test('a multiline parser of its own joins more than it did, and that is said', async () => {
    const parser =
      '[MULTILINE_PARSER]\n name own\n rule "start_state" "/^\\d/" "cont"\n rule "cont" "/^ /" "cont"';
    const filter = '[FILTER]\n Name multiline\n Match *\n multiline.parser own';
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(parser, filter));
    expect(yaml).toEqual({ rules: [{ firstLine: '^\\d' }] });
    expect(notes.join('\n')).toContain('every line up to the next first line is joined');
  });

  test('a script that does more is said, and what has no file beside it', async () => {
    const script = '[FILTER]\n Name lua\n Match *\n script a.lua\n call a';
    const missing = await convertText('fluent-bit', fluentBit(script));
    expect(missing.notes.join('\n')).toContain('a script, which is not given');
    writeFileSync(path.join(folder(), 'a.lua'), 'function a()\n x = 1\nend\n');
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

  test.each([
    ['^kube\\.var\\.log\\.containers\\.[^_]+_shop_.*$', 'shop'],
    ['kube\\..*_(shop|pay)_.*', ['shop', 'pay']],
    ['_shop_app-', 'shop/*/app'],
    ['kube.var.log.containers.web-.*_(?<ns>shop)_.*\\.log$', 'shop/web-*'],
    ['web-.*_shop', ['shop*/*web-*', '*/*web-*/shop*']],
    ['^kube\\.', undefined],
    ['.*', undefined],
  ])('Match_Regex %s is for %j', async (regex, match) => {
    const filter = `[FILTER]\n Name grep\n Match_Regex ${regex}\n Exclude log x`;
    const { yaml } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({ rules: [{ ...(match !== undefined && { match }), drop: 'x' }] });
  });

  test('Match_Regex of an output labels no other containers', async () => {
    const output = (regex: string) =>
      `[OUTPUT]\n Name stackdriver\n Match_Regex ${regex}\n labels a=b\n`;
    const { yaml } = await convertText('fluent-bit', fluentBit(output('_pay_')));
    expect(yaml).toEqual({ rules: [{ match: 'pay', labels: { a: 'b' } }] });
    const { yaml: none } = await convertText('fluent-bit', fluentBit(output('(?!kube)')));
    expect(none).toEqual({});
  });

  test.each(['^node\\.', 'kube\\.[a-f]+_shop_.*', '(a|b)+_shop_', '(?!kube)'])(
    'Match_Regex %s drops nothing',
    async (regex) => {
      const filter = `[FILTER]\n Name grep\n Match_Regex ${regex}\n Exclude log x`;
      const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
      expect(yaml).toEqual({});
      expect(notes.at(-1)).toMatch(/^none .*filter grep /);
    },
  );

  test.each([
    [
      'Logical_Op or\n Regex log a\n Regex level b',
      [{ keep: ['a', { field: 'level', pattern: 'b' }] }],
    ],
    ['Regex log a\n Regex log b', [{ keep: 'a' }, { keep: 'b' }]],
    ['Logical_Op and\n Exclude log a\n Exclude log b', [{ drop: { all: ['a', 'b'] } }]],
    ['Logical_Op or\n Exclude log a\n Exclude log b', [{ drop: 'a' }, { drop: 'b' }]],
  ])('grep %j', async (tests, rules) => {
    const filter = `[FILTER]\n Name grep\n Match *\n ${tests}`;
    expect((await convertText('fluent-bit', fluentBit(filter))).yaml).toEqual({ rules });
  });

  test('containers that must be of one namespace and one name are those of both', async () => {
    const filter =
      "[FILTER]\n Name grep\n Match *\n Regex $kubernetes['namespace_name'] ^shop$\n Regex $kubernetes['container_name'] ^app$";
    const { yaml } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({ include: ['shop/*/app'] });
  });

  test('a second list of what is kept does not widen the first', async () => {
    const one = (name: string) =>
      `[FILTER]\n Name grep\n Match *\n Regex $kubernetes['namespace_name'] ^${name}$\n`;
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(one('a'), one('b')));
    expect(yaml).toEqual({ include: ['a'] });
    expect(notes.at(-1)).toMatch(/^none .*write include/);
  });

  test.each([
    [
      'Operation nest\n Wildcard a\n Wildcard pre_b\n Nest_under x\n Remove_prefix pre_',
      { rules: [{ rename: { a: 'x.a', pre_b: 'x.b' } }] },
      'taken',
    ],
    ['Operation nest\n Wildcard a*\n Nest_under x', {}, 'none'],
    ['Operation lift\n Nested_under x', {}, 'none'],
    ['Operation lift\n Nested_under kubernetes\n Add_prefix k8s_', {}, 'changed'],
  ])('nest %j', async (lines, expected, kind) => {
    const filter = `[FILTER]\n Name nest\n Match *\n ${lines}`;
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual(expected);
    expect(notes.at(-1)).toMatch(new RegExp(`^${kind} .*filter nest`));
  });

  test('a throttle drops nothing, and what may be used instead is said', async () => {
    const filter = '[FILTER]\n Name throttle\n Match *\n Rate 100\n Window 5\n Interval 1s';
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({});
    expect(notes.at(-1)).toMatch(/^none .*--rate-limit/);
  });

  test('a condition drops nothing', async () => {
    const filter = '[FILTER]\n Name modify\n Match *\n Condition Key_exists a\n Remove b';
    const { yaml, notes } = await convertText('fluent-bit', fluentBit(filter));
    expect(yaml).toEqual({});
    expect(notes.join('\n')).toContain('a condition');
  });
});
