import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { scanObject, scanTokens } from '../../src/encode/json/object-scan.ts';
import { rawMember } from '../../src/encode/json/json-text.ts';
import { seedOfRun } from '../support/seed.ts';
import { mutate, randomObject } from './random-json.ts';
import { cpuMsOf } from '../support/own-time.ts';
import { randomNumbers } from '../../src/emulator/random-numbers.ts';

/** The text with lone surrogate escapes replaced: pairs and other escapes match first and stay. */
function repairSurrogates(text: string): string {
  const escapes = /\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..|\\./gs;
  const isLone = (escape: string) => escape.length === 6;
  return text.replace(escapes, (escape) => (isLone(escape) ? '\\ufffd' : escape));
}

/**
 * JSON.parse with `_` after each key: V8 misreads keys that end in an escape (nodejs/node, issue
 * 63785).
 */
function read(text: string, reviver?: Parameters<typeof JSON.parse>[1]): unknown {
  const strings = /"((?:[^"\\]|\\.)*)"(\s*:)?/gs;
  const marked = text.replace(strings, (whole: string, inner: string, colon?: string) =>
    colon === undefined ? whole : `"${inner}_"${colon}`,
  );
  return JSON.parse(marked, reviver);
}

/** What the repaired value must be: strings well-formed, numbers finite or else their literal. */
function oracle(text: string): unknown {
  return read(repairSurrogates(text), (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && !Number.isFinite(value) ? context?.source : value,
  );
}

function isObject(text: string): boolean {
  try {
    const value = JSON.parse(text) as unknown;
    return value !== null && typeof value === 'object' && !Array.isArray(value);
  } catch {
    // The oracle says that it is no JSON.
    return false;
  }
}

/** Key order is not compared: JSON.parse puts keys that look like array indexes first. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, member: unknown) =>
      member !== null && typeof member === 'object' && !Array.isArray(member)
        ? Object.entries(member).toSorted(([one], [other]) => (one < other ? -1 : 1))
        : member,
    ),
  );

describe('scanObject()', () => {
  test('accepts what JSON.parse accepts, and repairs what cannot be sent', () => {
    const seed = seedOfRun();
    const random = randomNumbers(seed);
    let accepted = 0;
    for (let round = 0; round < 4_000; round++) {
      const whole = randomObject(random);
      const text = round % 2 === 0 ? whole : mutate(random, whole);
      const object = scanObject(text);
      const where = `seed ${seed}, round ${round}: ${JSON.stringify(text)}`;
      expect({ where, is: object !== undefined }).toEqual({ where, is: isObject(text) });
      if (object === undefined) continue;
      accepted++;
      const kept = object.members.map((member) => rawMember(object, member)).join(',');
      const wanted = { where, value: plain(oracle(text)) };
      expect({ where, value: plain(read(`{${kept}}`)) }).toEqual(wanted);
      expect({ where, value: plain(read(object.text)) }).toEqual(wanted);
      expect({ where, object: scanObject(object.text) }).toEqual({ where, object });
    }
    expect(accepted).toBeGreaterThan(2_000);
  });

  test.each([
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"a":1,"b":{ "x":[1, 2] },"a":2}', '{"b":{ "x":[1, 2] },"a":2}'],
    ['{"a":1,"a":2,"a":3}', '{"a":3}'],
    ['{"\\u0061":1, "b":2, "a":3}', '{"b":2, "a":3}'],
    ['{"o":{"k":1,"k":{"k":1,"k":2}}}', '{"o":{"k":{"k":2}}}'],
    ['[{"k":1,"k":2}]', undefined],
    ['{"l":[{"k":1,"k":2},{"k":1}]}', '{"l":[{"k":2},{"k":1}]}'],
    ['{"a":{"b":1e999,"b":1},"a":"\\ud800"}', '{"a":"\\ufffd"}'],
    ['{"\\ud800":1,"\\udfff":2}', '{"\\ufffd":2}'],
    ['{"v":1e400,"w":-1E+999}', '{"v":"1e400","w":"-1E+999"}'],
    ['{"v":1e308,"w":1e-999}', '{"v":1e308,"w":1e-999}'],
    [
      '{"s":"\\ud83d\\ude00\\ud83d\\ud83d\\ude00\\ude00"}',
      '{"s":"\\ud83d\\ude00\\ufffd\\ud83d\\ude00\\ufffd"}',
    ],
    ['{"s":"\\\\ud800"}', '{"s":"\\\\ud800"}'],
  ])('makes %s into %s', (text, repaired) => {
    expect(scanObject(text)?.text).toBe(repaired);
  });

  test('finds duplicates among many keys', () => {
    const members = Array.from({ length: 1_000 }, (_, at) => `"k${at % 700}":${at}`);
    const object = scanObject(`{${members.join(',')}}`);
    expect(object?.members).toHaveLength(700);
    expect(object?.members[0]?.key).toBe('k300');
    expect(object?.members.at(-1)?.key).toBe('k299');
  });

  test('takes nesting up to the limit as JSON, one level more as text', () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
    const listed = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    for (const text of [nested, listed]) {
      expect(scanObject(text(limits.jsonDepthMax))).toBeDefined();
      expect(scanObject(text(limits.jsonDepthMax + 1))).toBeUndefined();
      expect(scanObject(text(300_000))).toBeUndefined();
    }
  });

  test('takes linear time on a mebibyte of anything', () => {
    const repeat = (piece: string) => piece.repeat(Math.ceil(limits.lineBytesMax / piece.length));
    const texts = [
      `{"a":"${repeat('\\ud800')}"}`,
      `{"a":${repeat('9')}}`,
      `{"a":${repeat('0')}}`,
      `{"a":[${repeat('1e999,')}1]}`,
      `{${repeat('"a":1,')}"a":2}`,
      `{"o":{${repeat('"\\u0061":1,')}"a":2}}`,
      `{"a":[${repeat('{"a":1,"a":2},')}1]}`,
      `{${repeat(' ')}}`,
      `{"a":"${repeat('\\\\')}"}`,
      repeat('{"a":'),
      `{${Array.from({ length: 80_000 }, (_, at) => `"${at}":${at}`).join(',')}}`,
    ];
    for (const text of texts) {
      const text40 = text.slice(0, 40);
      const isFast = cpuMsOf(() => scanObject(text)) < 3_000;
      expect({ text40, isFast }).toEqual({ text40, isFast: true });
    }
  });
});

describe('scanTokens()', () => {
  /** The value that the tokens of `text` make, and what is between them. */
  function rebuild(text: string): { value: string; between: string; isWhole: boolean } {
    let value = '';
    let between = '';
    let last = 0;
    const isWhole = scanTokens(text, (kind, start, end) => {
      between += text.slice(last, start);
      last = end;
      const needsComma = kind !== 'end' && /[^[{:]$/.test(value);
      value += `${needsComma ? ',' : ''}${text.slice(start, end)}${kind === 'key' ? ':' : ''}`;
      const first = text[start]!;
      const isRight = {
        object: first === '{',
        array: first === '[',
        end: first === '}' || first === ']',
        key: first === '"',
        string: first === '"',
        number: /[-\d]/.test(first),
        word: /[tfn]/.test(first),
      };
      expect({ kind, first, is: isRight[kind] }).toEqual({ kind, first, is: true });
    });
    return { value, between: between + text.slice(last), isWhole };
  }

  test('hands over all of an object but white space, commas and colons', () => {
    const random = randomNumbers(seedOfRun());
    for (let round = 0; round < 4_000; round++) {
      const whole = randomObject(random);
      const text = round % 2 === 0 ? whole : mutate(random, whole);
      const { value, between, isWhole } = rebuild(text);
      expect({ text, isWhole }).toEqual({ text, isWhole: scanObject(text) !== undefined });
      if (!isWhole) continue;
      expect({ text, between: between.replace(/[ \t\r\n:,]/g, '') }).toEqual({ text, between: '' });
      expect(plain(read(value))).toEqual(plain(read(text)));
    }
  });

  test('tells keys from string values, at any depth', () => {
    const found: string[] = [];
    scanTokens('{"a":"x","b":["y",{"c" : "z"}],"d":1}', (kind, start) => {
      if (kind === 'key' || kind === 'string') found.push(`${kind} ${start}`);
    });
    expect(found).toEqual([
      'key 1',
      'string 5',
      'key 9',
      'string 14',
      'key 19',
      'string 25',
      'key 31',
    ]);
  });
});
