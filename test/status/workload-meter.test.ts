import { describe, expect, test } from 'vitest';
import type { FleetChain } from '../../src/fleet.ts';
import { createTemplate } from '../../src/encode/entry-template.ts';
import { costPerMonth, createWorkloadMeters } from '../../src/status/workload-meter.ts';

const identity = { project: 'acme', location: 'europe-west4', cluster: 'blue', node: 'node-1' };
const names = { namespace: 'shop', pod: 'cart-0', container: 'app' };

/** All of a chain that a meter looks at. */
function makeChain(): FleetChain {
  return { template: createTemplate(identity, names, '') } as FleetChain;
}

describe('createWorkloadMeters()', () => {
  test('gives the rates between the last two samples', () => {
    const meters = createWorkloadMeters(identity);
    const chain = makeChain();
    meters.sample(chain, { lines: 100, bytes: 20_000, entries: 100 }, 0);
    meters.sample(chain, { lines: 150, bytes: 30_000, entries: 150 }, 5_000);
    const totals = { lines: 170, bytes: 34_000, entries: 170 };
    expect(meters.read(chain, totals)).toMatchObject({ linesPerSecond: 10, bytesPerSecond: 2_000 });
    meters.sample(chain, totals, 15_000);
    expect(meters.read(chain, totals)).toMatchObject({ linesPerSecond: 2, bytesPerSecond: 400 });
  });

  test('charges up to now, whenever the last sample was', () => {
    const meters = createWorkloadMeters(identity);
    const chain = makeChain();
    const totals = { lines: 10, bytes: 2_000, entries: 10 };
    const { chargedBytes } = meters.read(chain, totals);
    expect(chargedBytes).toBeGreaterThan(2_000);
    meters.sample(chain, totals, 0);
    expect(meters.read(chain, totals).chargedBytes).toBe(chargedBytes);
  });

  test('follows a flood within minutes, and forgets it as slowly', () => {
    const meters = createWorkloadMeters(identity);
    const chain = makeChain();
    let lines = 0;
    const runFor = (seconds: number, linesPerSecond: number): number => {
      const startMs = lines === 0 ? 0 : atMs;
      for (let second = 5; second <= seconds; second += 5) {
        lines += 5 * linesPerSecond;
        atMs = startMs + second * 1_000;
        meters.sample(chain, { lines, bytes: lines * 200, entries: lines }, atMs);
      }
      return meters.read(chain, { lines, bytes: lines * 200, entries: lines })
        .chargedBytesPerSecond;
    };
    let atMs = 0;
    const quiet = runFor(600, 10);
    const flooded = runFor(600, 1_000);
    expect(flooded).toBeGreaterThan(quiet * 80);
    expect(flooded).toBeLessThanOrEqual(quiet * 101);
    expect(runFor(1_800, 10)).toBeLessThan(quiet * 2);
  });
});

describe('costPerMonth()', () => {
  test('is the price of 730 hours', () => {
    expect(costPerMonth(1024 ** 3 / 3_600, 0.5)).toBeCloseTo(365);
    expect(costPerMonth(0, 0.5)).toBe(0);
  });
});
