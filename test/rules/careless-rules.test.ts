// Whatever YAML holds under `rules`, it is rules that can be carried out or problems with a path:
// nothing throws.

import { expect, test } from 'vitest';

import { compileRules } from '../../src/rules/resolve-rules.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';
import { seededRandom, type Random } from '../encode/line-generator.ts';
import { expectStrict } from '../encode/strict-entry.ts';
import { seedOfRun } from '../support/seed.ts';

const keys = 'name match firstLine drop keep parse severity time message rename remove set redact'
  .concat(' sample labels project logName resource')
  .split(' ');
const innerKeys =
  'namespace pod container containers labels stream all pattern field severity format'
    .concat(
      ' prefix types keepField from map zone with json regex logfmt podLabel annotation default',
    )
    .concat(' a.b __proto__ constructor \ud800 ')
    .split(' ');
const texts =
  'x a.b * shop/* ( (?<a>.) \\d+ <INFO pino json regex logfmt rfc3339 %Y % stdout +02:00'
    .concat(' message integer 0.5 projects/p/logs/x .. ${a}$1 DEBUG ')
    .split(' ');
const oddTexts = [' ', '\u0000', '\ud800', 'x'.repeat(5_000)];
const circular: unknown[] = [];
circular.push(circular);
const others = [null, undefined, true, false, 0, -1, 0.5, NaN, Infinity, 1e300, 10n, circular];
const leaves: readonly unknown[] = [texts, oddTexts, others, Buffer.from('a'), new Date(0)].flat();

function value(random: Random, depth: number): unknown {
  if (depth === 0 || random.oneIn(2)) return random.pick(leaves);
  const count = random.oneIn(20) ? 300 : random.below(4);
  if (random.oneIn(2)) return Array.from({ length: count }, () => value(random, depth - 1));
  const names = Array.from({ length: Math.min(count, 5) }, () => random.pick(innerKeys));
  return Object.fromEntries(names.map((name) => [name, value(random, depth - 1)]));
}

function careless(random: Random): unknown {
  if (random.oneIn(20)) return value(random, 3);
  return Array.from({ length: 1 + random.below(2) }, () =>
    Object.fromEntries(
      Array.from({ length: 1 + random.below(3) }, () => [random.pick(keys), value(random, 3)]),
    ),
  );
}

const names = { namespace: 'shop', pod: 'x', container: 'x', labels: {}, annotations: {} };
const content =
  '2024-03-05T14:07:21Z stdout F a=1 level=warn x\n2024-03-05T14:07:21Z stderr F {"a":{"b":1}}\n';

function carryOut(written: unknown): 'refused' | 'valid' {
  const { rules, problems } = parseRules(written);
  for (const { path, text } of problems) expect(`${path} ${text}`).toMatch(/^rules\S* \S/);
  if (problems.length > 0) return 'refused';
  const { steps, firstLine } = compileRules(rules)(names);
  const files = openFiles([content]);
  const recordRule = { redact: [], shares: undefined, steps, ...(firstLine && { firstLine }) };
  const { entries } = drainHere([{ ...plainSource, recordRule, segments: files.segments() }]);
  files.close();
  for (const entry of entries) expectStrict(entry);
  return 'valid';
}

test('is rules or problems, whatever is written', () => {
  const seed = seedOfRun();
  const random = seededRandom(seed);
  const counts = { refused: 0, valid: 0 };
  for (let round = 0; round < 2_000; round += 1) {
    const written = careless(random);
    try {
      counts[carryOut(written)] += 1;
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}`, { cause: error });
    }
  }
  expect(counts.refused).toBeGreaterThan(500);
  expect(counts.valid).toBeGreaterThan(50);
});
