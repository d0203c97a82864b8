// Random rules on random lines, and on lines that are made to take long: whatever they say, what is
// shipped is valid, and the time is bounded.

import assert from 'node:assert/strict';
import { threadCpuUsage } from 'node:process';

import type { Source } from '../../src/encode/drain-task.ts';
import { createTemplate } from '../../src/encode/entries/entry-template.ts';
import { shapeTemplate } from '../../src/encode/entries/shape-template.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { compileRules } from '../../src/rules/resolve-rules.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';
import { generateLog, type Random } from '../encode/line-generator.ts';
import { expectStrict } from '../encode/strict-entry.ts';

const fields = ['message', 'msg', 'level', 'severity', 'time', 'a.b', 'httpRequest', 'user', 'log'];
const patterns = ['a', '\\d+', '"[^"]*"', '(?i)error', '^.', '(\\w+)=(\\S*)', '[{}]', 'é|ю', '.+'];
const texts = ['', 'x', '$1', '${n}', '"}', '\\', '\u0000', 'é', '$&$&'];
const values = [null, true, 1.5, 'text', [1, { a: 2 }], { deep: { deep: {} } }];
const linesPerLog = 40;
/** CPU time of a log of some KiB; a search that is not linear takes many times as long. */
const cpuMsMax = 20_000;

const hostileBytes = 40_000;

/** One line of a tenant who means harm: the same again and again, within something if need be. */
const hostileTexts: readonly (readonly [before: string, again: string, after?: string])[] = [
  ['', 'a=1 '],
  ['a="', '\\"'],
  ['', 'k="v" k='],
  ['', '{'],
  ['', '{"a":'],
  ['x ', '{"a":"'],
  ['{"a":', '[', ''],
  ['{"log":"', '\\u0041', '"}'],
  ['{"message":"', 'ab ', '"}'],
  ['{"', 'a.', '":1}'],
  ['{"level":"', '9', '"}'],
  ['1 - - [05/Mar/2024:14:07:20 +0000] "', '\\"'],
  ['<165>1 2024-03-05T14:07:20.003Z h a 1 I ', '[a b="c"]'],
  ['E0305 14:07:21.103990 ', ' '],
  ['', 'GET /healthz'],
  ['', 'aA1= é'],
  ['', '\u0000'],
  ['', '😀"'],
];

function hostileLine(random: Random): string {
  const [before, again, after = ''] = random.pick(hostileTexts);
  const count = Math.ceil(random.below(hostileBytes) / Buffer.byteLength(again));
  const tag = random.pick(['F', 'F', 'P']);
  return `2024-03-05T14:07:21Z stdout ${tag} ${before}${again.repeat(count)}${after}\n`;
}

const identity = { project: 'p', location: 'l', cluster: 'c', node: 'n' };

type Written = Record<string, unknown>;

function condition(random: Random): unknown {
  const pattern = random.pick(patterns);
  return random.pick<unknown>([
    pattern,
    [pattern, random.pick(patterns)],
    { field: random.pick(fields), pattern },
    { severity: random.pick(['DEBUG', '>=ERROR', '<INFO']) },
    { all: [pattern, { field: random.pick(fields), pattern: random.pick(patterns) }] },
  ]);
}

function parser(random: Random): unknown {
  const field = random.pick([undefined, ...fields]);
  return random.pick<unknown>([
    { format: random.pick(['logfmt', 'json', 'nginx', 'apache', 'klog', 'syslog']), field },
    { regex: { pattern: '(?<a>\\w+)\\W+(?<level>\\w*)', field } },
    ['logfmt', 'json', 'klog'],
    { logfmt: { types: { a: 'integer', b: 'float' } } },
    { json: { prefix: random.pick(['^(?<p>[^{]*)', '(?<p>.)*', 'x']), field, keepField: true } },
  ]);
}

const actions: Readonly<Record<string, (random: Random) => unknown>> = {
  firstLine: (random) => random.pick(patterns),
  drop: condition,
  keep: condition,
  parse: parser,
  severity: (random) => ({
    from: random.pick(fields),
    map: random.pick(['pino', 'bunyan', 'log4j', 'syslog', 'python', { '*': 'NOTICE' }, undefined]),
  }),
  time: (random) => ({
    from: random.pick(fields),
    format: random.pick(['rfc3339', 'unix', 'unix_ns', '%d/%b/%Y:%H:%M:%S %z', '%H:%M']),
  }),
  message: (random) => ({ from: random.pick(fields) }),
  rename: (random) => ({ [random.pick(fields)]: random.pick(fields) }),
  remove: (random) => random.pick(fields),
  set: (random) => ({ [random.pick(fields)]: random.pick<unknown>(values) }),
  redact: (random) => ({ pattern: random.pick(patterns), with: random.pick(texts) }),
  sample: (random) => random.pick<unknown>([0, 0.5, { INFO: 0.3 }]),
  labels: (random) => ({ [random.pick(fields)]: random.pick(texts) }),
};

/** Some rules, each of some actions; patterns that match nothing are not for redact. */
function randomRules(random: Random): Written[] {
  return Array.from({ length: 1 + random.below(4) }, () => {
    const isOfStream = random.oneIn(4);
    const rule: Written = isOfStream
      ? { match: { stream: random.pick(['stdout', 'stderr']) } }
      : {};
    if (random.oneIn(4)) rule['project'] = random.pick(['other-project', 'example.com:shop']);
    if (random.oneIn(4)) rule['logName'] = random.pick(['app', 'a/b.c-d', 'x'.repeat(511)]);
    if (random.oneIn(4) && !isOfStream) {
      rule['resource'] = { [random.pick(['cluster_name', 'new', '"'])]: random.pick(texts) };
    }
    for (const [name, make] of Object.entries(actions)) {
      if (random.oneIn(3)) rule[name] = make(random);
    }
    return rule;
  });
}

/** Drains a random log under random rules; throws when anything is wrong. */
export function tryRandomRules(random: Random): void {
  const written = randomRules(random);
  const { rules, problems } = parseRules(written);
  assert.deepEqual(problems, [], JSON.stringify(written));
  const names = { namespace: 's', pod: 'p', container: 'c', labels: {}, annotations: {} };
  const { steps, firstLine, template } = compileRules(rules)(names);
  const log = generateLog(random, linesPerLog).bytes;
  const bytes = random.oneIn(3) ? Buffer.concat([Buffer.from(hostileLine(random)), log]) : log;
  const base = createTemplate(identity, names, '');
  const { resource, logName, labels } = shapeTemplate(base, identity.project, template);
  const files = openFiles([bytes]);
  const recordRule = {
    redact: random.oneIn(4) ? ['\\d{2}'] : [],
    shares: undefined,
    ...(steps !== undefined && { steps }),
    ...(firstLine && { firstLine }),
  };
  const source: Source = {
    ...plainSource,
    resource,
    logName,
    labels,
    joinStackTraces: random.oneIn(3),
    recordRule,
    segments: files.segments(),
  };
  const start = threadCpuUsage();
  try {
    const readBytes = random.pick([256, 4_096, 65_536]);
    const { result, entries } = drainHere([source], { readBytes });
    for (const entry of entries) expectStrict(entry);
    assert.deepEqual(result.sources[0]?.consumed, [bytes.length], JSON.stringify(written));
  } catch (error) {
    throw new Error(`with ${JSON.stringify(written)}`, { cause: error });
  } finally {
    files.close();
  }
  const { user, system } = threadCpuUsage(start);
  assert.ok((user + system) / 1e3 < cpuMsMax, `slow: ${JSON.stringify(written)}`);
}
