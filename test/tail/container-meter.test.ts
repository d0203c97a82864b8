import { describe, expect, test } from 'vitest';
import { createTemplate } from '../../src/encode/entries/entry-template.ts';
import { ContainerMeter, costPerMonth } from '../../src/tail/container-meter.ts';

const nodeIdentity = { project: 'acme', location: 'europe-west4', cluster: 'blue', node: 'node-1' };
const names = { namespace: 'shop', pod: 'cart-0', container: 'app' };
const template = createTemplate(nodeIdentity, names, '');

function measured(lines: number, bytes: number) {
  return { totals: { lines, bytes, entries: lines }, template };
}

describe('ContainerMeter', () => {
  test('gives the rates between the last two samples', () => {
    const meter = new ContainerMeter();
    meter.sample(measured(100, 20_000), nodeIdentity, 0);
    meter.sample(measured(150, 30_000), nodeIdentity, 5_000);
    expect([meter.linesPerSecond, meter.bytesPerSecond]).toEqual([10, 2_000]);
    meter.sample(measured(170, 34_000), nodeIdentity, 15_000);
    expect([meter.linesPerSecond, meter.bytesPerSecond]).toEqual([2, 400]);
  });

  test('charges up to now, whenever the last sample was', () => {
    const meter = new ContainerMeter();
    const charged = meter.chargedBytes(measured(10, 2_000), nodeIdentity);
    expect(charged).toBeGreaterThan(2_000);
    meter.sample(measured(10, 2_000), nodeIdentity, 0);
    expect(meter.chargedBytes(measured(10, 2_000), nodeIdentity)).toBe(charged);
  });

  test('follows a flood within minutes, and forgets it as slowly', () => {
    const meter = new ContainerMeter();
    let lines = 0;
    let atMs = 0;
    const runFor = (seconds: number, linesPerSecond: number): number => {
      const startMs = atMs;
      for (let second = 5; second <= seconds; second += 5) {
        lines += 5 * linesPerSecond;
        atMs = startMs + second * 1_000;
        meter.sample(measured(lines, lines * 200), nodeIdentity, atMs);
      }
      return meter.chargedBytesPerSecond;
    };
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
