// Lines that are dropped by a search for bytes: what is left must be what rules leave one record at
// a time, however the file is read.

import { describe, expect, test } from 'vitest';

import type { Source } from '../../src/encode/drain-task.ts';
import { requiredText } from '../../src/encode/rules/required-text.ts';
import { compileRe2 } from '../../src/re2-pattern.ts';
import { compileRules } from '../../src/rules/resolve-rules.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { drainHere, openFiles, plainSource, type DrainRun } from '../encode/drain-bench.ts';
import { generateLog, seededRandom } from '../encode/line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const names = { namespace: 's', pod: 'p', container: 'c', labels: {}, annotations: {} };

/** Entries and what was counted; `plus` is a rule that does nothing, but needs every record. */
function drain(content: Buffer, rules: readonly object[], run: DrainRun) {
  const { rules: parsed, problems } = parseRules(rules);
  expect(problems).toEqual([]);
  const { steps = '' } = compileRules(parsed)(names);
  const files = openFiles([content]);
  const recordRule = { redact: [], shares: undefined, steps };
  const source: Source = { ...plainSource, recordRule, segments: files.segments() };
  const { result, entries } = drainHere([source], { ...run, encoding: 'latin1' });
  files.close();
  const [answer] = result.sources;
  const dropped = answer?.rules?.find(({ name }) => name === '1')?.dropped ?? 0;
  // A character of a key may be written as an escape or as itself.
  const list = entries.map((text) => JSON.parse(Buffer.from(text, 'latin1').toString()) as unknown);
  return { entries: list, dropped, lines: answer?.lines, consumed: answer?.consumed };
}

const patterns = [
  'healthz',
  'GET /(healthz|readyz)',
  'GET /\\S+ 200$',
  '^GET /healthz',
  '"GET /healthz HTTP/1\\.[01]" 200',
  'stdout F',
  'GET /c*GET /healthz',
  'GET /healthz?y',
  'GET*GET',
  'GET /\\w+dyz',
];
const times = [
  '2024-03-05T14:07:21Z',
  '2024-03-05T14:07:21.123456789Z',
  '2024-03-05T14:07:21.987654321Z',
  '2024-03-05T14:07:21.12345678xZ',
  '2024-03-05T14:07:21.123456789+01:00',
  '2024-03-05T14:07:22.123456789+02:00',
];
const texts = [
  'GET /healthz 200',
  'GET /readyz 404',
  'GET /GET /healthz',
  'GEGET /a',
  'GET /healthy GET /a',
  'POST /healthz',
  '10.0.0.1 "GET /healthz HTTP/1.1" 200 2',
  '{"message":"GET /healthz"}',
  'é GET /a 200',
  '',
  'stdout F in the text',
  'plain text',
];

describe('line drops', () => {
  test('leave what rules leave, for random logs and any size of a read', () => {
    const seed = seedOfRun();
    const random = seededRandom(seed);
    for (let round = 0; round < 40; round++) {
      const own = Array.from({ length: 60 }, () => {
        const tag = random.pick(['F', 'F', 'F', 'F', 'P']);
        // Zeros: a power loss cut the line off there.
        const end = random.pick(['\n', '\n', '\n', '\r\n', '\0'.repeat(40)]);
        const stream = random.pick(['stdout', 'stderr']);
        const time = random.pick(times);
        return `${time} ${stream} ${tag} ${random.pick(texts)}${end}`;
      });
      const content = Buffer.concat([
        Buffer.from(own.slice(0, 30).join('')),
        generateLog(random, 10).bytes,
        Buffer.from(own.slice(30).join('')),
      ]);
      const drop = [random.pick(patterns), ...(random.oneIn(3) ? [random.pick(patterns)] : [])];
      const match = random.pick([{}, { stream: 'stderr' }]);
      const rules = [{ match, drop }];
      // A first rule with a search of its own has all lines go through the rules.
      const readBytes = random.pick([256, 1_024, 65_536]);
      const fast = drain(content, rules, { readBytes });
      const slow = drain(content, [...rules, { keep: '(?s:.*)' }], { readBytes, useKernel: false });
      const reference = drain(
        content,
        [{ match, drop: drop.map((pattern) => `(?:${pattern})|\\x{10fff0}`) }],
        { readBytes, useKernel: false },
      );
      expect(fast, `seed ${seed} round ${round}: ${drop.join()}`).toEqual(reference);
      expect(slow.entries, `seed ${seed} round ${round}`).toEqual(reference.entries);
    }
  });

  test.each([
    ['GET /healthz', 'GET /healthz', true],
    ['GET /a\\.b', 'GET /a.b', true],
    ['^GET /healthz', 'GET /healthz', false],
    ['(a|b) GET [x]{2,3}abc', ' GET ', false],
    ['colou?red', 'colo', false],
    ['ab{2}c', undefined, false],
    ['foo|bar', undefined, false],
    ['(?i)foo', undefined, false],
    ['(?:foobar)?x', undefined, false],
    ['[]a]xyz', 'xyz', false],
    ['\\x41bcd', undefined, false],
    ['abc+d', 'abc', false],
  ])('know that %s needs %s', (pattern, text, isWhole) => {
    compileRe2(pattern);
    expect(requiredText(pattern)).toEqual(text === undefined ? undefined : { text, isWhole });
  });
});
