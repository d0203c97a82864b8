import { describe, expect, test } from 'vitest';
import { parseGlob, parseRate } from '../src/container-glob.ts';
import { cpuMsOf } from './support/own-time.ts';

const names = { namespace: 'shop', pod: 'web-6d9f7c5b84-x2x4z', container: 'app' };

describe('parseGlob()', () => {
  test.each([
    ['shop', true],
    ['shop/*', true],
    ['*', true],
    ['*/*/app', true],
    ['s?op/web-*/app', true],
    ['shop/web-*-*z/a*', true],
    ['shop/web', false],
    ['sho', false],
    ['shop?', false],
    ['shop/*/sidecar', false],
    ['*op*/web-**84*x*z/*app*', true],
  ])('%s matches shop/web-6d9f7c5b84-x2x4z/app: %s', (glob, expected) => {
    expect(parseGlob(glob)(names)).toBe(expected);
  });

  test.each(['', 'a/b/c/d', 'a//c', 'a b', '[ab]', 'shop/{a,b}'])('refuses %j', (glob) => {
    expect(() => parseGlob(glob)).toThrow(RangeError);
  });

  test('needs no exponential time for many stars', () => {
    const glob = parseGlob(`*/${'a*'.repeat(60)}b`);
    const pod = 'a'.repeat(253);
    expect(cpuMsOf(() => expect(glob({ ...names, pod })).toBe(false))).toBeLessThan(1_000);
  });
});

describe('parseRate()', () => {
  test.each([
    ['shop=1024', 1_024],
    ['shop/*/app=64Ki', 65_536],
    ['*=2Mi', 2_097_152],
    ['*=5k', 5_000],
  ])('reads %s as %i bytes a second', (text, bytesPerSecond) => {
    expect(parseRate(text).bytesPerSecond).toBe(bytesPerSecond);
  });

  test.each(['shop', 'shop=', 'shop=1023', 'shop=1Gi', '=1Ki', 'shop=1Ki=2Ki', 'shop=-1Ki'])(
    'refuses %j',
    (text) => {
      expect(() => parseRate(text)).toThrow(RangeError);
    },
  );
});
