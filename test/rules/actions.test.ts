// Each action of the rules, on texts, JSON, joined and split records: what is in the body, and what
// is counted.

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import type { Source } from '../../src/encode/drain-task.ts';
import { compileRules } from '../../src/rules/resolve-rules.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { expectStrict } from '../encode/strict-entry.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app', labels: {}, annotations: {} };

type ReadEntry = {
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
  readonly severity?: string;
  readonly timestamp: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly split?: { readonly totalSplits: number };
  readonly sourceLocation?: unknown;
};

/** The rules of a YAML list, as a container has them. */
function resolved(yaml: string) {
  const { rules, problems } = parseRules(parse(yaml));
  expect(problems).toEqual([]);
  return compileRules(rules)(names);
}

function line(text: string, { stream = 'stdout', tag = 'F' } = {}): string {
  return `2024-03-05T14:07:21Z ${stream} ${tag} ${text}\n`;
}

function drain(yaml: string, content: string, setup: Partial<Omit<Source, 'segments'>> = {}) {
  const { steps, firstLine } = resolved(yaml);
  const files = openFiles([content]);
  const recordRule = {
    redact: [],
    shares: undefined,
    ...(steps !== undefined && { steps }),
    ...(firstLine && { firstLine }),
    ...setup.recordRule,
  };
  const source = { ...plainSource, ...setup, recordRule, segments: files.segments() };
  const { result, entries } = drainHere([source]);
  files.close();
  for (const entry of entries) expectStrict(entry);
  const list = entries.map((text) => JSON.parse(text) as ReadEntry);
  const payloads = list.map(({ textPayload, jsonPayload }) => textPayload ?? jsonPayload);
  return { list, payloads, rules: result.sources[0]?.rules, result };
}

const published = `
- drop: 'GET /healthz'
- parse: logfmt
  severity: { from: level, map: pino }
  message: { from: msg }
  rename: { old: new }
  redact: { pattern: 'abc\\d+', with: 'xxx' }
`;

describe('the form that others rely on', () => {
  test('shapes texts', () => {
    const { list, payloads, rules } = drain(
      published,
      line('GET /healthz 200') +
        line('level=40 msg="key abc123 is \\"old\\"" old=1 n=abc7') +
        line('level=error msg=short') +
        line('no logfmt abc1'),
    );
    expect(payloads).toEqual([
      { message: 'key xxx is "old"', new: '1', n: 'xxx' },
      'short',
      'no logfmt xxx',
    ]);
    expect(list.map(({ severity }) => severity)).toEqual(['WARNING', 'ERROR', 'INFO']);
    expect(rules).toEqual([
      { name: '1', misses: 0, dropped: 1 },
      { name: '2', misses: 1, dropped: 0 },
    ]);
  });

  test('shapes JSON, which needs no parsing', () => {
    const { list, payloads } = drain(
      published,
      line('{"level":50,"msg":"an abc1 key","old":{"a":["abc2"]},"time":1709647641000}'),
    );
    expect(payloads).toEqual([{ message: 'an xxx key', new: { a: ['xxx'] }, time: 1709647641000 }]);
    expect(list[0]?.severity).toBe('ERROR');
  });

  test('shapes joined and split records', () => {
    const long = 'x'.repeat(200_000);
    const { payloads, list } = drain(
      published,
      line('level=warn msg="one ', { tag: 'P' }) +
        line('line abc1"') +
        line(`no logfmt abc1 ${long}`, { tag: 'P' }) +
        line(long),
    );
    expect(payloads[0]).toBe('one line xxx');
    expect(list[0]?.severity).toBe('WARNING');
    expect(list[1]?.split?.totalSplits).toBeGreaterThan(1);
    expect(payloads.slice(1).map(String).join('')).toBe(`no logfmt xxx ${long}${long}`);
  });

  test('shapes joined stack traces', () => {
    const { payloads } = drain(
      "- redact: { pattern: 'key=(\\w)\\w*', with: 'key=$1…' }",
      line('java.lang.Error: key=secret') + line('\tat a.B.c(B.java:1)') + line('end'),
      { joinStackTraces: true },
    );
    expect(payloads).toEqual(['java.lang.Error: key=s…\n\tat a.B.c(B.java:1)', 'end']);
  });
});

