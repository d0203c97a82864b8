import { describe, expect, test } from 'vitest';
import { severityNames } from '../../src/log-severity.ts';
import type { Config } from '../../src/options/options.ts';
import { noRule, ReadingRules, type Annotations } from '../../src/tail/reading-rules.ts';
import { makeConfig } from '../support/make-config.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app' };

function ruleOf(config: Partial<Config>, annotations?: Annotations) {
  return new ReadingRules(makeConfig(config)).of(names, () => ({ annotations }));
}

describe('ReadingRules', () => {
  test('are the same for all, and ask for no annotations, where nothing is set', () => {
    const rules = new ReadingRules(makeConfig());
    const annotations = () => expect.unreachable('it asked');
    expect(rules.of(names, annotations)).toBe(noRule);
  });

  test.each([
    [{ include: ['shop'] }, false],
    [{ include: ['other', 'shop/web-*'] }, false],
    [{ include: ['other'] }, true],
    [{ exclude: ['shop/*/app'] }, true],
    [{ exclude: ['shop/*/sidecar'] }, false],
    [{ include: ['shop'], exclude: ['*/*/app'] }, true],
  ])('with %j exclude shop/web-0/app: %s', (config, isExcluded) => {
    expect(ruleOf(config).isExcluded).toBe(isExcluded);
  });

  test('take the first rate that matches', () => {
    expect(ruleOf({ rateLimit: ['shop/db-*=1Ki', 'shop=4Ki', '*=8Ki'] }).bytesPerSecond).toBe(
      4_096,
    );
  });

  const obeyed = { podAnnotations: true };

  test('obey annotations only where the operator wants it', () => {
    const annotations = { 'tailship.dev/exclude': 'true' };
    expect(ruleOf({}, annotations).isExcluded).toBe(false);
    expect(ruleOf(obeyed, annotations).isExcluded).toBe(true);
  });

  test.each([
    ['true', true],
    ['app', true],
    ['sidecar, app', true],
    ['sidecar', false],
    ['false', false],
    ['', false],
  ])('take tailship.dev/exclude: %j for %s', (value, isExcluded) => {
    expect(ruleOf(obeyed, { 'tailship.dev/exclude': value }).isExcluded).toBe(isExcluded);
  });

  test.each([
    ['true', true],
    ['false', false],
    ['yes', undefined],
  ])('take tailship.dev/join-stack-traces: %j for %s', (value, joinStackTraces) => {
    const annotations = { 'tailship.dev/join-stack-traces': value };
    expect(ruleOf(obeyed, annotations).joinStackTraces).toBe(joinStackTraces);
  });

  test.each([
    ['2Ki', 2_048],
    ['8Ki', 4_096],
    ['lots', 4_096],
    ['0', 4_096],
  ])('let tailship.dev/rate-limit: %j only lower the limit of 4Ki: %i', (value, bytesPerSecond) => {
    const config = { ...obeyed, rateLimit: ['*=4Ki'] };
    const rule = ruleOf(config, { 'tailship.dev/rate-limit': value });
    expect(rule.bytesPerSecond).toBe(bytesPerSecond);
  });
});

describe('ReadingRules about records', () => {
  /** `INFO=0.5`: the shares below 1. */
  function sharesOf(config: Partial<Config>, sample?: string): string {
    const annotations: Annotations = sample === undefined ? {} : { 'tailship.dev/sample': sample };
    const { records } = ruleOf(config, annotations);
    const texts = severityNames.map((name, index) => `${name}=${records?.shares?.[index] ?? 1}`);
    return texts.filter((text) => !text.endsWith('=1')).join(',');
  }

  test('say nothing of them where no option is meant for the container', () => {
    const config = { podAnnotations: true, redact: ['other=x'], sample: ['other:INFO=0'] };
    expect(ruleOf(config).records).toBeUndefined();
    expect(ruleOf({ sample: ['*:INFO=1'] }).records).toBeUndefined();
  });

  test('take every pattern whose glob matches, with all that follows the first equals sign', () => {
    const redact = ['shop=a=b, c', '*/db-0=no', '*/*/app=\\d+'];
    expect(ruleOf({ redact }).records).toEqual({ redact: ['a=b, c', '\\d+'], shares: undefined });
  });

  test('take for each severity the first share that matches', () => {
    const sample = ['shop/db-*:INFO=0', 'shop:INFO=0.5', '*:INFO=0.1', '*:debug=0'];
    expect(sharesOf({ sample })).toBe('DEBUG=0,INFO=0.5');
    expect(ruleOf({ sample }).records?.redact).toEqual([]);
  });

  test.each([
    ['DEBUG=0.1,INFO=0.9', 'DEBUG=0.1,INFO=0.5'],
    ['INFO=0.2', 'INFO=0.2'],
    [' info=0.2 , WARNING=0', 'INFO=0.2,WARNING=0'],
    ['INFO=2,DEBUG=x,LOUD=0,=0,ERROR', 'INFO=0.5'],
    ['', 'INFO=0.5'],
  ])('let tailship.dev/sample: %j only lower INFO=0.5: %s', (annotation, expected) => {
    const config = { podAnnotations: true, sample: ['*:INFO=0.5'] };
    expect(sharesOf(config, annotation)).toBe(expected);
    expect(sharesOf({ ...config, podAnnotations: false }, annotation)).toBe('INFO=0.5');
  });
});
