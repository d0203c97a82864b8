import { describe, expect, test } from 'vitest';
import { loadConfig } from '../src/options/config-loader.ts';
import { limits } from '../src/config.ts';
import { parseRedaction, parseSample } from '../src/record-rule.ts';
import { checkPatterns, compilePattern } from '../src/redaction-pattern.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app' };

describe('parseRedaction()', () => {
  test('splits at the first equals sign', () => {
    const { glob, pattern } = parseRedaction('shop/*/app=key=[^ ,]{1,8} ');
    expect([glob(names), pattern]).toEqual([true, 'key=[^ ,]{1,8} ']);
  });

  test.each(['', 'shop', 'shop=', '=x', 'a/b/c/d=x', `*=${'x'.repeat(1_001)}`])(
    'refuses %j',
    (text) => {
      expect(() => parseRedaction(text)).toThrow(RangeError);
    },
  );
});

describe('parseSample()', () => {
  test.each([
    ['shop:INFO=0.25', 2, 0.25],
    ['*/*/app:emergency=.5', 8, 0.5],
    ['*:DEFAULT=0', 0, 0],
    ['*:WARNING=1', 4, 1],
  ])('reads %s', (text, severity, share) => {
    expect(parseSample(text)).toMatchObject({ severity, share });
    expect(parseSample(text).glob(names)).toBe(true);
  });

  test.each([
    '',
    'INFO=0.5',
    '*:INFO',
    '*:INFO=',
    '*:INFO=1.1',
    '*:INFO=-1',
    '*:LOUD=0',
    ':INFO=0',
  ])('refuses %j', (text) => {
    expect(() => parseSample(text)).toThrow(RangeError);
  });
});

describe('compilePattern()', () => {
  test.each(['(', 'a{2,1}', '(?=x)', '\\1', 'a*', 'x|', '$'])('refuses %j', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(RangeError);
  });

  test('and all patterns together are bounded', () => {
    expect(() => checkPatterns(['[a-z]{40}', 'key=\\S+'])).not.toThrow();
    expect(() => checkPatterns(['[a-z]{600}', '[0-9]{600}'])).toThrow(
      `${limits.redactStepsMax} steps together`,
    );
  });
});

describe('--redact', () => {
  async function load(flags: readonly string[], environment: Record<string, string> = {}) {
    const { config } = await loadConfig({ command: 'run', flags: { redact: flags }, environment });
    return config.redact;
  }

  test('takes commas as they are', async () => {
    expect(await load(['*=a{1,2}', 'shop=b, c'])).toEqual(['*=a{1,2}', 'shop=b, c']);
    const variable = { TAILSHIP_REDACT: '*=a{1,2}' };
    const { config } = await loadConfig({ command: 'run', flags: {}, environment: variable });
    expect(config.redact).toEqual(['*=a{1,2}']);
  });

  test.each([
    ['shop=(', 'redact of --redact is refused; allowed is a regular expression of RE2 ('],
    ['shop=a*', 'a pattern that matches no empty text'],
    ['shop', 'allowed is GLOB=PATTERN'],
  ])('%s says what is wrong', async (text, reason) => {
    await expect(load([text])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(reason) as string,
    });
  });
});
