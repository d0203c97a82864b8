// The dearest inputs of the encoder, and who can write them.

import { recordedObject, tableObject } from './colliding-keys.ts';

/** Who can write it: any program, one that means harm, or who can write to the directory. */
export type Writer = 'program' | 'hostile program' | 'directory';

export type Hostile = {
  readonly name: string;
  readonly writer: Writer;
  readonly joinStackTraces?: boolean;
  /** The line or lines at `index`, with their newlines. */
  readonly lines: (index: number) => string | Buffer;
};

const time = '2026-03-05T14:07:21.104582937Z';
const header = `${time} stdout F `;
const words = 'payment accepted for order 1234 of customer 567 in 89 ms by worker node-7 ';

/** `text` repeated to `bytes` bytes. */
function fill(text: string, bytes: number): string {
  return text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes);
}

function cri(content: string): string {
  return `${header}${content}\n`;
}

/** A record as containerd splits it. */
function inPartialLines(content: string): string {
  const parts = content.match(/.{1,16384}/g)!;
  const last = parts.pop()!;
  return parts.map((part) => `${time} stdout P ${part}\n`).join('') + cri(last);
}

function members(count: number, member: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => member(index)).join(',');
}

const apiKey = (name: string) => `"logging.googleapis.com/${name}"`;
const request =
  '"httpRequest":{"requestMethod":"GET","requestUrl":"/api/v1/things?id=17","status":200,"latency":"0.012s"}';
const routine = ['goroutine 17 [running]:', 'main.work(0xc000010000)', '\t/src/main.go:17 +0x1d'];
const java = [
  'java.lang.IllegalStateException: cart is closed',
  '\tat shop.Cart.add(Cart.java:61)',
  '\tat shop.Checkout.pay(Checkout.java:112)',
  'Caused by: java.io.IOException: pipe',
  '\t... 12 common frames omitted',
];
const panic = ['panic: boom', '', ...routine];

export const plain: Hostile = {
  name: 'text of 200 bytes',
  writer: 'program',
  lines: (index) => cri(`${index} ${fill(words, 200 - header.length)}`),
};

