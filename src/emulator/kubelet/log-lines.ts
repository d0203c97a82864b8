// The lines that synthetic containers write: realistic, seeded, and a pure function of (seed,
// sequence number).
//
// The verifier makes the same lines again to know what was written, so an account of millions of
// lines is a seed and a count. A line is one of a pool of templates with its number (and time)
// patched in; writing one costs no composing.
//
// Invariant: every line that is not empty holds its number exactly once, as `seq=<n>` in text or as
// the key `seq` in JSON.

import { randomNumbers } from '../random-numbers.ts';

/** What a container logs. `mixed` has a share of all others except `trace`. */
export type LineKind = 'text' | 'json' | 'klog' | 'trace' | 'unicode' | 'blank' | 'mixed';
export type Stream = 'stdout' | 'stderr';

/**
 * One line with holes of fixed places, so that writing it is to patch it and to hand it over:
 *
 *   …2024-03-05T14:07:21.1Z stdout F {"severity":"INFO","time":"‹30 bytes›","seq":‹10 bytes›,…}\n
 *   └ time, ends at timeEnd ┘        └ bodyStart                                              └ lineEnd, then the newline
 */
export type LineTemplate = {
  readonly stream: Stream;
  /** Belongs to the caller that is writing: the holes hold the last line's values. */
  readonly bytes: Buffer;
  /** Hole of an RFC 3339 time in UTC with nine digits; 0 when there is none. */
  readonly timeStart: number;
  /** Hole of the line's number; 0 for an empty line, which has none. */
  readonly seqStart: number;
};

export type LineSource = {
  /** Template of line `seq`, from a pool for each seed, kind and length. */
  at(seq: number): LineTemplate;
};

/** Seeded random numbers. */
export type Random = {
  /** `[0, 1)`. */
  next(): number;
  /** Whole number, `[0, end)`. */
  below(end: number): number;
  pick<T>(choices: readonly T[]): T;
  /** Lower-case hex digits. */
  hex(digits: number): string;
};

const templateCount = 512;
const seqBytes = 10;
const timeHole = '2024-03-05T14:07:21.000000000Z';
/** Where the CRI time of every template ends and its message begins. */
export const timeEnd = 38;
const bodyStart = timeEnd + ' stdout F '.length;

export function createRandom(seed: number): Random {
  const next = randomNumbers(seed);
  const below = (end: number): number => Math.floor(next() * end);
  return {
    next,
    below,
    pick: <T>(choices: readonly T[]): T => choices[below(choices.length)] as T,
    hex(digits) {
      let text = '';
      while (text.length < digits) text += below(16).toString(16);
      return text;
    },
  };
}

