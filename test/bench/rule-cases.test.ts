// The cases of the scenario `rules` are what their names say: a rule that did nothing to its lines
// would cost nothing.

import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { ruleCases, ruleLines } from '../../bench/rule-cases.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { compileRules } from '../../src/rules/resolve-rules.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';

const names = { namespace: 's', pod: 'p', container: 'c', labels: {}, annotations: {} };
const lineCount = 20;

function drain(lines: readonly string[], rule: string) {
  const { rules, problems } = parseRules([parse(rule)]);
  expect(problems).toEqual([]);
  const { steps, firstLine, template } = compileRules(rules)(names);
  const content = lines.map((line) => `2024-03-05T14:07:21Z stdout F ${line}\n`).join('');
  const files = openFiles([content]);
  const looks = steps !== undefined || firstLine !== undefined;
  const recordRule = { redact: [], shares: undefined, steps, ...(firstLine && { firstLine }) };
  const source = { ...plainSource, ...(looks && { recordRule }), segments: files.segments() };
  const { entries, result } = drainHere([source]);
  files.close();
  return { entries, template, fastLines: result.sources[0]?.fastLines };
}

test.each(ruleCases)('$name of $lines', ({ name, lines, rule }) => {
  const lineOf = ruleLines(lines, 1);
  const written = Array.from({ length: lineCount }, (_, seq) => lineOf(seq));
  const { entries, template, fastLines } = drain(written, rule);
  const plain = drain(written, '{ labels: {} }');
  const markers = entries.map((entry) => /seq=\d{10}/.exec(entry)?.[0]);
  if (name.includes('that it drops')) {
    expect(markers).toEqual(['seq=0000000000']);
    return;
  }
  expect(markers).toEqual(written.map((line) => /seq=\d{10}/.exec(line)?.[0]));
  if (template !== undefined) expect(fastLines).toBe(lineCount);
  else if (/that it leaves/.test(name)) expect(entries).toEqual(plain.entries);
  // klog is understood without a rule, too.
  else if (/^`(?:parse: (?!klog)|severity|rename|redact` that matches)/.test(name)) {
    for (const [at, entry] of entries.entries()) expect(entry).not.toBe(plain.entries[at]);
  }
});