export const cases: readonly Hostile[] = [
  {
    name: 'JSON',
    writer: 'program',
    lines: (n) => cri(`{"severity":"INFO","message":"${fill(words, 90)}","n":${n}}`),
  },
  {
    name: 'httpRequest',
    writer: 'program',
    lines: (n) => cri(`{"message":"served ${n}",${request}}`),
  },
  {
    name: 'operation',
    writer: 'program',
    lines: (n) =>
      cri(
        `{"message":"step ${n}","k":1,${apiKey('operation')}:{"id":"op-${n}","producer":"batch","first":true}}`,
      ),
  },
  {
    name: 'sourceLocation',
    writer: 'program',
    lines: (n) =>
      cri(
        `{"message":"step ${n}","k":1,${apiKey('sourceLocation')}:{"file":"a/b.go","line":"${n}","function":"main.work"}}`,
      ),
  },
  {
    name: 'labels of any type',
    writer: 'program',
    lines: (n) =>
      cri(
        `{"message":"step ${n}","k":1,${apiKey('labels')}:{"notify":true,"team":"core","n":${n}}}`,
      ),
  },
  {
    name: 'numeric severity',
    writer: 'program',
    lines: (n) => cri(`{"severity":400,"message":"step ${n}","k":1}`),
  },
  {
    name: 'timestampSeconds',
    writer: 'program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,"timestampSeconds":${n},"timestampNanos":7}`),
  },
  {
    name: 'timestamp object',
    writer: 'program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,"timestamp":{"seconds":${n},"nanos":7}}`),
  },
  {
    name: 'httpRequest with other members',
    writer: 'program',
    lines: (n) => cri(`{"message":"served ${n}",${request.slice(0, -1)},"traceId":"${n}"}}`),
  },
  {
    name: 'httpRequest of other types',
    writer: 'program',
    lines: (n) => cri(`{"message":"served ${n}",${request.replace('200', '"200"')}}`),
  },
  {
    name: 'level that is no severity',
    writer: 'program',
    lines: (n) => cri(`{"level":"verbose-${n}","message":"step ${n}","k":1}`),
  },
  {
    name: 'level of many letters',
    writer: 'program',
    lines: (n) => cri(`{"level":"Information","message":"step ${n}","k":1}`),
  },
  {
    name: 'time that is not RFC 3339',
    writer: 'program',
    lines: (n) => cri(`{"time":"2026-03-05T14:07:21,104","message":"step ${n}","k":1}`),
  },
  {
    name: 'time two days ahead',
    writer: 'hostile program',
    lines: (n) => cri(`{"time":"2126-03-05T14:07:21.104Z","message":"step ${n}","k":1}`),
  },
  {
    name: 'labels that are objects',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,${apiKey('labels')}:{"a":{"b":"${n}"}}}`),
  },
  {
    name: 'labels with escapes',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,${apiKey('labels')}:{"path":"C:\\\\${n}"}}`),
  },
  {
    name: 'labels with a key of the agent',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,${apiKey('labels')}:{"k8s-pod/app":"${n}"}}`),
  },
  {
    name: 'keys with escapes',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":1,"C:\\\\":${n}}`),
  },
  {
    name: 'numbers that no double holds',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":1e999}`),
  },
  {
    name: 'half a surrogate pair',
    writer: 'hostile program',
    lines: (n) => cri(`{"message":"step ${n}","k":"\\ud800"}`),
  },
  {
    name: 'invalid UTF-8 in JSON',
    writer: 'program',
    lines: (n) =>
      Buffer.from(cri(`{"message":"caf\u00e9 ${n}","k":"${fill(words, 60)}"}`), 'latin1'),
  },
  {
    name: 'own insertId',
    writer: 'program',
    lines: (n) => cri(`{"severity":"INFO","message":"m",${apiKey('insertId')}:"id-${n}"}`),
  },
  {
    name: 'a message alone, with escaped slashes',
    writer: 'program',
    lines: (n) => cri(`{"severity":"INFO","message":"a\\/b ${n} some path"}`),
  },
  {
    name: 'ANSI colours',
    writer: 'program',
    lines: (n) => cri(fill(`\u001b[32minfo\u001b[0m ${n} served `, 160)),
  },
  {
    name: 'invalid UTF-8 in long lines',
    writer: 'program',
    lines: (n) => Buffer.from(cri(`${n} caf\u00e9 ${fill(words, 140)}`), 'latin1'),
  },
  {
    name: 'invalid UTF-8 in short lines',
    writer: 'hostile program',
    lines: () => Buffer.from(cri('\u00e9'), 'latin1'),
  },
  {
    name: 'partial lines of 16 KiB',
    writer: 'program',
    lines: () => `${time} stdout P ${fill(words, 16_384)}\n${cri(words)}`,
  },
  {
    name: 'P and F in turn',
    writer: 'program',
    lines: (n) => `${time} stdout P first half \n${time} stdout F ${n}\n`,
  },
  {
    name: 'partial lines with the other stream between',
    writer: 'hostile program',
    lines: (n) => `${time} stdout P first half \n${time} stderr F x\n${time} stdout F ${n}\n`,
  },
  {
    name: 'control characters',
    writer: 'hostile program',
    lines: () => cri(fill('\u0001\u0002', 160)),
  },
  { name: 'zeros in content', writer: 'hostile program', lines: () => cri(fill('\0', 160)) },
  { name: 'empty records', writer: 'program', lines: () => cri('') },
  { name: 'JSON in short lines', writer: 'program', lines: () => cri('{"a":1}') },
  {
    name: 'goroutines without a panic, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: () => routine.map(cri).join(''),
  },
  {
    name: 'panics, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: () => panic.map(cri).join(''),
  },
  {
    name: 'Java traces, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: () => java.map(cri).join(''),
  },
  {
    name: 'traces of one line, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: (n) => cri(`Error: ${n}`),
  },
  {
    name: 'traces of 3,000 lines, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: () =>
      ['panic: boom', ...Array.from({ length: 750 }, () => ['', ...routine]).flat()]
        .map(cri)
        .join(''),
  },
  {
    name: 'traces among lines of the other stream, joined',
    writer: 'hostile program',
    joinStackTraces: true,
    lines: () => panic.map((line) => `${time} stderr F ${line}\n${cri('x')}`).join(''),
  },
  {
    name: 'traces behind a klog header, joined',
    writer: 'program',
    joinStackTraces: true,
    lines: () =>
      ['E0305 14:07:21.103990 1 server.go:412] panic: boom', ...panic.slice(1)].map(cri).join(''),
  },
  {
    name: 'traces of partial lines, joined',
    writer: 'hostile program',
    joinStackTraces: true,
    lines: () => panic.map((line) => `${time} stdout P ${line}\n${cri('')}`).join(''),
  },
  {
    name: 'traces that an object ends, joined',
    writer: 'hostile program',
    joinStackTraces: true,
    lines: (n) => cri("thread 'main' panicked at src/main.rs:2:5:") + cri(`{"a":${n}}`),
  },
  { name: 'text, joined', writer: 'program', joinStackTraces: true, lines: plain.lines },
  {
    name: 'JSON with 20,000 keys',
    writer: 'hostile program',
    lines: () => cri(`{${members(20_000, (n) => `"k${n}":${n}`)}}`),
  },
  {
    name: 'one key 20,000 times',
    writer: 'hostile program',
    lines: () => cri(`{${members(20_000, (n) => `"k":${n}`)}}`),
  },
  {
    name: 'duplicate keys',
    writer: 'hostile program',
    lines: (n) => cri(`{"a":${n},"b":2,"a":3,"message":"m"}`),
  },
  {
    name: 'duplicates of 20 keys',
    writer: 'hostile program',
    lines: () => cri(`{"o":{${members(40, (n) => `"k${n % 20}":${n}`)}}}`),
  },
  {
    name: '999 keys',
    writer: 'hostile program',
    lines: () => cri(`{${members(999, (n) => `"k${n}":${n}`)}}`),
  },
  {
    name: '65 labels',
    writer: 'hostile program',
    lines: () => cri(`{"m":1,${apiKey('labels')}:{${members(65, (n) => `"k${n}":"v"`)}}}`),
  },
  {
    name: 'labels with 20,000 keys',
    writer: 'hostile program',
    lines: () => cri(`{"m":1,${apiKey('labels')}:{${members(20_000, (n) => `"k${n}":"v"`)}}}`),
  },
  { name: '4,000 keys of one slot', writer: 'hostile program', lines: () => cri(tableObject()) },
  { name: '5,000 keys of one slot', writer: 'hostile program', lines: () => cri(recordedObject()) },
  {
    name: 'JSON over 256 KB',
    writer: 'hostile program',
    lines: () => cri(`{"a":[${members(60_000, () => '"xy"')}],"s":"${fill(words, 300_000)}"}`),
  },
  {
    name: 'JSON of 257 KB',
    writer: 'hostile program',
    lines: (n) => cri(`{"severity":"INFO","n":${n},"s":"${fill(words, 257_000)}","t":"x"}`),
  },
  {
    name: 'JSON of 5,000 keys',
    writer: 'hostile program',
    lines: () => cri(`{${members(5_000, (n) => `"k${n}":${n}`)}}`),
  },
  {
    name: 'JSON of 300 KB in partial lines',
    writer: 'hostile program',
    lines: () =>
      inPartialLines(`{"s":"${fill(words, 100_000)}",${members(15_000, (n) => `"k${n}":${n}`)}}`),
  },
  {
    name: 'a message over 256 KB',
    writer: 'hostile program',
    lines: () => cri(`{"severity":"INFO","message":"${fill(words, 300_000)}"}`),
  },
  { name: 'text over 256 KB', writer: 'hostile program', lines: () => cri(fill(words, 600_000)) },
  {
    name: 'text over 256 KB in partial lines',
    writer: 'hostile program',
    lines: () => inPartialLines(fill(words, 600_000)),
  },
  {
    name: 'nested JSON',
    writer: 'hostile program',
    lines: () => cri(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`),
  },
  {
    name: 'zeros between lines',
    writer: 'directory',
    lines: (n) => `\0\0\0${plain.lines(n).toString()}`,
  },
  { name: 'lines that are no CRI', writer: 'directory', lines: () => `${words}\n` },
  { name: 'newlines only', writer: 'directory', lines: () => '\n'.repeat(1_000) },
];
