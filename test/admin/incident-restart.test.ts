// A restart in the bad hour: an agent of 300 containers is killed in an outage. What the next one
// says of its backlog, of rates and of costs is held against what was written.

import { expect, test } from 'vitest';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { until } from '../support/agent-process.ts';
import { useBrowser, whyNoBrowser } from '../support/browser.ts';
import {
  bytesOnDisk,
  containerOf,
  metricsOf,
  restartAgent,
  startIncident,
  statusOf,
  topRows,
  workloadOf,
  writeSteadily,
  type Incident,
} from '../support/incident.ts';
import { useScratch } from '../support/scene.ts';

const pods = Array.from({ length: 300 }, (_, index) => `pod-${index}`);
/** Had much to say, and is silent. */
const flooder = 'pod-211';
/** Has some backlog, and goes on. */
const ledger = 'pod-17';
const watchedSeconds = 8;
const { open } = whyNoBrowser === '' ? useBrowser() : { open: undefined };

const scratch = useScratch();

function bytesWritten({ kubelet }: Incident): number {
  return kubelet.containers.reduce((sum, container) => sum + bytesOnDisk(container), 0);
}

async function isShipped(incident: Incident): Promise<boolean> {
  const { behindBytes, inFlightBytes } = await statusOf(incident);
  const { distinctEntries } = await incident.emulator.stats();
  const lines = accountLines(incident.kubelet.account());
  return behindBytes === 0 && inFlightBytes === 0 && distinctEntries === lines;
}

/** Most of what is written waits behind an outage; resolves to the bytes that wait. */
async function collectBacklog(incident: Incident): Promise<number> {
  for (const container of incident.kubelet.containers) container.writeNext(2);
  const shippedBytes = bytesWritten(incident);
  await until('the first lines are shipped', () => isShipped(incident));
  const shippedAtMs = performance.now();
  await until('their positions are saved', async () => {
    const ageSeconds = (await metricsOf(incident))['tailship_checkpoint_age_seconds']!;
    return ageSeconds * 1_000 < performance.now() - shippedAtMs;
  });
  await incident.emulator.setFaults([{ mode: 'status', status: 503 }]);
  for (const container of incident.kubelet.containers) container.writeNext(20);
  for (let round = 0; round < 10; round += 1) {
    containerOf(incident, flooder).writeNext(20_000);
    containerOf(incident, ledger).writeNext(2_000);
  }
  await until('the outage is met', async () => {
    return (await statusOf(incident)).ship.consecutiveFailures > 0;
  });
  return bytesWritten(incident) - shippedBytes;
}

/** Resolves when the cost is that of what was written since the agent watches. */
async function knowsTheCost(incident: Incident, pod: string): Promise<void> {
  await until('it was watched for a while, and its cost is right', async () => {
    const { writtenBytes, costSeconds, chargedBytes, bytes, costPerMonth } = await workloadOf(
      incident,
      pod,
    );
    if (costSeconds <= watchedSeconds) return false;
    const perSecond = (writtenBytes / costSeconds) * (chargedBytes / bytes);
    const ratio = costPerMonth / (((perSecond * 2_628_000) / 1024 ** 3) * 0.5);
    // Bytes are of now, the rest of a sample of up to five seconds ago, or more under load.
    return ratio > 0.75 && ratio < 1.34;
  });
}

test('after a restart a backlog is no flood: rates and costs are of what is written now', async () => {
  const before = await startIncident({ root: scratch.path, pods });
  const backlog = await collectBacklog(before);
  const incident = await restartAgent(before);
  await until('the backlog is seen', async () => {
    return (await statusOf(incident)).behindBytes === backlog;
  });
  expect(await statusOf(incident)).toMatchObject({ writtenBytes: 0, writtenLines: 0 });
  const told = incident.agent.log.find((line) => line.includes(' ships '));
  expect(told).toContain('ships 300 containers to');
  expect(told).toContain('300 saved positions taken up');
  const page = await open?.(`${incident.adminUrl}/`);
  await page?.waitForSelector('#rows tr[data-key]');
  expect(await page?.textContent('#busiest strong')).not.toBe(flooder);

  const start = bytesOnDisk(containerOf(incident, ledger));
  const waiting = (await workloadOf(incident, ledger)).behindBytes;
  const end = writeSteadily(incident, ledger, 35);
  await incident.emulator.setFaults([]);
  await knowsTheCost(incident, ledger);
  expect((await topRows(incident))[0]).toContain(ledger);
  if (page !== undefined) {
    await page.reload();
    await page.waitForSelector(`#rows tr:first-child[data-key="shop/${ledger}/api"]`);
    expect(await page.textContent('#busiest strong')).toBe(ledger);
  }
  await end();
  const written = bytesOnDisk(containerOf(incident, ledger)) - start;
  await until('all is shipped', () => isShipped(incident));
  const workload = await workloadOf(incident, ledger);
  expect(workload).toMatchObject({ writtenBytes: written, bytes: waiting + written });
  expect((await metricsOf(incident))['tailship_written_bytes_total']).toBe(written);
  expect(await workloadOf(incident, flooder)).toMatchObject({
    writtenBytes: 0,
    bytesPerSecond: 0,
    costPerMonth: 0,
  });
  await page?.reload();
  await page?.waitForSelector('#rows tr[data-key]');
  expect(await page?.textContent('#behind strong')).toBe(page && 'Up to date');
});
