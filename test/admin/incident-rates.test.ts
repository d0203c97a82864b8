// What page, `top` and metrics say of rates and errors in the bad hour, held against what was
// written: a flood while the API throttles, an outburst of errors.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../support/agent-process.ts';
import { useBrowser, whyNoBrowser } from '../support/browser.ts';
import {
  bytesOnDisk,
  containerOf,
  metricsOf,
  startIncident,
  statusOf,
  topOf,
  topRows,
  workloadOf,
  writeSteadily,
  type Incident,
} from '../support/incident.ts';
import { useScratch } from '../support/scene.ts';

const pods = ['cart', 'checkout', 'frontend', 'ledger', 'search', 'fraud', 'mail', 'report'];
const flooder = 'checkout';

const scratch = useScratch();

/** Whether a rate is that of what `pod` writes, as its files say over the same seconds. */
async function knowsTheRate(incident: Incident, pod: string): Promise<boolean> {
  const container = containerOf(incident, pod);
  const before = { bytes: bytesOnDisk(container), atMs: performance.now() };
  const shown = (await workloadOf(incident, pod)).writtenBytes;
  const { bytesPerSecond } = await until('ten seconds were measured', async () => {
    const workload = await workloadOf(incident, pod);
    return performance.now() - before.atMs > 10_500 && workload.writtenBytes > shown
      ? workload
      : undefined;
  });
  const seconds = (performance.now() - before.atMs) / 1_000;
  const rate = (bytesOnDisk(container) - before.bytes) / seconds;
  return Math.abs(bytesPerSecond / rate - 1) < 0.05;
}

describe('a flood while the API answers 429', () => {
  const { open } = whyNoBrowser === '' ? useBrowser() : { open: undefined };

  test('is first with its true rate on the page, in top and in the metrics', async () => {
    const incident = await startIncident({
      root: scratch.path,
      pods,
      prepare: (_, emulator) => emulator.setFaults({ mode: 'status', status: 429 }),
    });
    // Another wrote much, and was shipped, before.
    const endFlood = writeSteadily(incident, flooder, 4_000);
    for (const pod of pods.slice(2)) writeSteadily(incident, pod, 20);
    await until('the API throttles', async () => {
      return (await statusOf(incident)).ship.consecutiveFailures > 0;
    });
    await until('the rate is the true one', () => knowsTheRate(incident, flooder));

    const table = await topOf(incident);
    expect(table.workloads[0]).toMatchObject({ pod: flooder, container: 'api' });
    expect((await topRows(incident))[0]).toContain(flooder);
    if (open !== undefined) {
      const page = await open(`${incident.adminUrl}/`);
      await page.waitForSelector('#rows tr[data-key]');
      const first = page.locator('#rows tr').first();
      expect(await first.getAttribute('data-key')).toBe(`shop/${flooder}/api`);
      expect(await page.textContent('#busiest strong')).toBe(flooder);
      const outputs = await page.locator('#plots .plot output').allInnerTexts();
      expect(outputs[1]).toMatch(/written \d.*shipped/);
    }

    await containerOf(incident, flooder).rotate();
    await endFlood();
    const written = bytesOnDisk(containerOf(incident, flooder));
    const series = `{namespace="shop",pod="${flooder}",container="api"}`;
    await until('all that was written is counted', async () => {
      const metrics = await metricsOf(incident);
      return metrics[`tailship_container_written_bytes_total${series}`] === written;
    });
    const during = await workloadOf(incident, flooder);
    expect(during.bytes).toBeLessThan(written);
    expect(during.costPerMonth).toBeGreaterThan(100);
    await incident.emulator.setFaults([]);
    const lines = containerOf(incident, flooder).account.lines;
    await until('all is shipped', async () => {
      return (await workloadOf(incident, flooder)).behindBytes === 0;
    });
    const after = await workloadOf(incident, flooder);
    expect(after.writtenBytes).toBe(written);
    expect(after.bytes).toBe(written);
    expect(after.writtenLines).toBe(lines);
  });
});

describe('an outburst of errors', () => {
  const { open } = whyNoBrowser === '' ? useBrowser() : { open: undefined };

  test('is red at once on the page and in top, whatever was written before', async () => {
    const incident = await startIncident({ root: scratch.path, pods });
    const quiet = containerOf(incident, 'cart');
    const info = Array.from({ length: 1_000 }, () => '{"severity":"INFO","message":"served"}');
    for (let round = 0; round < 50; round += 1) quiet.write(info);
    await until('all is shipped', async () => {
      return (await workloadOf(incident, 'cart')).entries === 50_000;
    });
    expect((await workloadOf(incident, 'cart')).errorShares[0]).toBe(0);
    const timer = setInterval(
      () => quiet.write(['{"severity":"ERROR","message":"no connection"}']),
      200,
    );
    onTestFinished(() => clearInterval(timer));

    const page = await open?.(`${incident.adminUrl}/`);
    const startMs = performance.now();
    await until('top says so', async () => / 100 /.test((await topRows(incident))[0] ?? ''));
    const seconds = (performance.now() - startMs) / 1_000;
    // Ages are of the agent's samples; a loaded machine is late.
    expect(seconds).toBeLessThan(40);
    expect((await statusOf(incident)).errorShares[0]).toBe(1);
    const metrics = await metricsOf(incident);
    const of = '{namespace="shop",pod="cart",container="api",window="1m"}';
    expect(metrics[`tailship_container_error_ratio${of}`]).toBeGreaterThan(0);
    if (page === undefined) return;
    const cell = page.locator('tr[data-key="shop/cart/api"] td.errors');
    await until('the page says so', async () => {
      return (await cell.count()) === 1 && (await cell.innerText()).startsWith('100 %');
    });
    expect(await page.textContent('#errors strong')).toBe('100 %');
    expect(await page.locator('#errors.bad').count()).toBe(1);
  });
});

describe('a guess of lines that are not read yet', () => {
  test('gives way to their count, and no counter falls by it', async () => {
    // Little of it is read at first, and its lines are much longer than usual.
    const config = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(config, 'rateLimit: [shop/cart=50000]\n');
    const flags = [`--config=${config}`];
    const incident = await startIncident({ root: scratch.path, pods: ['cart'], flags });
    const cart = containerOf(incident, 'cart');
    const text = 'x'.repeat(10_000);
    cart.write(Array.from({ length: 200 }, () => ({ text, isForeign: true })));
    const told: number[] = [];
    const readLines = async () => {
      const metrics = await metricsOf(incident);
      told.push(metrics['tailship_written_lines_total']!);
      return metrics['tailship_lines_total'];
    };
    await until('a guess is told', async () => {
      await readLines();
      return Math.max(...told) > 1_000;
    });
    writeFileSync(config, 'rateLimit: []\n');
    process.kill(incident.agent.pid, 'SIGHUP');
    await until('all is read', async () => (await readLines()) === 200);
    expect(told).toEqual(told.toSorted((left, right) => left - right));
    expect((await workloadOf(incident, 'cart')).writtenLines).toBe(200);
  });
});