describe('drop and keep', () => {
  const lines =
    line('GET /a') + line('{"path":"/healthz","level":"debug"}') + line('{"path":"/b"}');

  test.each([
    ["drop: 'GET'", 2],
    ["drop: ['GET', 'healthz']", 1],
    ["drop: { field: path, pattern: '^/h' }", 2],
    ['drop: { severity: DEBUG }', 2],
    ["drop: { severity: '<INFO' }", 2],
    ["drop: { field: path, pattern: '.', severity: DEBUG }", 2],
    ["keep: 'GET'", 1],
    ["keep: ['GET', { field: path, pattern: b }]", 2],
    ["drop: '^GET /a$'", 2],
    ["drop: '^/a'", 3],
    ["drop: { all: ['GET', '/a'] }", 2],
    ["drop: { all: ['GET', 'healthz'] }", 3],
    ["drop: { all: [{ field: path, pattern: '^/h' }, { severity: DEBUG }, healthz] }", 2],
    ["drop: [{ all: ['GET', 'b'] }, { all: [path, '/b'] }]", 2],
    ["keep: [{ all: [path, '/b'] }, 'GET']", 2],
    ["keep: { all: [{ severity: INFO }, { field: path, pattern: '.' }] }", 1],
  ])('%s leaves %i', (rule, count) => {
    const { payloads, rules = [] } = drain(`- { ${rule} }`, lines);
    expect(payloads).toHaveLength(count);
    expect(rules.reduce((sum, { dropped }) => sum + dropped, 0)).toBe(3 - count);
  });

  test('look at fields after they are parsed', () => {
    const { payloads } = drain(
      "- { parse: logfmt, drop: { field: path, pattern: '^/healthz' } }",
      line('path=/healthz') + line('path=/a x=1'),
    );
    expect(payloads).toEqual([{ path: '/a', x: '1' }]);
  });

  test('are of one stream where the rule is', () => {
    const { payloads } = drain(
      '- { match: { stream: stderr }, drop: x, labels: { from: errors } }',
      line('x') + line('x', { stream: 'stderr' }) + line('y', { stream: 'stderr' }),
    );
    expect(payloads).toEqual(['x', 'y']);
  });
});

