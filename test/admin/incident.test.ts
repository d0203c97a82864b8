// An incident as it happens: one pod floods, the API throttles, one entry is poison. What metrics,
// page and `top` say is held against what was written.

import { describe, expect, test } from 'vitest';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { until } from '../support/agent-process.ts';
import { entriesOf } from '../support/agent-status.ts';
import { useBrowser, whyNoBrowser } from '../support/browser.ts';
import {
  containerOf,
  get,
  metricsOf,
  startIncident,
  statusOf,
  topOf,
  type Incident,
} from '../support/incident.ts';
import { useScratch } from '../support/scene.ts';

/** Two minutes among the slow tests. */
const throttledMs = process.env['TAILSHIP_SLOW'] === '1' ? 120_000 : 4_000;
const floodLines = 20_000;
const pods = ['cart', 'checkout', 'frontend'] as const;

const scratch = useScratch();

const start = (): Promise<Incident> => startIncident({ root: scratch.path, pods });

/** The flood while the API throttles; resolves as soon as the agent has met the 429s. */
async function flood(incident: Incident): Promise<void> {
  const { kubelet, emulator } = incident;
  await emulator.setFaults([
    { mode: 'status', status: 429, forMs: throttledMs },
    { mode: 'partial', pattern: 'a poisonous line' },
  ]);
  for (const container of kubelet.containers) container.writeNext(200);
  containerOf({ kubelet }, 'cart').write(['a poisonous line']);
  for (let round = 0; round < 10; round += 1) {
    containerOf({ kubelet }, 'checkout').writeNext(floodLines / 10);
  }
  await until(
    'the API throttles',
    async () => (await statusOf(incident)).ship.consecutiveFailures > 0,
  );
}

async function isOver(incident: Incident): Promise<boolean> {
  const { behindBytes, inFlightBytes, lines } = await statusOf(incident);
  const written = accountLines(incident.kubelet.account());
  return lines >= written && behindBytes === 0 && inFlightBytes === 0;
}

describe('an incident', () => {
  test('is shown by metrics, status and top with the figures of what was written', async () => {
    const incident = await start();
    const { kubelet } = incident;
    await flood(incident);

    const during = await metricsOf(incident);
    expect(during['tailship_behind_bytes']).toBeGreaterThan(0);
    expect(during['tailship_behind_seconds']).toBeGreaterThan(0);
    expect(during['tailship_in_flight_bytes']).toBeGreaterThan(0);
    expect(during['tailship_requests_total{code="429"}']).toBeGreaterThan(0);
    expect(await get(incident, '/readyz')).toMatch(/\nok\n$/);
    expect(await get(incident, '/livez')).toBe('ok clock\nok worker\nok\n');

    const flooding = await topOf(incident);
    const first = flooding.status.workloads.toSorted((a, b) => b.behindBytes - a.behindBytes)[0];
    expect(first).toMatchObject({ namespace: 'shop', pod: 'checkout', container: 'api' });

    await until('all is shipped', () => isOver(incident), { withinMs: throttledMs * 2 + 120_000 });
    const after = await metricsOf(incident);
    const written = accountLines(kubelet.account());
    expect(written).toBe(floodLines + 3 * 200 + 1);
    const shown = await entriesOf(incident.emulator.url);
    const infos = shown.filter(({ severity }) => severity === 'INFO');
    expect(after).toMatchObject({
      tailship_lines_total: written,
      tailship_entries_total: written,
      'tailship_entries_by_severity_total{severity="INFO"}': infos.length + 1,
      'tailship_entries_by_severity_total{severity="ERROR"}': written - 1 - infos.length,
      tailship_bytes_total: kubelet.containers.reduce((sum, one) => sum + one.fileBytes, 0),
      tailship_written_bytes_total: kubelet.containers.reduce((sum, one) => sum + one.fileBytes, 0),
      tailship_behind_bytes: 0,
      tailship_behind_seconds: 0,
      tailship_in_flight_bytes: 0,
      'tailship_dead_lettered_total{reason="refused"}': 1,
      'tailship_dropped_total{reason="dead_letter_unwritten"}': 0,
      'tailship_lost_bytes_total{namespace="",pod="",container="(rest)",reason="truncated"}': 0,
    });
    for (const pod of pods) {
      const series = `{namespace="shop",pod="${pod}",container="api"}`;
      const container = containerOf({ kubelet }, pod);
      expect(after[`tailship_container_lines_total${series}`]).toBe(container.account.lines);
      expect(after[`tailship_container_bytes_total${series}`]).toBe(container.fileBytes);
    }
    await until('a checkpoint was saved', async () => {
      return (await metricsOf(incident))['tailship_checkpoint_age_seconds']! < 5;
    });
    expect((await incident.emulator.stats()).distinctEntries).toBe(written - 1);
  });

  test('is charged about what the entries weigh', async () => {
    const incident = await start();
    for (const container of incident.kubelet.containers) container.writeNext(500);
    await until('all is shipped', () => isOver(incident));
    const shown = await (await fetch(`${incident.emulator.url}/emulator/entries`)).text();
    // As protobuf, keys are a byte and quotes are none: JSON weighs about a quarter more.
    const weight = shown.length * 0.77;
    const { workloads } = await statusOf(incident);
    const charged = workloads.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0);
    expect(charged / weight).toBeGreaterThan(0.75);
    expect(charged / weight).toBeLessThan(1.33);
  });

  describe.skipIf(whyNoBrowser !== '')(`on the page${whyNoBrowser}`, () => {
    const { open } = useBrowser();

    test('is answered while it lasts, and when it is over', async () => {
      const incident = await start();
      await flood(incident);
      const page = await open(`${incident.adminUrl}/`);
      await page.waitForSelector('#rows tr[data-key]');
      expect(await page.textContent('#health')).toBe('ready, sending fails');
      expect(await page.textContent('#alarm')).toMatch(/SHIP_THROTTLED/);
      await page.keyboard.press('5'); // By what is behind.
      const first = page.locator('#rows tr').first();
      expect(await first.getAttribute('data-key')).toBe('shop/checkout/api');

      await until('all is shipped', () => isOver(incident), {
        withinMs: throttledMs * 2 + 120_000,
      });
      await until(
        'the page says so',
        async () => (await page.textContent('#behind strong')) === 'Up to date',
      );
      expect(await page.textContent('#lost strong')).toBe('1 dead letter');
      expect(await page.textContent('#health')).toBe('live and ready');
      await page.locator('tr[data-key="shop/checkout/api"]').click();
      const facts = await page.getByRole('dialog').locator('.facts').innerText();
      expect(facts.replaceAll('\n', ' ')).toContain(
        `Lines ${(floodLines + 200).toLocaleString('en')}`,
      );
      const size = containerOf(incident, 'checkout').fileBytes.toLocaleString('en');
      expect(await page.locator('.files').innerText()).toContain(`all ${size} bytes acknowledged`);
    });
  });
});
