// Objects about as large as an entry may be, and larger ones: the kernel measures them, and what
// does not fit becomes the entries that the reference makes of it.

import { expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { drainBoth, plainSource } from './drain-bench.ts';
import { type Random, seededRandom } from './line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const seed = seedOfRun();
const strings = [
  'x',
  'é',
  '鍵',
  '😀',
  '\\n',
  '\\"',
  '\\u0041',
  '\\u00e9',
  '\\u9375',
  '\\ud83d\\ude00',
];
const fields = [
  '"severity":"ERROR"',
  '"time":"2024-03-05T14:07:20.5Z"',
  '"message":"m"',
  '"logging.googleapis.com/labels":{"a":"b","n":1}',
  '"logging.googleapis.com/trace":"0123456789abcdef0123456789abcdef"',
  '"logging.googleapis.com/trace_sampled":true',
  '"logging.googleapis.com/spanId":"000000000000004a"',
  '"httpRequest":{"requestMethod":"GET","status":200,"requestSize":5,"cacheHit":true}',
];

/** Bytes of what entries have beside their payload, about. */
const envelopeBytes = limits.entryReserveBytes + 300;

/** A string, with its quotes, of about so many bytes when it is read. */
function stringOf(random: Random, bytes: number): string {
  const piece = random.pick(strings);
  const length = Buffer.byteLength(JSON.parse(`"${piece}"`) as string);
  return `"${piece.repeat(Math.ceil(bytes / length))}"`;
}

/** Members that have about `bytes` bytes as protobuf, and the bytes that one more of them has. */
function fillers(random: Random, bytes: number): string {
  const count = (each: number) => Math.ceil(bytes / each);
  switch (random.below(7)) {
    case 0:
      return `"s":${stringOf(random, bytes)}`;
    case 1:
      return Array.from({ length: count(21) }, (_, at) => `"k${at}":${at}`).join(',');
    case 2:
      return `"a":[${'-1.5e3,'.repeat(count(11))}[]]`;
    case 3:
      return `"a":[${'{"b" : true, "c":{}} ,'.repeat(count(28))}null]`;
    case 4:
      // Cut anywhere, also behind a return.
      return `"a":[${'1\r\r\r,\t'.repeat(count(11))}1]`;
    case 5:
      return Array.from(
        { length: 40 },
        (_, at) => `"s${at}":${stringOf(random, bytes / 40)}`,
      ).join();
    default:
      return `"m":[${Array.from({ length: count(150) }, () => stringOf(random, 20 + random.below(200))).join()}]`;
  }
}

function objectOf(random: Random, bytes: number): string {
  const parts = fields.filter(() => random.oneIn(4));
  if (random.oneIn(3)) {
    parts.push(fillers(random, bytes / 2), `"more":{${fillers(random, bytes / 2)}}`);
  } else {
    parts.push(fillers(random, bytes));
  }
  if (random.oneIn(5)) parts.unshift('"k5":"earlier"', '"more":1');
  return `{${parts.join(random.oneIn(2) ? ',' : ' , ')}}${random.oneIn(4) ? ' \r' : ''}`;
}

function expectSame(objects: readonly string[]): readonly string[] {
  const lines = objects.map((object) => `2024-03-05T14:07:21Z stdout F ${object}\n`);
  const { fast, slow, severities } = drainBoth(Buffer.from(lines.join('')));
  expect(fast.length).toBe(slow.length);
  for (const [index, entry] of slow.entries()) {
    // The whole of it would be a page of letters.
    if (fast[index] !== entry) expect(fast[index]?.slice(0, 500)).toBe(entry.slice(0, 500));
    expect(fast[index] === entry).toBe(true);
  }
  expect(severities.fast).toEqual(severities.slow);
  return fast;
}

test(`become the same entries, seed ${seed}`, () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 16; round++) {
    const near = limits.entryBytesMax - envelopeBytes - 200 + random.below(400);
    const bytes = random.pick([near, 120_000 + random.below(300_000)]);
    expectSame([objectOf(random, bytes)]);
  }
});

test('of lines over a mebibyte are cut, whatever is left of them', () => {
  const header = '2024-03-05T14:07:21Z stdout F '.length;
  for (const bytes of [limits.lineBytesMax - header, limits.lineBytesMax - header + 1]) {
    const double = '"k":1,'.repeat(100_000);
    const space = ' '.repeat(bytes - double.length - '{"k":2}'.length);
    const isCut = bytes + header > limits.lineBytesMax;
    expect(expectSame([`{${double}${space}"k":2}`]).length === 1).toBe(!isCut);
    expectSame([`{"s":"${'x'.repeat(bytes - '{"s":""}'.length)}"}`]);
  }
});

test('fit to the byte', () => {
  for (const more of ['', fields[3]!, fields[5]!, `${fields[3]},${fields[6]},${fields[7]}`]) {
    const objectFor = (length: number) =>
      `{"a":"${'x'.repeat(length)}","b":1${more === '' ? '' : `,${more}`}}`;
    const isWhole = (length: number) => !expectSame([objectFor(length)])[0]!.includes('truncated');
    // Where the last one fits, by halving.
    let fits = limits.entryBytesMax - 4_000;
    let tooLong: number = limits.entryBytesMax;
    while (tooLong - fits > 1) {
      const middle = Math.floor((fits + tooLong) / 2);
      if (isWhole(middle)) fits = middle;
      else tooLong = middle;
    }
    expectSame([-3, -2, -1, 0, 1, 2, 3, 4, 5].map((step) => objectFor(fits + step)));
  }
});

test('are shortened, cut and split as the reference does it, also of partial lines', () => {
  const long = 'words of a long message, '.repeat(20_000);
  const objects = [
    `{"severity":"WARNING","message":"${long}"}`,
    `{"message":"${'é'.repeat(200_000)}","httpRequest":{"status":200}}`,
    `{"a":"${long}","b":["${long}","${'😀'.repeat(26)}"],"c":1}`,
    `{"time":"2024-03-05T14:07:20Z","a":[${'"ab",'.repeat(60_000)}1]}`,
    `{"logging.googleapis.com/labels":{${Array.from({ length: 20_000 }, (_, at) => `"l${at}":"v"`).join()}},"m":1}`,
    `{"logging.googleapis.com/labels":{"l":"${'v'.repeat(70_000)}"},"m":"${long}"}`,
  ];
  expect(expectSame(objects).length).toBeGreaterThan(objects.length);
  const inParts = objects.flatMap((object) => {
    const parts = object.match(/.{1,16384}/gsu)!;
    return parts.map((part, at) => `${at < parts.length - 1 ? 'P' : 'F'} ${part}`);
  });
  const text = inParts.map((part) => `2024-03-05T14:07:21Z stderr ${part}\n`).join('');
  const { fast, slow } = drainBoth(Buffer.from(text));
  expect(fast.length).toBe(slow.length);
  expect(fast.every((entry, index) => entry === slow[index])).toBe(true);
  expect(fast[0]).toContain(plainSource.logName.stderr);
});
