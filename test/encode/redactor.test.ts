// What the patterns of `--redact` leave of a record.

import { threadCpuUsage } from 'node:process';
import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { createRedactor } from '../../src/encode/redaction/redactor.ts';
import { encodeRecord } from '../../src/encode/entries/log-entry.ts';
import { seedOfRun } from '../support/seed.ts';
import { pick, randomObject } from './random-json.ts';
import { context, expectStrict, insertId, recordOf } from './strict-entry.ts';
import { randomNumbers } from '../../src/emulator/random-numbers.ts';

const hidden = '[REDACTED]';

function redact(text: string, ...patterns: string[]): string {
  return createRedactor(patterns).redact(text)?.text ?? text;
}

/** The one entry of a record, accepted as the API would. */
function encode(content: string, ...patterns: string[]) {
  const where = { ...context, redactor: createRedactor(patterns) };
  const { entries, isRedacted } = encodeRecord(recordOf(content), where);
  expect(entries.length).toBe(1);
  const entry = expectStrict(entries[0]!);
  return { entry, isRedacted };
}

describe('in a text', () => {
  test.each([
    ['login password=hunter2 ok', ['password=\\S+'], `login ${hidden} ok`],
    ['a=1 b=22 a=333', ['a=\\d+', 'b=\\d+'], `${hidden} ${hidden} ${hidden}`],
    ['nothing here', ['password=\\S+'], 'nothing here'],
    // Touching and overlapping matches are one, whichever pattern finds more.
    ['xabcdefx', ['abc', 'abcdef'], `x${hidden}x`],
    ['xabcdefx', ['abcd', 'cdef'], `x${hidden}x`],
    ['xabx', ['a', 'b'], `x${hidden}x`],
    // Offsets are those of JavaScript, behind characters of two units too.
    ['😀😀 ключ=тайна б', ['ключ=\\S+'], `😀😀 ${hidden} б`],
    ['one\ntwo', ['(?m)^two$'], `one\n${hidden}`],
    ['a b', ['\\b'], 'a b'],
  ])('%j without %j is %j', (text, patterns, expected) => {
    expect(redact(text, ...patterns)).toBe(expected);
  });
});

describe('in an object', () => {
  test.each([
    ['{"a":"x 4111 y"}', '\\d{4}', `{"a":"x ${hidden} y"}`],
    ['{"4111":true}', '\\d{4}', `{"${hidden}":true}`],
    [
      '{"a":4111,"b":-41112,"c":[4111]}',
      '\\d{4}',
      `{"a":"${hidden}","b":"-${hidden}2","c":["${hidden}"]}`,
    ],
    ['{"a":111222,"b":true}', '111|22|ru', `{"a":"${hidden}2","b":"t${hidden}e"}`],
    ['{"a":1,"password":"x","b":2}', '"password":"[^"]*"', `{"a":1,"${hidden}":"${hidden}","b":2}`],
    ['{"a":1,"password":"x","b":2}', 'password":"[^"]*', `{"a":1,"${hidden}":"${hidden}","b":2}`],
    ['{"a":1,"password": 17,"b":2}', 'password": ?1', `{"a":1,"${hidden}":"${hidden}7","b":2}`],
    ['{"k":"sk-abc"}', '"sk-[a-z]+"', `{"k":"${hidden}"}`],
    ['{"k":"sk-abc1"}', '"sk-[a-z]+', `{"k":"${hidden}1"}`],
    ['{"k":"a"}', 'none', '{"k":"a"}'],
    // A match ends with the string that it begins in, and does not hide the next one from view.
    ['{"a":"key=x","b":2,"c":"key=y z"}', 'key=\\S+', `{"a":"${hidden}","b":2,"c":"${hidden} z"}`],
    ['{"a":"key=x","b":4111}', 'key=\\S+|4111', `{"a":"${hidden}","b":"${hidden}"}`],
    [
      '{"a":"key=x","pin":"y"}',
      'key=\\S+|"pin":"[^"]*"',
      `{"a":"${hidden}","${hidden}":"${hidden}"}`,
    ],
    // What is escaped is searched as what it means, and only then written again.
    ['{"a":"p\\u0061ss=x \\"q\\""}', 'pass=\\S+', `{"a":"${hidden} \\"q\\""}`],
    [
      '{"a":"say \\"hi\\" key=x","b":"\\/"}',
      'key=\\S+',
      `{"a":"say \\"hi\\" ${hidden}","b":"\\/"}`,
    ],
    ['{"k\\u0065y=x":1}', 'key=\\S+', `{"${hidden}":1}`],
    ['{"a":"one\\ntwo"}', '(?m)^two$', `{"a":"one\\n${hidden}"}`],
    ['{"a":"{\\"pin\\":\\"12\\"}"}', '\\\\"pin\\\\":\\\\"[^\\\\]*', `{"a":"{${hidden}\\"}"}`],
    ['{"a":"{\\"pin\\":\\"12\\"}"}', '"pin":"[^"]*"', `{"a":"{${hidden}}"}`],
  ])('%s without %j is %s', (text, pattern, expected) => {
    expect(redact(text, pattern)).toBe(expected);
    expect(JSON.parse(expected)).toBeDefined();
  });

  test('finds what matches as it is written and as it is meant', () => {
    const text = '{"a":"x\\u0031 \\\\u0031","b":1}';
    expect(redact(text, '\\\\u0031', 'x1')).toBe(`{"a":"${hidden} ${hidden}","b":1}`);
  });

  test('what is no object without its matches is shipped as text', () => {
    const { entry, isRedacted } = encode('{"severity":"ERROR","password":"x","b":2}', 'password.*');
    expect(entry).toMatchObject({
      textPayload: `{"severity":"ERROR","${hidden}`,
      severity: 'INFO',
    });
    expect(isRedacted).toBe(true);
  });

  test('what becomes an object without its matches is shipped as text', () => {
    const text = '{"a key=x" :\\u006bey=y, key=z":1}';
    const { entry } = encode(text, 'key=x"|key=z');
    const left = `{"a ${hidden} :\\u006bey=y, ${hidden}":1}`;
    expect(JSON.parse(left)).toEqual({ [`a ${hidden} :key=y, ${hidden}`]: 1 });
    expect(entry).toMatchObject({ textPayload: left });
  });

  test('two matches that cannot be hidden together take the whole record with them', () => {
    expect(redact('{"k":123456}', 'k":12', '5')).toBe(hidden);
  });
});

