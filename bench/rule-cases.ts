// What the scenario `rules` measures: the lines of a program, and rules that work on them. Every
// line carries `seq=<10 digits>` in a value that its rules leave alone.

import { makeSentence } from './corpus.ts';
import { randomNumbers } from '../src/emulator/random-numbers.ts';

export const ruleLineKinds = [
  'text',
  'health checks',
  'logfmt',
  'access log',
  'JSON',
  'JSON in a field',
  'JSON after a prefix',
  'klog',
  'syslog',
] as const;
export type RuleLineKind = (typeof ruleLineKinds)[number];

/** One of so many health checks is none, so that something arrives. */
export const healthCheckShare = 1_000;

type Content = (seq: number, random: () => number) => string;

function marker(seq: number): string {
  return `seq=${String(seq).padStart(10, '0')}`;
}

function accessLine(seq: number, path: string): string {
  const host = `10.8.${seq % 250}.7`;
  const request = `"GET ${path} HTTP/1.1" 200 ${100 + (seq % 900)}`;
  return `${host} - - [05/Mar/2026:14:07:21 +0000] ${request} "-" "probe/1.31 ${marker(seq)}"`;
}

/** A short text with the marker, so that all lines are of about 130 bytes. */
function shortText(seq: number, random: () => number): string {
  return `${marker(seq)} ${makeSentence(random).slice(0, 40).trimEnd()}`;
}

const contents: Readonly<Record<RuleLineKind, Content>> = {
  text: (seq, random) =>
    `handler.go:${100 + (seq % 400)} ${shortText(seq, random)} path=/v1/orders user=u-${seq % 977}`,
  'health checks': (seq) =>
    accessLine(seq, seq % healthCheckShare === 0 ? '/v1/orders' : '/healthz'),
  logfmt: (seq, random) =>
    `level=info caller=handler.go:${100 + (seq % 400)} msg="${shortText(seq, random)}" ` +
    `status=200 duration=${seq % 97}ms user=u-${seq % 977} region=west retries=0`,
  'access log': (seq) => accessLine(seq, '/v1/orders'),
  JSON: (seq, random) =>
    JSON.stringify({ level: 30, msg: shortText(seq, random), pid: 7, host: 'web-0', n: seq % 97 }),
  'JSON in a field': (seq, random) => {
    const log = JSON.stringify({ level: 'info', msg: shortText(seq, random), n: seq % 97 });
    return JSON.stringify({ log, tag: 'app' });
  },
  'JSON after a prefix': (seq, random) => {
    const object = { level: 'info', msg: shortText(seq, random), n: seq % 97 };
    return `INFO [main] ${JSON.stringify(object)}`;
  },
  klog: (seq, random) =>
    `I0305 14:07:21.103990      12 store.cc:88] ${shortText(seq, random)} path=/v1/orders`,
  syslog: (seq, random) =>
    `<165>1 2026-03-05T14:07:20.003Z host.example app 8710 ID47 - ${shortText(seq, random)}`,
};

/** The lines of a kind, the same for a seed. */
export function ruleLines(kind: RuleLineKind, seed: number): (seq: number) => string {
  const random = randomNumbers(seed);
  return (seq) => contents[kind](seq, random);
}

export type RuleCase = {
  /** As the table says it. */
  readonly name: string;
  readonly lines: RuleLineKind;
  /** The value of `rules`, without its list's dash. */
  readonly rule: string;
};

const healthCheck = String.raw`GET /healthz\S* HTTP`;
const words = String.raw`^(?<file>\S+):(?<line>\d+) (?<text>.*) path=(?<path>\S+)`;

export const ruleCases: readonly RuleCase[] = [
  {
    name: '`labels`, `project`, `logName`',
    lines: 'text',
    rule: '{ labels: { team: core }, project: other, logName: app }',
  },
  {
    name: '`drop` by a literal, of lines that it drops',
    lines: 'health checks',
    rule: '{ drop: GET /healthz }',
  },
  {
    name: '`drop` by a simple pattern, of lines that it drops',
    lines: 'health checks',
    rule: `{ drop: '${healthCheck}' }`,
  },
  {
    name: '`drop` by a literal, of lines that it leaves',
    lines: 'text',
    rule: '{ drop: GET /healthz }',
  },
  {
    name: '`drop` by a simple pattern, of lines that it leaves',
    lines: 'text',
    rule: `{ drop: '${healthCheck}' }`,
  },
  {
    name: '`keep` of a field',
    lines: 'JSON',
    rule: "{ keep: { field: msg, pattern: 'seq=' } }",
  },
  { name: '`parse: logfmt`, 8 fields', lines: 'logfmt', rule: '{ parse: logfmt }' },
  {
    name: '`parse: logfmt` with `severity` and `message`',
    lines: 'logfmt',
    rule: '{ parse: logfmt, severity: { from: level, map: pino }, message: msg }',
  },
  { name: '`parse: nginx`', lines: 'access log', rule: '{ parse: nginx }' },
  {
    name: '`parse: regex`, four groups',
    lines: 'text',
    rule: `{ parse: { regex: '${words}' } }`,
  },
  {
    name: '`parse: json` of a field',
    lines: 'JSON in a field',
    rule: '{ parse: { json: log } }',
  },
  {
    name: '`parse: json` after a prefix',
    lines: 'JSON after a prefix',
    rule: '{ parse: json }',
  },
  { name: '`parse: klog`', lines: 'klog', rule: '{ parse: klog }' },
  { name: '`parse: syslog`', lines: 'syslog', rule: '{ parse: syslog }' },
  {
    name: '`severity` by the map `pino`',
    lines: 'JSON',
    rule: '{ severity: { from: level, map: pino } }',
  },
  {
    name: '`rename`, `remove` and `set`',
    lines: 'JSON',
    rule: '{ rename: { host: node }, remove: pid, set: { env: prod } }',
  },
  {
    name: '`redact` that does not match',
    lines: 'text',
    rule: String.raw`{ redact: { pattern: 'token=\w+', with: x } }`,
  },
  {
    name: '`redact` that matches',
    lines: 'text',
    rule: String.raw`{ redact: { pattern: 'user=\S+', with: x } }`,
  },
  { name: '`sample` that keeps all', lines: 'text', rule: '{ sample: { DEBUG: 0 } }' },
  {
    name: '`firstLine` that is in each line',
    lines: 'text',
    rule: "{ firstLine: '^handler' }",
  },
];