describe('parse', () => {
  test.each<[string, string, unknown]>([
    ['json', 'INFO [main] {"a":1,"b":"{"}', { a: 1, b: '{', prefix: 'INFO [main]' }],
    ['{ json: { field: log } }', '{"log":"{\\"a\\":{\\"b\\":1}}","n":2}', { n: 2, a: { b: 1 } }],
    [
      '{ json: { field: log, keepField: true } }',
      '{"log":"{\\"a\\":1}"}',
      { log: '{"a":1}', a: 1 },
    ],
    ['{ json: { prefix: "^(?<at>\\\\S+) " } }', 'now {"a":1}', { at: 'now', a: 1 }],
    [
      '{ regex: { pattern: "^(?<verb>[A-Z]+) (?P<path>\\\\S+)(?: (?<code>\\\\d+))?$", types: { code: integer } } }',
      'GET /a 200',
      { verb: 'GET', path: '/a', code: 200 },
    ],
    ['{ regex: "^(?<verb>[A-Z]+) (?<path>.*)$" }', 'get /a', 'get /a'],
    ['[logfmt, { regex: "^(?<word>\\\\w+) " }]', 'hello world', { word: 'hello' }],
    ['logfmt', 'a=1 b="x y" c= d e=f=g', { a: '1', b: 'x y', c: '', d: 'true', e: 'f=g' }],
    [
      '{ logfmt: { types: { n: integer, x: float, t: boolean } } }',
      'n=007 x=1.5 t=yes',
      { n: 7, x: 1.5, t: true },
    ],
    ['logfmt', 'a="unterminated', 'a="unterminated'],
    [
      'nginx',
      '10.0.0.1 - ann [05/Mar/2024:14:07:20 +0000] "GET /a?b HTTP/1.1" 200 612 "-" "curl/8 \\"x\\""',
      {
        remote: '10.0.0.1',
        user: 'ann',
        method: 'GET',
        path: '/a?b',
        protocol: 'HTTP/1.1',
        code: '200',
        size: '612',
        agent: 'curl/8 \\"x\\"',
      },
    ],
    [
      'apache',
      '::1 - - [05/Mar/2024:15:07:20 +0100] "POST / HTTP/1.0" 404 -',
      { host: '::1', method: 'POST', path: '/', protocol: 'HTTP/1.0', code: '404' },
    ],
    [
      'syslog',
      '<165>1 2024-03-05T14:07:20.003Z host.example app 8710 ID47 [ex@1 a="b]\\"c"] it is up',
      {
        pri: '165',
        host: 'host.example',
        ident: 'app',
        pid: '8710',
        msgid: 'ID47',
        extradata: '[ex@1 a="b]\\"c"]',
        message: 'it is up',
      },
    ],
    [
      'syslog',
      '<34>Oct 11 22:14:15 mymachine su[123]: failed',
      {
        pri: '34',
        time: 'Oct 11 22:14:15',
        host: 'mymachine',
        ident: 'su',
        pid: '123',
        message: 'failed',
      },
    ],
    ['klog', 'E0305 14:07:21.103990      12 store.cc:88] opened', { pid: '12', message: 'opened' }],
  ])('%s of %s', (format, text, payload) => {
    expect(drain(`- parse: ${format}`, line(text)).payloads).toEqual([payload]);
  });

  test('takes time and severity of the formats that have them', () => {
    const { list } = drain(
      '- parse: [syslog, apache, klog]',
      line('<165>1 2024-03-05T14:07:20.003Z - - - - - up') +
        line('::1 - - [05/Mar/2024:15:07:19 +0100] "POST / HTTP/1.0" 404 -') +
        line('E0305 14:07:21.103990      12 store.cc:88] opened'),
    );
    expect(list.map(({ timestamp }) => timestamp)).toEqual([
      '2024-03-05T14:07:20.003Z',
      '2024-03-05T14:07:19Z',
      '2024-03-05T14:07:21Z',
    ]);
    expect(list.map(({ severity }) => severity)).toEqual(['NOTICE', 'INFO', 'ERROR']);
    expect(list[2]?.sourceLocation).toEqual({ file: 'store.cc', line: '88' });
  });
});

describe('severity', () => {
  test.each([
    ['pino', '30', 'INFO'],
    ['pino', '35', 'INFO'],
    ['pino', '"fatal"', 'CRITICAL'],
    ['bunyan', '60', 'CRITICAL'],
    ['log4j', '"WARN"', 'WARNING'],
    ['log4j', '40000', 'ERROR'],
    ['log4j', '200', 'ERROR'],
    ['syslog', '3', 'ERROR'],
    ['python', '"CRITICAL"', 'CRITICAL'],
    ['{ lo: NOTICE, "*": ALERT }', '"LO"', 'NOTICE'],
    ['{ lo: NOTICE, "*": ALERT }', '"other"', 'ALERT'],
    ['{ 7: EMERGENCY }', '7', 'EMERGENCY'],
  ])('%s makes of %s %s', (map, level, severity) => {
    const rule = `- severity: { from: a.level, map: ${map} }`;
    const { list, payloads } = drain(rule, line(`{"a":{"level":${level}},"severity":"DEBUG"}`));
    expect(list[0]?.severity).toBe(severity);
    expect(payloads).toEqual([{ a: {} }]);
  });

  test('stays, with its field, where no map knows it', () => {
    const { list, payloads, rules } = drain(
      '- { name: lv, severity: { from: lvl, map: pino } }',
      line('{"lvl":"odd","x":1}') + line('{"x":1}') + line('text'),
    );
    expect(payloads).toEqual([{ lvl: 'odd', x: 1 }, { x: 1 }, 'text']);
    expect(list.map(({ severity }) => severity)).toEqual(['INFO', 'INFO', 'INFO']);
    expect(rules).toEqual([{ name: 'lv', misses: 3, dropped: 0 }]);
  });
});

