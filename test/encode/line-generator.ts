// Random log lines from the contract's grammar, and random damage to them: what the differential
// tests and the fuzzer feed to the kernel and the reference. The same seed gives the same lines.

import { message } from './message-generator.ts';
import { eventTimes, times, wholeValues } from './time-samples.ts';
import { traceLines, traces } from './trace-lines.ts';
import { keys, numbers, severityWords, words } from './word-samples.ts';
import { randomNumbers } from '../../src/emulator/random-numbers.ts';

export type Random = {
  /** An integer of `[0, limit)`. */
  below(limit: number): number;
  pick<T>(choices: readonly T[]): T;
  /** True once in `odds`. */
  oneIn(odds: number): boolean;
};

export function seededRandom(seed: number): Random {
  const random = randomNumbers(seed);
  const below = (limit: number): number => (random() * 2 ** 32) % limit;
  return {
    below,
    pick: (choices) => choices[below(choices.length)]!,
    oneIn: (odds) => below(odds) === 0,
  };
}

function text(random: Random): string {
  if (random.oneIn(8)) return random.pick(traceLines);
  const count = random.below(6);
  let built = '';
  for (let index = 0; index < count; index++) {
    built += random.pick(words) + (random.oneIn(2) ? ' ' : '');
  }
  return random.oneIn(20) ? built.repeat(random.below(40)) : built;
}

/** A JSON string, mostly as JSON.stringify writes it. */
function jsonString(random: Random, plain: string): string {
  const usual = JSON.stringify(plain);
  if (!random.oneIn(12)) return usual;
  const inside = random.pick([
    '\\/',
    '\\u0041',
    '\\u00e9',
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\udc00\\ud800',
    '\\x',
    '\\u12g4',
    '\\n',
    '\\"',
    '\\ud83d\\u0041',
  ]);
  return `${usual.slice(0, -1)}${inside}"`;
}

