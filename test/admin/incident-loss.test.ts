// A loss in the bad hour, traced among 300 containers: page, `top`, metrics and log say when,
// whose, how much and why.

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { until } from '../support/agent-process.ts';
import { useBrowser, whyNoBrowser } from '../support/browser.ts';
import {
  bytesOnDisk,
  containerOf,
  metricsOf,
  startIncident,
  statusOf,
  topRows,
  workloadOf,
  type Incident,
} from '../support/incident.ts';
import { useScratch } from '../support/scene.ts';

const others = Array.from({ length: 297 }, (_, index) => `pod-${index}`);
const pods = ['cart', 'checkout', 'frontend', ...others];
const { open } = whyNoBrowser === '' ? useBrowser() : { open: undefined };

const scratch = useScratch();

/** The log of `cart` is truncated in an outage; `checkout` writes what is refused. */
async function loseSome(incident: Incident): Promise<number> {
  const cart = containerOf(incident, 'cart');
  for (const container of incident.kubelet.containers) container.writeNext(2);
  for (let round = 0; round < 30; round += 1) cart.writeNext(10_000);
  const written = bytesOnDisk(cart);
  await until('the outage is met, and all that was written is seen', async () => {
    const { writtenBytes } = await workloadOf(incident, 'cart');
    return writtenBytes === written && (await statusOf(incident)).ship.consecutiveFailures > 0;
  });
  fs.truncateSync(cart.logPath, 0);
  const lostBytes = await until('the loss is noticed', async () => {
    return (await workloadOf(incident, 'cart')).lostBytes;
  });
  expect((await workloadOf(incident, 'cart')).writtenBytes).toBe(written);
  await incident.emulator.setFaults([{ mode: 'partial', pattern: 'a poisonous line' }]);
  containerOf(incident, 'checkout').write(['a poisonous line', 'a good one']);
  await until('the entry is refused', async () => {
    return (await workloadOf(incident, 'checkout')).refusedEntries === 1;
  });
  return lostBytes;
}

test('a loss is traced on the page, in top, in the metrics and in the log', async () => {
  const incident = await startIncident({
    root: scratch.path,
    pods,
    prepare: (_, emulator) => emulator.setFaults({ mode: 'status', status: 503 }),
  });
  const lostBytes = await loseSome(incident);

  const metrics = await metricsOf(incident);
  const lost = (pod: string, container: string, reason: string): number | undefined => {
    const names = `namespace="${pod === '' ? '' : 'shop'}",pod="${pod}",container="${container}"`;
    return metrics[`tailship_lost_bytes_total{${names},reason="${reason}"}`];
  };
  expect(lost('cart', 'api', 'truncated')).toBe(lostBytes);
  expect(lost('', '(rest)', 'truncated')).toBe(0);
  expect(lost('', '(rest)', 'held_bytes')).toBe(0);
  const refused = '{namespace="shop",pod="checkout",container="api"}';
  expect(metrics[`tailship_container_dead_lettered_total${refused}`]).toBe(1);

  const { losses } = await statusOf(incident);
  expect(losses).toMatchObject([
    { namespace: 'shop', pod: 'checkout', container: 'api', reason: 'refused', entries: 1 },
    { namespace: 'shop', pod: 'cart', container: 'api', reason: 'truncated', bytes: lostBytes },
  ]);
  const told = incident.agent.log.filter((line) => line.includes('LINES_LOST'));
  expect(told).toEqual([expect.stringContaining('"severity":"ERROR"')]);
  expect(told[0]).toContain(`${lostBytes} bytes: the file was truncated before it was read`);

  const rows = (await topRows(incident)).join('\n');
  expect(rows).toMatch(/ MB +shop +cart +api/);
  expect(rows).toMatch(/1 refused +shop +checkout +api/);
  await until('all is shipped', async () => (await statusOf(incident)).behindBytes === 0);
  const cart = await workloadOf(incident, 'cart');
  expect(cart.bytes + cart.lostBytes!).toBe(cart.writtenBytes);
  if (open === undefined) return;

  const page = await open(`${incident.adminUrl}/`);
  await page.waitForSelector('#losses li');
  expect(await page.locator('#health.bad').textContent()).toContain('lines lost');
  expect(await page.textContent('#alarm')).toMatch(
    /Lost at [\d:]+: \d[\d.]* MB of shop\/cart\/api: the file was truncated before it was read\./,
  );
  expect(await page.locator('#lost.bad strong').textContent()).toMatch(/ MB$/);
  expect(await page.locator('#losses li').allInnerTexts()).toEqual([
    expect.stringMatching(/shop\/checkout\/api 1 entry Cloud Logging refused it/),
    expect.stringMatching(/shop\/cart\/api [\d.]+ MB the file was truncated/),
  ]);
  for (const [pod, cell] of [
    ['cart', / MB$/],
    ['checkout', /^1 refused$/],
  ] as const) {
    const row = page.locator(`tr[data-key="shop/${pod}/api"]`);
    await until('its cell says so', async () => {
      return (await row.locator('td.errors').allInnerTexts()).some((text) => cell.test(text));
    });
    await row.click();
    const drawer = await page.getByRole('dialog').innerText();
    expect(drawer).toContain('Lost');
    expect(drawer).not.toMatch(/in Cloud Logging|all [\d,]+ bytes acknowledged/);
    await page.keyboard.press('Escape');
  }
  await page.locator('tr[data-key="shop/frontend/api"]').click();
  expect(await page.getByRole('dialog').innerText()).toContain('in Cloud Logging');
});