describe('time', () => {
  test.each([
    ['rfc3339', '"2024-03-05T14:07:20.123456789Z"', '2024-03-05T14:07:20.123456789Z'],
    ['rfc3339', '"2024-03-05 15:07:20,5+0100"', '2024-03-05T15:07:20.5+01:00'],
    ['unix', '1709647640.25', '2024-03-05T14:07:20.25Z'],
    ['unix_ms', '1709647640250', '2024-03-05T14:07:20.25Z'],
    ['unix_ns', '"1709647640250000001"', '2024-03-05T14:07:20.250000001Z'],
    ["'%d/%b/%Y:%H:%M:%S %z'", '"05/Mar/2024:15:07:20 +0100"', '2024-03-05T14:07:20Z'],
    ["'%Y-%m-%d %H:%M:%S.%L'", '"2024-03-05 14:07:20.250"', '2024-03-05T14:07:20.25Z'],
    ["'%b %e %I:%M:%S %p'", '"Mar  5 02:07:20 PM"', '2024-03-05T14:07:20Z'],
    ["'%H:%M:%S'", '"14:07:20"', '2024-03-05T14:07:20Z'],
  ])('%s reads %s', (format, value, timestamp) => {
    const rule = `- time: { from: ts, format: ${format} }`;
    const { list, payloads } = drain(rule, line(`{"ts":${value},"time":"2001-01-01T00:00:00Z"}`));
    expect(list[0]?.timestamp).toBe(timestamp);
    expect(payloads).toEqual([{ time: '2001-01-01T00:00:00Z' }]);
  });

  test('is taken in the zone that is given', () => {
    const rule = "- time: { from: ts, format: '%F %T', zone: '+02:00' }";
    const { list } = drain(rule, line('{"ts":"2024-03-05 16:07:20"}'));
    expect(list[0]?.timestamp).toBe('2024-03-05T14:07:20Z');
  });

  test('of more than a day ahead becomes a label, and of none a miss', () => {
    const rule = '- time: { from: ts, format: unix }';
    const { list, rules } = drain(rule, line('{"ts":4102444800,"x":1}') + line('{"ts":"x"}'));
    expect(list[0]?.timestamp).toBe('2024-03-05T14:07:21Z');
    expect(list[0]?.labels).toHaveProperty(['tailship.dev/original-time']);
    expect(rules).toEqual([{ name: '1', misses: 1, dropped: 0 }]);
  });
});

describe('fields', () => {
  test.each<[string, string, unknown]>([
    ['rename: { a.b: c.d }', '{"a":{"b":1,"x":2}}', { a: { x: 2 }, c: { d: 1 } }],
    ['rename: { a.b: c }', '{"a.b":1,"a":{"b":2}}', { a: { b: 2 }, c: 1 }],
    ['rename: { none: c }', '{"a":1}', { a: 1 }],
    [
      'remove: [a.b, c]',
      '{"a":{"b":1},"c":2,"n":12345678901234567890}',
      { a: {}, n: 12345678901234567000 },
    ],
    [
      'set: { env: prod, a.n: 1, list: [1, null] }',
      '{"a":{"b":1}}',
      { a: { b: 1, n: 1 }, env: 'prod', list: [1, null] },
    ],
    ['set: { env: prod }', 'a text', { message: 'a text', env: 'prod' }],
    ['message: log', '{"log":"x","n":1}', { n: 1, message: 'x' }],
    ['set: { constructor: y }', '{"__proto__":1}', JSON.parse('{"__proto__":1,"constructor":"y"}')],
  ])('%s of %s', (rule, text, payload) => {
    const { payloads, rules } = drain(`- ${rule}`, line(text));
    expect(payloads[0]).toEqual(payload);
    expect(rules).toBeUndefined();
  });
});

describe('redact', () => {
  test.each<[string, string, string, unknown]>([
    ['k=(\\w+)', 'k=<$1>', 'a k=b', 'a k=<b>'],
    ['(?<u>\\w+)@(\\w+)', '${u}@$2$$', 'ann@x', 'ann@x$'],
    [
      'secret',
      '***',
      '{"a":"my s\\u0065cret","secret":["secret"]}',
      { a: 'my ***', '***': ['***'] },
    ],
    ['4111\\d*', 'CARD', '{"card":41112222,"x":1}', { card: 'CARD', x: 1 }],
    ['"password":"[^"]*"', 'p', '{"password":"abc","x":1}', 'whole'],
    ['\\d+', '0', '{"a":"7 and 8"}', { a: '0 and 0' }],
  ])('%s by %s in %s', (pattern, text, content, payload) => {
    const rule = JSON.stringify([{ redact: { pattern, with: text } }]);
    const { payloads } = drain(rule, line(content));
    if (payload === 'whole') expect(JSON.stringify(payloads)).not.toContain('abc');
    else expect(payloads).toEqual([payload]);
  });
});

