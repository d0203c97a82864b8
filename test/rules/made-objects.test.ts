// Texts that a rule makes an object of: they stay what they were, a klog line or a text to parse.

import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { compileRules } from '../../src/rules/resolve-rules.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app', labels: {}, annotations: {} };
const klog = 'E0305 14:07:21.103990    12 store.cc:88] opened';
const location = { file: 'store.cc', line: '88' };

/** The entries of lines of stdout that have rules, without time and id. */
function drain(yaml: string, ...lines: readonly string[]) {
  const { rules, problems } = parseRules(parse(yaml));
  expect(problems).toEqual([]);
  const { steps } = compileRules(rules)(names);
  const files = openFiles([
    lines.map((text) => `2024-03-05T14:07:21Z stdout F ${text}\n`).join(''),
  ]);
  const recordRule = { redact: [], shares: undefined, ...(steps !== undefined && { steps }) };
  const { entries } = drainHere([{ ...plainSource, recordRule, segments: files.segments() }]);
  files.close();
  return entries.map((text) => {
    const { textPayload, jsonPayload, severity, sourceLocation } = JSON.parse(text);
    return { payload: textPayload ?? jsonPayload, severity, sourceLocation };
  });
}

test.each([
  ['- set: { env: prod }', { pid: '12', message: 'opened', env: 'prod' }],
  ['- rename: { message: msg }', { pid: '12', msg: 'opened' }],
  ['- set: { a: b }\n- parse: klog', { pid: '12', message: 'opened', a: 'b' }],
  ["- set: { a: b }\n- drop: { severity: '<ERROR' }", { pid: '12', message: 'opened', a: 'b' }],
  ['- labels: { a: b }', { pid: '12', message: 'opened' }],
])('a klog line has its severity and place after %j', (yaml, payload) => {
  expect(drain(yaml, klog)).toEqual([{ payload, severity: 'ERROR', sourceLocation: location }]);
});

test('a text is parsed after a rule that added fields to it, an object is not', () => {
  const yaml = "- set: { env: prod }\n- parse: { regex: '^(?<method>[A-Z]+) (?<path>[^ ]+)$' }";
  expect(drain(yaml, 'GET /a', 'other', '{"message":"GET /b"}')).toMatchObject([
    { payload: { env: 'prod', method: 'GET', path: '/a' } },
    { payload: { env: 'prod', message: 'other' } },
    { payload: { env: 'prod', message: 'GET /b' } },
  ]);
});

test('a text whose message a rule has set, moved or redacted is not parsed as it was', () => {
  for (const change of [
    "set: { message: 'GET /c' }",
    'rename: { message: old }',
    "set: { a: b }\n  redact: { pattern: 'secret', with: x }",
  ]) {
    const yaml = `- ${change}\n- parse: { regex: '^(?<method>[A-Z]+) (?<path>.+)$' }`;
    expect(JSON.stringify(drain(yaml, 'GET /secret'))).not.toContain('"path":"/secret"');
  }
});
