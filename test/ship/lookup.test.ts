// Names that resolve badly: late, never, or no more.

import type { LookupAddress } from 'node:dns';
import { expect, test, vi } from 'vitest';
import { CachedLookup } from '../../src/ship/lookup.ts';
import { makeBatch } from './fake-api.ts';
import { openApi, openShipper } from './open-shipper.ts';

const addresses: LookupAddress[] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({
  address,
  family: 4,
}));

function openLookup(resolve: () => Promise<LookupAddress[]>): {
  ask: () => Promise<string[]>;
  advance: (ms: number) => void;
  cached: CachedLookup;
} {
  let nowMs = 0;
  const cached = new CachedLookup({
    limits: { shipDnsTtlMs: 1_000, shipDnsSlowMs: 20, shipConnectMs: 40 },
    nowMs: () => nowMs,
    resolve,
  });
  const ask = (): Promise<string[]> =>
    new Promise((done, fail) => {
      cached.lookup('logging.test', { all: true }, (error, found) => {
        if (error !== null) fail(error);
        else done((found as LookupAddress[]).map(({ address }) => address));
      });
    });
  return {
    ask,
    cached,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

test('asks once per ttl, and turns over the addresses', async () => {
  const resolve = vi.fn<() => Promise<LookupAddress[]>>(() => Promise.resolve(addresses));
  const { ask, advance, cached } = openLookup(resolve);
  const [first, second] = await Promise.all([ask(), ask()]);
  expect(first).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  expect(second).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.1']);
  expect((await ask())[0]).toBe('10.0.0.3');
  expect(resolve).toHaveBeenCalledTimes(1);
  advance(1_000);
  await ask();
  expect(resolve).toHaveBeenCalledTimes(2);
  cached.expire();
  await ask();
  expect(resolve).toHaveBeenCalledTimes(3);
});

test('gives a single address to those who ask for one', async () => {
  const { cached } = openLookup(() => Promise.resolve(addresses));
  const found = await new Promise((done) => {
    cached.lookup('logging.test', {}, (_error, address, family) => done([address, family]));
  });
  expect(found).toEqual(['10.0.0.1', 4]);
});

test('uses what it knows, without end, when the resolver fails, hangs or finds nothing', async () => {
  let resolve = (): Promise<LookupAddress[]> => Promise.resolve(addresses);
  const { ask, advance } = openLookup(() => resolve());
  await ask();
  for (const sick of [
    () => Promise.reject(new Error('SERVFAIL')),
    () => Promise.resolve([]),
    () => new Promise<LookupAddress[]>(() => undefined),
  ]) {
    resolve = sick;
    advance(1_000_000);
    expect((await ask()).toSorted()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  }
});

test('one hung query is not followed by others', async () => {
  const resolve = vi.fn<() => Promise<LookupAddress[]>>(
    () => new Promise<LookupAddress[]>(() => undefined),
  );
  const { ask } = openLookup(resolve);
  const text = 'logging.test was not resolved within 0.04 s';
  await expect(Promise.all([ask(), ask()])).rejects.toThrow(text);
  await expect(ask()).rejects.toThrow(text);
  expect(resolve).toHaveBeenCalledTimes(1);
});

test('a late answer is taken when it comes', async () => {
  let answer: ((found: LookupAddress[]) => void) | undefined;
  const late = new Promise<LookupAddress[]>((done) => {
    answer = done;
  });
  const { ask } = openLookup(() => late);
  await expect(ask()).rejects.toThrow('not resolved');
  answer?.(addresses);
  expect(await ask()).toHaveLength(3);
});

test('the shipper goes on with the old address when the resolver dies', async () => {
  const api = await openApi();
  let dead = false;
  const { shipper } = await openShipper(new URL(`http://localhost:${api.port}/`), {
    connections: 1,
    limits: { shipDnsTtlMs: 0, shipDnsSlowMs: 20, shipConnectionAgeMs: 0 },
    resolve: () =>
      dead
        ? new Promise(() => undefined)
        : Promise.resolve([{ address: '127.0.0.1', family: 4 } as const]),
  });
  await shipper.ship(makeBatch(1));
  dead = true;
  for (let round = 0; round < 3; round += 1) await shipper.ship(makeBatch(1));
  expect(shipper.counters.requestsByCode).toEqual({ 200: 4 });
  expect(api.sockets.length).toBe(4);
});

test('a name that never resolved fails like any network error, and is asked for again', async () => {
  const api = await openApi();
  let asked = 0;
  const { shipper } = await openShipper(new URL(`http://localhost:${api.port}/`), {
    resolve: () => {
      asked += 1;
      if (asked < 3) return Promise.reject(new Error('queryA ESERVFAIL'));
      return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    },
  });
  expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, requests: 3 });
  expect(shipper.counters.requestsByCode).toEqual({ SHIP_UNREACHABLE: 2, 200: 1 });
  expect(shipper.counters.lastError?.text).toContain('ESERVFAIL');
});