describe('in an entry', () => {
  test('the fields that are taken out of an object are searched too', () => {
    const line = {
      message: 'done',
      severity: 'ERROR',
      'logging.googleapis.com/labels': { user: 'jane@example.com' },
      httpRequest: { requestUrl: 'https://x/?mail=jane@example.com', status: 200 },
    };
    expect(encode(JSON.stringify(line), '\\w+@[\\w.]+').entry).toMatchObject({
      textPayload: 'done',
      severity: 'ERROR',
      labels: { user: hidden },
      httpRequest: { requestUrl: `https://x/?mail=${hidden}`, status: 200 },
    });
  });

  test('an id that was hidden is not used: entries would be taken for one', () => {
    const line = '{"logging.googleapis.com/insertId":"id-4111","message":"secret"}';
    expect(encode(line, '\\d{4}').entry['insertId']).toBe(insertId);
    expect(encode(line, 'secret').entry['insertId']).toBe('id-4111');
  });

  test('klog is read from what is left', () => {
    const line = 'E0305 14:07:21.103990       1 server.go:412] token=abc';
    expect(encode(line, 'token=\\w+').entry).toMatchObject({
      severity: 'ERROR',
      jsonPayload: { message: hidden },
    });
  });

  test('that would grow past the longest record is hidden whole', () => {
    const { entries } = encodeRecord(recordOf('1 '.repeat(limits.lineBytesMax / 2)), {
      ...context,
      redactor: createRedactor(['1']),
    });
    expect(entries.map((text) => expectStrict(text)['textPayload'])).toEqual([hidden]);
  });

  test('is split after it is redacted', () => {
    const secret = 'card=4111111111111111';
    const content = `${'x'.repeat(limits.entryBytesMax - 3_000)}${secret.repeat(300)}`;
    const { entries } = encodeRecord(recordOf(content), {
      ...context,
      redactor: createRedactor(['card=\\d{16}']),
    });
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.join('')).not.toMatch(/\d{16}|card/);
    expect(entries.join('')).toContain(hidden);
  });
});

describe('whatever the record', () => {
  const seed = seedOfRun();

  test(`no secret is left in the entry, seed ${seed}`, () => {
    const random = randomNumbers(seed);
    const below = (count: number) => Math.floor(random() * count);
    const secret = /s[0-9]{4}t/;
    for (let round = 0; round < 1_000; round++) {
      const word = () => `s${String(below(10_000)).padStart(4, '0')}t`;
      // Put into the text anywhere: in keys, strings, numbers, between them, in the midst of
      // escapes.
      let text = randomObject(random);
      for (let count = 1 + below(3); count > 0; count--) {
        const at = below(text.length + 1);
        const written = below(3) === 0 ? `\\u0073${word().slice(1)}` : word();
        text = text.slice(0, at) + written + text.slice(at);
      }
      const pattern = pick(random, [
        '',
        '\\S*',
        '.*',
        '[^"]*"?',
        '|"s|:s',
        '\\S*|"\\w+":"?s',
        '[^}]*',
      ]);
      const where = { ...context, redactor: createRedactor([`s[0-9]{4}t${pattern}`]) };
      const { entries } = encodeRecord(recordOf(text), where);
      const shipped = entries.map((entry) => JSON.stringify(JSON.parse(entry))).join('');
      expect(secret.exec(shipped), `${pattern} in ${text}`).toBeNull();
    }
  });
});

