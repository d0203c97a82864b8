import { describe, expect, test, vi } from 'vitest';
import { createTemplate } from '../../src/encode/entries/entry-template.ts';
import { severityIndex, severityNames, type Severity } from '../../src/log-severity.ts';
import { chargedOf, ContainerMeter, costPerMonth } from '../../src/tail/container-meter.ts';
import { RecentSums } from '../../src/tail/recent-sums.ts';

const nodeIdentity = { project: 'acme', location: 'europe-west4', cluster: 'blue', node: 'node-1' };
const names = { namespace: 'shop', pod: 'cart-0', container: 'app' };
const template = createTemplate(nodeIdentity, names, '');
const lineBytes = 200;

/** A container that writes and is read as a test says, with samples of each five seconds. */
function createContainer() {
  const meter = new ContainerMeter(0);
  const severities = severityNames.map(() => 0);
  let written = 0;
  let read = 0;
  let atMs = 0;
  const measured = () => ({
    totals: { lines: read, bytes: read * lineBytes, entries: read, severities },
    template,
    grownBytes: written * lineBytes,
  });
  return {
    meter,
    shares: () => meter.errorShares(measured(), atMs),
    runFor: (
      seconds: number,
      rates: { written: number; read?: number; severity?: Severity },
    ): ReturnType<ContainerMeter['rates']> => {
      for (let second = 5; second <= seconds; second += 5) {
        atMs += 5_000;
        written += rates.written * 5;
        const more = (rates.read ?? rates.written) * 5;
        read += more;
        meter.read({ lines: more, bytes: more * lineBytes }, 0);
        severities[severityIndex(rates.severity ?? 'INFO')]! += more;
        meter.sample(measured(), atMs);
      }
      return meter.rates({ template }, nodeIdentity);
    },
    writtenLines: () => meter.written(measured()).lines,
  };
}

describe('ContainerMeter', () => {
  test('gives the rates of what is written, whatever is shipped of it', () => {
    const { runFor, writtenLines } = createContainer();
    expect(runFor(60, { written: 10 })).toMatchObject({
      writtenBytes: 2_000,
      writtenLines: 10,
      shippedBytes: 2_000,
      shippedLines: 10,
    });
    expect(runFor(600, { written: 4_000, read: 0 })).toMatchObject({
      writtenBytes: 800_000,
      writtenLines: 4_000,
      shippedBytes: 0,
    });
    expect(runFor(60, { written: 10, read: 40_000 })).toMatchObject({
      writtenBytes: 2_000,
      writtenLines: 10,
      shippedBytes: 8_000_000,
    });
    expect(writtenLines()).toBeCloseTo(60 * 10 + 600 * 4_000 + 60 * 10);
  });

  test('costs what is written in a quarter of an hour, without a backlog', () => {
    const { runFor } = createContainer();
    const quiet = runFor(120, { written: 35 });
    expect(quiet.chargedSeconds).toBe(120);
    const charged = chargedOf(
      { lines: 1, bytes: lineBytes, entries: 1 },
      { template },
      nodeIdentity,
    );
    expect(quiet.chargedBytes).toBeCloseTo(35 * charged);
    const behind = createContainer();
    const catchingUp = behind.runFor(120, { written: 35, read: 40_000 });
    expect(catchingUp.chargedBytes / quiet.chargedBytes).toBeCloseTo(1);
  });

  test('follows a flood within minutes, and forgets it as slowly', () => {
    const { runFor } = createContainer();
    const quiet = runFor(900, { written: 10 }).chargedBytes;
    const half = runFor(450, { written: 1_000 });
    expect(half.chargedBytes / quiet).toBeCloseTo(50, -1);
    expect(half.chargedSeconds).toBe(900);
    expect(runFor(480, { written: 1_000 }).chargedBytes / quiet).toBeCloseTo(100);
    expect(runFor(930, { written: 10 }).chargedBytes / quiet).toBeCloseTo(1);
  });

  test('shows an outburst of errors at once, and what it is of a minute and more', () => {
    const { runFor, shares } = createContainer();
    expect(shares()).toEqual([null, null, null, null]);
    runFor(100, { written: 2_000 });
    expect(shares()).toEqual([0, 0, 0, 0]);
    runFor(15, { written: 10, severity: 'ERROR' });
    expect(shares()[0]).toBe(1);
    expect(shares()[1]).toBeLessThan(0.01);
    runFor(45, { written: 10, severity: 'CRITICAL' });
    expect(shares().slice(0, 2)).toEqual([1, 1]);
    expect(shares()[2]).toBeLessThan(0.01);
    // When nothing more is written, the last minute still tells.
    runFor(15, { written: 0 });
    expect(shares().slice(0, 2)).toEqual([1, 1]);
    runFor(930, { written: 0 });
    expect(shares()).toEqual([null, null, null, null]);
  });
});

test('of a container that writes nothing, nothing is computed and no row is added', () => {
  const { runFor } = createContainer();
  runFor(60, { written: 10 });
  const calls = (['add', 'since'] as const).map((name) => vi.spyOn(RecentSums.prototype, name));
  runFor(60, { written: 0 });
  // The rates at the end, from two spans.
  expect(calls.map(({ mock }) => mock.calls.length)).toEqual([0, 2]);
  vi.restoreAllMocks();
});

describe('costPerMonth()', () => {
  test('is the price of 730 hours', () => {
    expect(costPerMonth(1024 ** 3 / 3_600, 0.5)).toBeCloseTo(365);
    expect(costPerMonth(0, 0.5)).toBe(0);
  });
});
