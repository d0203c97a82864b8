import { expect, it } from 'vitest';
import { findRepeatedKey, scanBody, takeCensus } from '../../src/emulator/write/body-census.ts';

function censusOf(text: string) {
  const bytes = Buffer.from(text);
  return {
    scan: scanBody(bytes),
    census: takeCensus(JSON.parse(text), true),
    repeated: findRepeatedKey(bytes),
  };
}

const clean = [
  '{}',
  '[]',
  '"a:b{"',
  '{"a":{"a":{"a":[{"a":1},{"a":2}]}}}',
  ' { "a" : "b:\\"c\\\\" , "d\\"":[ ] }',
  '{"":1,"\\u0000":2,"\\ud83d\\ude00":"\\uD83D\\uDE00"}',
  '{"__proto__":{"constructor":1}}',
  '{"1":1,"0":2,"a":"x"}',
];

it.each(clean)('scanBody() and takeCensus() count the same keys in %s', (text) => {
  const { scan, census, repeated } = censusOf(text);
  expect(census.keyCount).toBe(scan.keyCount);
  expect(census.hasLoneSurrogate).toBe(false);
  expect(repeated).toBeUndefined();
});

const repeats: readonly (readonly [
  text: string,
  key: string,
  path: readonly (string | number)[],
])[] = [
  ['{"a":1,"a":1}', 'a', []],
  ['{"b":[0,{"c":{"a":1,"x":[],"\\u0061" :2}}]}', 'a', ['b', 1, 'c']],
  ['{"b":[[],[{}],{"":1,"":2}]}', '', ['b', 2]],
  ['{"__proto__":1,"__proto__":2}', '__proto__', []],
];

it.each(repeats)('findRepeatedKey() finds the key in %s', (text, key, path) => {
  const { scan, census, repeated } = censusOf(text);
  expect(census.keyCount).toBeLessThan(scan.keyCount);
  expect(repeated).toEqual({ key, path });
});

it('scanBody() gives the bytes of each entry, and only of entries', () => {
  const entries = ['{"a":"]}"}', '{ "entries":[{"x":1}] }', '{}', '{"é":"\\""}'];
  const text = `{"labels":{"entries":"x"},"entries" : [ ${entries.join(' ,\n')} ],"resource":{"entries":[{}]}}`;
  const bytes = Buffer.from(text);
  const { entrySpans } = scanBody(bytes);
  const found = entries.map((_, index) =>
    bytes.toString('utf8', entrySpans[index * 2], entrySpans[index * 2 + 1]),
  );
  expect(found).toEqual(entries);
  expect(entrySpans).toHaveLength(entries.length * 2);
});

it('scanBody() ends on every prefix of a body', () => {
  const bytes = Buffer.from('{"entries":[{"a":"\\ud800\\"x"}]}');
  for (let end = 0; end <= bytes.length; end += 1) {
    expect(scanBody(bytes.subarray(0, end)).depthMax).toBeLessThanOrEqual(3);
  }
});

it('takeCensus() finds lone surrogates in values and keys, and numbers beyond double', () => {
  for (const text of ['"\\ud800"', '{"\\udfff":1}', '["\\ude00\\ud83d"]']) {
    expect(scanBody(Buffer.from(text)).hasSurrogateEscape).toBe(true);
    expect(censusOf(text).census.hasLoneSurrogate).toBe(true);
  }
  expect(scanBody(Buffer.from('"\\ud7ff\\\\ud800"')).hasSurrogateEscape).toBe(false);
  expect(censusOf('[1e308,-1e309]').census.hasInfinity).toBe(true);
  expect(censusOf('[1e308,-1e308]').census.hasInfinity).toBe(false);
});