describe('a tenant’s text', () => {
  const totalBytes = 512 * 1024;

  /** Milliseconds of CPU for so many bytes of it. */
  function cost(unit: string, lineBytes: number, ...patterns: string[]): number {
    const redactor = createRedactor(patterns);
    const line = unit.repeat(Math.ceil(lineBytes / unit.length)).slice(0, lineBytes);
    const before = process.cpuUsage();
    for (let bytes = 0; bytes < totalBytes; bytes += lineBytes) {
      expect(redactor.redact(line)?.text).toContain(hidden);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e3;
  }

  // Each short match is found only after all that follows was searched for a longer one. Within 200
  // characters that may happen for each of them; a whole line of it would cost 80 times that.
  test('cannot make the search quadratic', () => {
    const short = cost('a', 200, 'a.*b|a');
    for (const bytes of [16_384, totalBytes]) {
      expect(cost('a', bytes, 'a.*b|a'), `lines of ${bytes}`).toBeLessThan(short * 8);
    }
  });

  test.each(['a key=x \\"', '\\u006bey=x ', 'key=x\\n'])(
    'of escapes is read in time: %s',
    (unit) => {
      const text = JSON.stringify({ a: 'x' }).replace('x', unit.repeat(30_000));
      const before = process.cpuUsage();
      expect(redact(text, 'key=\\w+', '\\\\n')).toContain(hidden);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1e3).toBeLessThan(5_000);
    },
  );

  test('cannot make the search exponential', () => {
    expect(cost('a', totalBytes, '(a+)+$|a{30}')).toBeLessThan(10_000);
  });

  /** Milliseconds of CPU for one record. */
  function costOf(text: string, ...patterns: string[]): { ms: number; left: string } {
    const redactor = createRedactor(patterns);
    const before = threadCpuUsage();
    const left = redactor.redact(text)?.text ?? text;
    const { user, system } = threadCpuUsage(before);
    return { ms: (user + system) / 1e3, left };
  }

  // No engine of re2js is quick with these: too many states for its automaton.
  const slowPatterns = ['[ab]*a[ab]{550}c', '(?:a|b)*a[ab]{500}$'];
  const random = randomNumbers(seedOfRun());
  const letters = Array.from({ length: limits.lineBytesMax }, () => (random() < 0.5 ? 'a' : 'b'));

  test.each(slowPatterns)(
    'of a megabyte takes a second, then it is hidden whole: %s',
    (pattern) => {
      const text = `${letters.join('')} c`;
      const { ms, left } = costOf(text, pattern);
      expect(left).toBe(hidden);
      expect(ms).toBeLessThan(limits.redactMsMax * 2);
    },
  );

  test('in thousands of strings of one object takes no longer', () => {
    const piece = letters.slice(0, 200).join('');
    const strings = Array.from({ length: 4_500 }, (_, index) => `\\n${piece}${index}c`);
    const text = `{"a":["${strings.join('","')}"]}`;
    const patterns = Array.from({ length: 5 }, (_, index) => `[ab]*a[ab]{10${index}}d|${index}cx`);
    expect(costOf(text, ...patterns).ms).toBeLessThan(limits.redactMsMax * 2);
  });

  test('that took too long leaves the time that the next one needs', () => {
    const redactor = createRedactor(['[ab]*a[ab]{550}c', 'key=\\S+']);
    expect(redactor.redact(`${letters.join('')} c`)?.text).toBe(hidden);
    expect(redactor.redact('nothing')).toBeUndefined();
    const next = Array.from({ length: 100 }, () => redactor.redact('a key=x b')?.text);
    expect(next.at(-1)).toBe(`a ${hidden} b`);
  });

  test.each([
    ['user=jane@example.com', '\\w+@[\\w.]+', `user=${hidden}`],
    ['"PassWord": 😀x', '(?i)(password|token)["\': =]+[^\\s"\',]+', `"${hidden}`],
    ['card 4111 1111 1111 1111.', '\\b(?:\\d[ -]?){13,16}\\b', `card ${hidden}.`],
  ])('of a megabyte is searched as a short one is: %s', (secret, pattern, expected) => {
    const filler = 'some words of no interest 12 34 '.repeat(15_000);
    const text = `${secret}\n${filler}${secret}\n${filler}${secret}`;
    expect(redact(secret, pattern)).toBe(expected);
    expect(redact(text, pattern)).toBe(`${expected}\n${filler}${expected}\n${filler}${expected}`);
    expect(redact(filler, pattern)).toBe(filler);
  });
});