/** A 32-bit number that depends on all bits of both. */
function mix(seed: number, value: number): number {
  let mixed = (seed ^ Math.imul(value, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * The message of line `seq` without CRI header and newline; the hole of its time holds any time.
 */
export function lineText(template: LineTemplate, seq: number): string {
  putSeq(template, seq);
  return template.bytes.toString('utf8', bodyStart, template.bytes.length - 1);
}

/** Fills the hole of the number: padded with zeros after `=`, with spaces in JSON. */
export function putSeq(template: LineTemplate, seq: number): void {
  const { bytes, seqStart } = template;
  if (seqStart === 0) return;
  const pad = bytes[seqStart - 1] === 0x3d ? 0x30 : 0x20;
  let rest = seq;
  for (let at = seqStart + seqBytes - 1; at >= seqStart; at -= 1) {
    const next = Math.floor(rest / 10);
    bytes[at] = rest === 0 ? pad : 0x30 + rest - next * 10;
    rest = next;
  }
}

const pools = new Map<string, readonly LineTemplate[]>();

/** The lines of one container. `bytes` is the target length of text and JSON messages. */
export function createLineSource(options: {
  readonly seed: number;
  readonly container: string;
  readonly kind: LineKind;
  readonly bytes?: number;
}): LineSource {
  const { seed, kind, bytes } = options;
  const key = `${seed}/${kind}/${bytes}`;
  const pool = pools.get(key) ?? createPool(seed, kind, bytes);
  pools.set(key, pool);
  let containerSeed = seed;
  for (const character of options.container) {
    containerSeed = mix(containerSeed, character.codePointAt(0) ?? 0);
  }
  // Frames of a stack trace make sense only in order.
  if (kind === 'trace') return { at: (seq) => pool[seq % pool.length] as LineTemplate };
  return { at: (seq) => pool[mix(containerSeed, seq) & (templateCount - 1)] as LineTemplate };
}

function createPool(
  seed: number,
  kind: LineKind,
  bytes: number | undefined,
): readonly LineTemplate[] {
  const random = createRandom(mix(seed, kind.length * 131 + kind.charCodeAt(0)));
  const pool: LineTemplate[] = [];
  while (pool.length < templateCount) {
    if (kind === 'trace') pool.push(...stackTrace(random));
    else pool.push(singleLine(random, kind === 'mixed' ? mixedKind(random) : kind, bytes));
  }
  return pool.slice(0, templateCount);
}

function mixedKind(random: Random): LineKind {
  const share = random.next();
  if (share < 0.42) return 'text';
  if (share < 0.9) return 'json';
  if (share < 0.94) return 'klog';
  return share < 0.98 ? 'unicode' : 'blank';
}

function singleLine(random: Random, kind: LineKind, bytes: number | undefined): LineTemplate {
  if (kind === 'json') return jsonLine(random, bytes ?? 300);
  if (kind === 'klog') return klogLine(random);
  if (kind === 'unicode') return unicodeLine(random);
  if (kind === 'blank') return cut('stdout', '');
  return textLine(random, bytes ?? 160);
}

/** Makes a template of a line in which ‹time› and then ‹seq› mark the holes. */
function cut(stream: Stream, line: string): LineTemplate {
  const timed = line.replace('‹time›', timeHole);
  const timeAt = line.indexOf('‹time›');
  const seqAt = timed.indexOf('‹seq›');
  const body = timed.replace('‹seq›', '0'.repeat(seqBytes));
  return {
    stream,
    bytes: Buffer.from(`${' '.repeat(timeEnd)} ${stream} F ${body}\n`),
    timeStart: timeAt < 0 ? 0 : bodyStart + Buffer.byteLength(line.slice(0, timeAt)),
    seqStart: seqAt < 0 ? 0 : bodyStart + Buffer.byteLength(timed.slice(0, seqAt)),
  };
}

/** What services of a shop log; each `#` is a number. */
const phrases = {
  calm: [
    'order # accepted for customer #, # items',
    'cart # priced in EUR, # items, took # ms',
    'payment of # cents authorised for order #',
    'session of customer # renewed for # minutes',
    'shipment # left warehouse # for region europe-west4',
    'cache miss for key cart:#, read from replica # in # ms',
    '# rows updated in # ms',
  ],
  uneasy: [
    'replica # is # ms behind, reading from the primary',
    'attempt # to reach the payment provider failed, next in # ms',
    'queue of shipments holds # messages, the oldest is # s old',
    'slow query: # rows in # ms',
  ],
  bad: [
    'connection to replica # closed by peer after # ms',
    'payment # refused: card expired',
    'order # not saved: timeout after # ms',
    'warehouse # does not answer, # shipments wait',
  ],
} as const;

type Mood = keyof typeof phrases;

function moodOf(severity: string): Mood {
  if (severity.startsWith('E')) return 'bad';
  return severity.startsWith('W') ? 'uneasy' : 'calm';
}

function sentence(random: Random, bytes: number, mood: Mood = 'calm'): string {
  let text = '';
  while (text.length < bytes) {
    const phrase = random.pick(phrases[mood]);
    text += text === '' ? '' : '; ';
    text += phrase.replaceAll('#', () => String(random.below(10 ** (1 + random.below(5)))));
  }
  return text.slice(0, Math.max(bytes, 1)).trimEnd();
}

function textLine(random: Random, bytes: number): LineTemplate {
  const level = random.pick(['INFO ', 'INFO ', 'INFO ', 'DEBUG', 'WARN ', 'ERROR']);
  const logger = `[http-worker-${random.below(16)}] c.a.shop.${random.pick(['Cart', 'Order'])}Service`;
  const start = `${level} ${logger} - seq=‹seq› `;
  const stream = level === 'ERROR' ? 'stderr' : 'stdout';
  return cut(stream, start + sentence(random, bytes - start.length, moodOf(level)));
}

function jsonLine(random: Random, bytes: number): LineTemplate {
  const severity = random.pick(['INFO', 'INFO', 'INFO', 'DEBUG', 'WARNING', 'ERROR']);
  const stream = severity === 'ERROR' ? 'stderr' : 'stdout';
  const mood = moodOf(severity);
  const head = `{"severity":"${severity}","time":"‹time›",`;
  const shape = random.next();
  if (shape < 0.15) {
    // Only a message is left of it, so it becomes a textPayload.
    return cut(stream, `${head}"message":"seq=‹seq› ${sentence(random, bytes - 70, mood)}"}`);
  }
  let members = `"seq":‹seq›,"logger":"shop.${random.pick(['cart', 'order', 'payment', 'session'])}","attempt":${random.below(5)}`;
  if (shape < 0.45) members += `,"httpRequest":${JSON.stringify(httpRequest(random))}`;
  if (shape < 0.7) {
    members += `,"logging.googleapis.com/trace":"${random.hex(32)}"`;
    members += `,"logging.googleapis.com/spanId":"${random.hex(16)}"`;
    members += `,"logging.googleapis.com/trace_sampled":${random.next() < 0.5}`;
  }
  if (shape > 0.5) {
    members += `,"user":{"id":"u-${random.hex(8)}","tags":["a","b\\u00e9\\/c"],"score":${random.next()}}`;
  }
  if (shape > 0.9) members += ',"empty":{},"none":null,"path":"C:\\\\tmp\\\\\\"x\\""';
  const rest = Math.max(bytes - head.length - members.length - 14, 12);
  return cut(stream, `${head}"message":"${sentence(random, rest, mood)}",${members}}`);
}

function httpRequest(random: Random): object {
  return {
    requestMethod: random.pick(['GET', 'POST', 'PUT']),
    requestUrl: `https://shop.example/cart/${random.below(10_000)}?q=${random.hex(4)}`,
    status: random.pick([200, 200, 204, 404, 503]),
    responseSize: String(random.below(100_000)),
    latency: `0.${String(random.below(1_000)).padStart(3, '0')}s`,
    remoteIp: `10.4.${random.below(256)}.${random.below(256)}`,
  };
}

function klogLine(random: Random): LineTemplate {
  const file = `${random.pick(['reflector', 'client', 'controller'])}.go:${random.below(900) + 1}`;
  const letter = random.pick(['I', 'I', 'W', 'E']);
  const micros = String(random.below(1_000_000)).padStart(6, '0');
  const header = `${letter}0305 14:07:21.${micros}       ${random.below(9) + 1} ${file}] `;
  return cut(
    'stderr',
    `${header}seq=‹seq› "${sentence(random, 60, moodOf(letter))}" node="gke-blue-pool-1"`,
  );
}

function unicodeLine(random: Random): LineTemplate {
  const text = random.pick([
    'größe überschritten, Zürich → Malmö',
    '注文が確定しました 🚚📦',
    'Заказ принят ✓',
    'tab\there, quote " and \\ and /',
    'bell \u0007 nul \u0000 esc \u001b[31mred\u001b[0m',
    '{not json} [neither] <html>&amp;',
    'zero\u200bwidth \ufeff mark',
    '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦 family',
    '  leading and trailing  ',
    '\u2028separators\u2029',
  ]);
  return cut('stdout', `${random.pick(['', ' ', 'é '])}seq=‹seq› ${text} ${sentence(random, 30)}`);
}

function stackTrace(random: Random): LineTemplate[] {
  const name = random.pick(['IllegalState', 'NullPointer', 'Socket']);
  const lines = [
    cut('stderr', `java.lang.${name}Exception: seq=‹seq› ${sentence(random, 40, 'bad')}`),
  ];
  for (let left = random.below(12) + 3; left > 0; left -= 1) {
    const place = `${random.pick(['Cart', 'Order'])}Service.java:${random.below(900) + 1}`;
    lines.push(cut('stderr', `\tat com.acme.shop.Service.handle(${place}) seq=‹seq›`));
  }
  return lines;
}