describe('labels and sample', () => {
  test('labels are of one stream where the rule is', () => {
    const { list } = drain(
      '- { match: { stream: stderr }, labels: { from: errors } }',
      line('x') + line('y', { stream: 'stderr' }) + line('{"a":1}', { stream: 'stderr' }),
    );
    expect(list.map(({ labels }) => labels?.['from'])).toEqual([undefined, 'errors', 'errors']);
  });

  test('sample leaves out the same lines each time, and counts them', () => {
    const content = Array.from({ length: 200 }, (_, index) => line(`line ${index}`)).join('');
    const first = drain('- sample: 0.25', content);
    expect(first.payloads.length).toBeGreaterThan(20);
    expect(first.payloads.length).toBeLessThan(90);
    expect(first.rules).toEqual([{ name: '1', misses: 0, dropped: 200 - first.payloads.length }]);
    expect(drain('- sample: { INFO: 0.25 }', content).payloads).toEqual(first.payloads);
    expect(drain('- sample: { DEBUG: 0 }', content).payloads).toHaveLength(200);
  });
});

test('rules go on with what the ones before made', () => {
  const { payloads } = drain(
    `
- parse: { regex: '^\\[(?<module>\\w+)\\] (?<rest>.*)$' }
- parse: { logfmt: rest }
- message: m
- set: { done: true }
`,
    line('[net] m=hello n=1'),
  );
  expect(payloads).toEqual([{ module: 'net', n: '1', message: 'hello', done: true }]);
});

test('--redact hides what a rule takes out of a text', () => {
  const { payloads } = drain(
    '- parse: { json: { field: log } }',
    line('{"log":"{\\"a\\":\\"s\\\\u0065cret\\"}"}'),
    {
      recordRule: { redact: ['secret'], shares: undefined },
    },
  );
  expect(payloads).toEqual([{ a: '[REDACTED]' }]);
});

describe('firstLine', () => {
  const rule = "- firstLine: '^\\d{4}-'";

  test('joins lines up to the next first one, in each stream', () => {
    const { payloads } = drain(
      rule,
      line('going on') +
        line('2024-01 one') +
        line('2024-01 error', { stream: 'stderr' }) +
        line('  two ', { tag: 'P' }) +
        line('three') +
        line('') +
        line('of it', { stream: 'stderr' }) +
        line('2024-02 next'),
    );
    expect(new Set(payloads)).toEqual(
      new Set(['2024-01 error\nof it', '2024-01 one\n  two three\n', '2024-02 next', 'going on']),
    );
  });

  test('has the bounds of stack traces', () => {
    const lines = Array.from({ length: 2_500 }, (_, index) => line(`n ${index}`)).join('');
    const { payloads } = drain(rule, line('2024-01 x') + lines);
    expect(payloads.length).toBeGreaterThan(1);
    const shipped = payloads.map(String).join('\n').split('\n');
    expect(shipped).toHaveLength(2_501);
  });

  test('comes before what else the rules do', () => {
    const { payloads } = drain(
      `
- firstLine: '^\\['
  drop: 'of noise'
- parse: { regex: '^\\[(?<level>\\w+)\\] (?<message>(?s:.*))$' }
`,
      line('[warn] a') + line('b') + line('[info] c') + line('of noise') + line('[info] d'),
    );
    expect(payloads).toEqual([
      { level: 'warn', message: 'a\nb' },
      { level: 'info', message: 'd' },
    ]);
  });

  test('keeps the last record open until its end is known', () => {
    const { result, payloads } = drain(rule, line('2024-01 a') + line('b'), { ended: false });
    expect(payloads).toEqual([]);
    expect(result.sources[0]?.consumed).toEqual([0]);
  });
});