/** Rarely, some of its letters and digits as escapes. */
function escapeSome(random: Random, json: string): string {
  if (!random.oneIn(12)) return json;
  const odds = random.pick([2, 10, 40]);
  const inString = /"(?:[^"\\]|\\.)*"/g;
  const escaped = (letter: string) =>
    random.oneIn(odds) ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` : letter;
  return json.replace(inString, (string) => string.replace(/(?<!\\[a-z0-9]*)[a-z0-9]/gi, escaped));
}

function scalar(random: Random): string {
  const kind = random.below(10);
  if (kind < 5) return jsonString(random, text(random));
  if (kind < 8) return random.oneIn(8) ? random.pick(numbers) : String(random.below(100_000));
  return random.oneIn(30)
    ? random.pick(['True', 'nul', 'fals', 'undefined', ''])
    : random.pick(['true', 'false', 'null']);
}

function space(random: Random, isSpaced: boolean): string {
  if (isSpaced) return random.oneIn(10) ? random.pick(['', '  ', '\t', '\r ']) : ' ';
  return random.oneIn(200) ? ' ' : '';
}

function value(random: Random, depth: number, isSpaced: boolean): string {
  const kind = random.below(12);
  if (depth > 0 && kind === 0) return object(random, depth - 1, isSpaced);
  if (depth > 0 && kind === 1) {
    const count = random.below(4);
    const parts = Array.from({ length: count }, () => value(random, depth - 1, isSpaced));
    return `[${space(random, isSpaced)}${parts.join(`,${space(random, isSpaced)}`)}]`;
  }
  if (random.oneIn(400)) return `${'['.repeat(70)}${']'.repeat(70)}`;
  if (random.oneIn(400)) return `${'['.repeat(63)}1${']'.repeat(63)}`;
  return scalar(random);
}

/** About as many labels as an entry may have, some of them odd. */
function manyLabels(random: Random): string {
  const inside = 'v'.repeat(random.below(12));
  const count = random.pick([1, 2, 25 + random.below(45), 60 + random.below(8)]);
  const isPlain = random.oneIn(2);
  const label = (index: number) => {
    if (isPlain || !random.oneIn(12)) return `"${index}":"${inside}"`;
    const key = random.pick(['k'.repeat(509 + random.below(6)), 'é'.repeat(256), '', `${index}`]);
    const gap = random.pick(['', ' ', '\t']);
    return `${gap}"${key}"${gap}:${gap}${value(random, random.below(3), random.oneIn(2))}${gap}`;
  };
  return `{${Array.from({ length: count }, (_, index) => label(index)).join(',')}}`;
}

function secondsOrNanos(random: Random): string {
  return random.oneIn(3) ? scalar(random) : random.pick(wholeValues);
}

function timestampObject(random: Random): string {
  const [seconds, nanos] = [secondsOrNanos(random), secondsOrNanos(random)];
  return random.pick([
    `{"seconds":${seconds},"nanos":${nanos}}`,
    `{ "nanos" : ${nanos} , "seconds" : ${seconds} }`,
    `{"seconds":${seconds}}`,
    `{"seconds":${seconds},"nanos":${nanos},"other":{"seconds":1}}`,
    '{"seconds":{"nanos":1},"nanos":[]}',
    '{}',
  ]);
}

function specialMember(random: Random): string {
  const odd = random.oneIn(8);
  const string = (choices: readonly string[]) =>
    odd ? value(random, 1, false) : jsonString(random, random.pick(choices));
  switch (random.below(16)) {
    case 0:
    case 1:
      return `"severity":${string(severityWords)}`;
    case 2:
      return random.pick([
        `"severity":${string(severityWords)}`,
        `"severity":${random.pick(['100', '400', '0', '99', '899', '900', '1000', '-1', '4e2', '4.5'])}`,
        `"logging.googleapis.com/insertId":${string(['own', 'x'.repeat(40), ''])}`,
      ]);
    case 3:
    case 4:
      return `"level":${string(severityWords)}`;
    case 5:
    case 6:
      return `"time":${string(eventTimes)}`;
    case 7:
    case 8:
    case 9:
      return `"message":${odd ? value(random, 2, false) : jsonString(random, text(random))}`;
    case 10:
      return `"timestamp":${odd ? value(random, 1, false) : timestampObject(random)}`;
    case 11:
      return `"logging.googleapis.com/trace":${string(['0123456789abcdef0123456789ABCDEF', 'projects/x/traces/1', '', '0123456789abcdef0123456789ABCDEg'])}`;
    case 12:
      return `"logging.googleapis.com/spanId":${string(['000000000000004a', ''])}`;
    case 13:
      return `"logging.googleapis.com/trace_sampled":${odd ? value(random, 1, false) : random.pick(['true', 'false', '"true"', '1'])}`;
    case 14:
      return `"logging.googleapis.com/labels":${random.pick(['{}', '{"a":"b"}', '{"a":"b","c":"dé"}', '{"k8s-pod/app":"x"}', '{"a":1}', '{ "a":"b"}', '{"a":"\\n"}', '{"a":"b",}', 'null', '{"a":"b","a":"c"}', '{"":""}', '{"n":7,"b":true,"z":null,"t":"core"}', '{"a":[1,{"b":"c"}],"o":{}}', '{"n": 1.50,"t":true , "é":-0}', '{ "big":1e400, "x":"y" }', '{"b":"c" ,"d":"e"}', '{"k8s-pod\\u002fapp":"y","C:\\\\":"D:\\\\"}', '{"tailship.dev/original-time":"own"}', '{ }', `{"${'k'.repeat(500)}":{"a":"\\"\\\\ "}}`, '{"a":{"t":\t"x"}}', manyLabels(random)])}`;
    default:
      return random.pick([
        `"timestampSeconds":${secondsOrNanos(random)},"timestampNanos":${secondsOrNanos(random)}`,
        `"timestampSeconds":${secondsOrNanos(random)}`,
        `"timestampNanos":${secondsOrNanos(random)}`,
        '"httpRequest":{"requestMethod":"GET","status":200,"x":1}',
        message(random, 'httpRequest'),
        message(random, 'httpRequest'),
        message(random, 'logging.googleapis.com/operation'),
        message(random, 'logging.googleapis.com/sourceLocation'),
        '"logging.googleapis.com/insertId":"own"',
        '"logging.googleapis.com/operation":{"id":"o","first":true}',
        '"logging.googleapis.com/sourceLocation":{"file":"a.go","line":12}',
        '"sev\\u0065rity":"ERROR"',
      ]);
  }
}

/** Many keys, of which some come twice; rarely so many that the kernel records them. */
function manyMembers(random: Random): string {
  const count = random.oneIn(20) ? 4_090 + random.below(20) : 2 + random.below(300);
  const names = 1 + random.below(2 * count);
  return Array.from({ length: count }, (_, key) => `"k${random.below(names)}":${key}`).join(',');
}

function object(random: Random, depth: number, isSpaced: boolean): string {
  const count = random.below(7);
  const members = Array.from({ length: count }, () => {
    if (random.oneIn(3)) return escapeSome(random, specialMember(random));
    const key = escapeSome(random, jsonString(random, random.pick(keys)));
    return `${key}${random.oneIn(50) ? ' ' : ''}:${space(random, isSpaced)}${value(random, depth, isSpaced)}`;
  });
  if (random.oneIn(200)) members.push(manyMembers(random));
  // The same again, or with another value.
  for (let again = random.oneIn(10) ? 1 + random.below(20) : 0; again > 0; again--) {
    const member = random.pick([...members, '"a":1']);
    const colon = member.indexOf(':');
    const other = `${member.slice(0, colon)}:${scalar(random)}`;
    members.splice(random.below(members.length + 1), 0, random.oneIn(2) ? member : other);
  }
  return `{${space(random, isSpaced && random.oneIn(3))}${members.join(`,${space(random, isSpaced)}`)}}`;
}

/** The content of a record that is an object, mostly a valid one. */
export function generateJsonContent(random: Random): string {
  return object(random, 3, random.oneIn(3));
}

function klog(random: Random): string {
  const letter = random.pick(['I', 'W', 'E', 'F', 'D', 'N', 'C', 'A', 'G', 'i', '_']);
  const source = random.pick([
    'server.go:412',
    'a.go:007',
    'a:b.go:1',
    'server.go',
    ':1',
    'x:',
    'x:9223372036854775808',
    'ü.go:1',
    'a"b:2',
    'a\tb:3',
    'x:000000000000000000000',
  ]);
  const gap = random.pick([' ', '  ', '       ', '\t', '']);
  const date = random.pick(['0305', '0305', '20240305', '2024030', '202403051', '2024030x']);
  return `${letter}${date} ${random.pick(['14:07:21.103990', '', 'ünï', '14\t'])}${gap}${random.pick(['1', '12345', 'x', ''])} ${source}]${random.pick([' ', '\t', '', '\r'])}${text(random)}`;
}

/** The content of a record. */
function content(random: Random, templates: readonly (() => string)[]): string {
  const kind = random.below(10);
  if (kind < 3) return text(random);
  if (kind < 4) return klog(random);
  if (kind < 8) return random.pick(templates)();
  const isSpaced = random.oneIn(3);
  const made = object(random, 3, isSpaced);
  return random.oneIn(20)
    ? `${random.pick([' ', '\t', 'x', '\ufeff'])}${made}${random.pick(['', ' ', ' x', '}'])}`
    : made;
}

/** Contents that follow each other in one stream: traces, and what breaks them off. */
function traceContents(random: Random): string[] {
  const contents: string[] = [];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const lines = random.pick(Object.values(traces)).split('\n');
    const from = random.oneIn(6) ? random.below(lines.length) : 0;
    const until = random.oneIn(4) ? 1 + random.below(lines.length) : lines.length;
    contents.push(...lines.slice(from, until));
  }
  const breaks = [text, scalar, klog, (one: Random) => object(one, 1, false)];
  const change = (line: string): string => {
    if (random.oneIn(12)) return random.pick(breaks)(random);
    if (random.oneIn(40)) return `E0305 14:07:21.1 1 a.go:1] ${line}`;
    if (random.oneIn(40)) return line + text(random);
    return random.oneIn(300) ? line.padEnd(4_090 + random.below(12), ' x') : line;
  };
  return contents.map(change);
}

/** At least `count` contents of records, once in `odds` the lines of traces. */
export function generateContents(random: Random, count: number, odds: number): string[] {
  const templates = programs(random);
  const contents: string[] = [];
  while (contents.length < count) {
    if (random.oneIn(odds)) contents.push(...traceContents(random));
    else contents.push(content(random, templates));
  }
  return contents;
}

/** Programs that log JSON of one shape each, with values that change. */
function programs(random: Random): (() => string)[] {
  return Array.from({ length: 3 }, () => {
    const parts = object(random, 2, random.oneIn(3)).split(/("[^"\\]*"|[0-9]+)/);
    return () => parts.map((part) => changeValue(random, part)).join('');
  });
}

/** Another value of the same kind, sometimes of another; keys change only rarely. */
function changeValue(random: Random, part: string): string {
  if (/^[0-9]+$/.test(part) && random.oneIn(2)) {
    return random.oneIn(10) ? scalar(random) : String(random.below(1e6));
  }
  if (/^".*"$/.test(part) && random.oneIn(4)) {
    return random.oneIn(3) ? scalar(random) : jsonString(random, text(random));
  }
  return part;
}

function damage(random: Random, line: Buffer): Buffer {
  const bytes = Buffer.from(line);
  for (let count = random.below(3); count >= 0 && bytes.length > 0; count--) {
    const at = random.below(bytes.length);
    if (random.oneIn(4)) {
      // A sequence of UTF-8 that is cut off, with plain text after it.
      const part = Buffer.from(random.pick(['c3', 'e98d', 'f09f98', 'ed', 'f4']), 'hex');
      const plain = Buffer.alloc(random.below(40), 'p');
      return Buffer.concat([bytes.subarray(0, at), part, plain, bytes.subarray(at)]);
    }
    if (random.oneIn(3)) {
      const rest = Math.min(bytes.length, at + 1 + random.below(4));
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(rest)]);
    }
    bytes[at] = random.oneIn(2)
      ? random.below(256)
      : random.pick([0x22, 0x5c, 0x20, 0x2c, 0x3a, 0x7b, 0x7d, 0xc3, 0xe2, 0xf0, 0x80, 0x0d, 0x41]);
  }
  return bytes;
}

/** Lines, each with its newline or without. */
type Pieces = readonly Buffer[];

/** A hole, of the lengths at which something changes and of others; rarely a long one. */
function hole(random: Random): Buffer {
  const usual = random.pick([1, 2, 15, 16, 17, 64, random.below(300), 4_095, 4_096, 5_000]);
  return Buffer.alloc(random.oneIn(200) ? random.below(300_000) : usual);
}

/** The lines with what is no line among them: holes, torn lines, first lines without a time. */
function addHoles(random: Random, lines: Pieces): Buffer {
  const pieces = [...lines];
  if (random.oneIn(4)) {
    const first = () =>
      random.pick(['\n', 'starting\n', '  ___\n', '\r\n', '05T14:07:21Z stdout F x\n']);
    pieces.unshift(...Array.from({ length: 1 + random.below(3) }, () => Buffer.from(first())));
  }
  if (random.oneIn(3)) {
    for (let count = 1 + random.below(3); count > 0; count--) {
      const at = random.pick([0, pieces.length, random.below(pieces.length + 1)]);
      const torn = pieces[at]?.subarray(0, random.below(40)) ?? Buffer.alloc(0);
      const end = Buffer.from(random.pick(['\n', '\r\n', '\r']));
      const part = random.pick([Buffer.alloc(0), torn, end]);
      const order = random.oneIn(2) ? [part, hole(random)] : [hole(random), part];
      pieces.splice(at, 0, ...order);
    }
  }
  return Buffer.concat(pieces);
}

export type LogText = { readonly bytes: Buffer; readonly lines: readonly Buffer[] };

/** A log of docker's json-file driver, of about `count` lines. */
export function generateDockerLog(random: Random, count: number): Buffer {
  const templates = programs(random);
  const lines = Array.from({ length: count }, () => {
    const log = content(random, templates) + (random.oneIn(8) ? '' : '\n');
    const stream = random.oneIn(60) ? 'stdin' : random.pick(['stdout', 'stderr']);
    const time = random.oneIn(10) ? random.pick(times) : times[0]!;
    const line = Buffer.from(JSON.stringify({ log, stream, time }));
    const damaged = random.oneIn(20) ? damage(random, line) : line;
    return Buffer.from([...damaged.filter((byte) => byte !== 0x0a), 0x0a]);
  });
  return addHoles(random, lines);
}

/** A log of about `count` lines; now and then without its last newline. */
export function generateLog(random: Random, count: number): LogText {
  const templates = programs(random);
  const lines: Buffer[] = [];
  let traceLeft: string[] = [];
  let traceStream = 'stdout';
  while (lines.length < count || traceLeft.length > 0) {
    if (random.oneIn(25)) {
      traceLeft = traceContents(random);
      traceStream = random.pick(['stdout', 'stderr']);
    }
    const ofTrace = random.oneIn(15) ? undefined : traceLeft.shift();
    const time = random.oneIn(10) ? random.pick(times) : times[0]!;
    const tag = random.oneIn(ofTrace === undefined ? 8 : 60)
      ? 'P'
      : random.oneIn(40)
        ? random.pick(['F:x', 'P:y', '', 'FF', 'p'])
        : 'F';
    const anyStream = random.oneIn(60) ? 'stdin' : random.pick(['stdout', 'stdout', 'stderr']);
    const stream = ofTrace === undefined ? anyStream : traceStream;
    const isReturn = random.oneIn(15);
    const bare = random.pick(['', ':x', ':x:y']);
    const rest = random.oneIn(30) ? bare : ` ${ofTrace ?? content(random, templates)}`;
    const line = `${time} ${stream} ${tag}${rest}${isReturn ? '\r' : ''}`.replaceAll('\n', ' ');
    const bytes = random.oneIn(40) ? Buffer.from(line.replace(/^.{0,30}/, '')) : Buffer.from(line);
    const damaged = random.oneIn(12) ? damage(random, bytes) : bytes;
    lines.push(Buffer.from(damaged.filter((byte) => byte !== 0x0a)));
  }
  const pieces = lines.map((line) => Buffer.from([...line, 0x0a]));
  const bytes = addHoles(random, pieces);
  const isCut = random.oneIn(4) && bytes.at(-1) === 0x0a;
  return { bytes: isCut ? bytes.subarray(0, -1) : bytes, lines };
}
