// The page of the agent beyond its figures: addresses that can be sent on, links, names, times, and
// what a phone sees first.

import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startAdmin } from '../../src/admin/admin-server.ts';
import type { AdminSource, AgentStatus, WorkloadStatus } from '../../src/admin/admin-source.ts';
import { createHistory } from '../../src/admin/history.ts';
import { createLog } from '../../src/log.ts';
import { until } from '../support/agent-process.ts';
import { overflows, saveScreenshot, shapes, useBrowser, whyNoBrowser } from '../support/browser.ts';
import { createScene, flooder } from './page-scene.ts';

const screenshots = path.join(import.meta.dirname, 'screenshots');
const sceneTimeMs = Date.UTC(2026, 6, 24, 8, 20);

type Scene = ReturnType<typeof createScene>;

async function serve(source: AdminSource): Promise<string> {
  const log = createLog({ level: 'error', write: () => undefined });
  const server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log);
  onTestFinished(() => server.close());
  return `${server.url}/`;
}

/** The scene, with other things in its status. */
function sceneWith(change: (status: AgentStatus) => Partial<AgentStatus>): Scene {
  const scene = createScene(sceneTimeMs);
  const status = { ...scene.status(), ...change(scene.status()) };
  return { ...scene, status: () => status };
}

/** The scene with one more workload, which is its busiest. */
function sceneWithBusiest(change: Partial<WorkloadStatus>): Scene {
  return sceneWith(({ workloads: [first, ...rest] }) => {
    if (first === undefined) throw new Error('the scene is empty');
    const busiest = { ...first, bytesPerSecond: 1e9, ...change };
    return { workloads: [busiest, first, ...rest] };
  });
}

async function untilRows(page: Page, count: number): Promise<void> {
  await until(
    `there are ${count} rows`,
    async () => (await page.locator('#rows tr[data-key]').count()) === count,
  );
}

describe.skipIf(whyNoBrowser !== '')(`the page's address${whyNoBrowser}`, () => {
  const { open } = useBrowser();
  const queryOf = (page: Page): string => new URL(page.url()).search;

  test('says what is searched, sorted by and open, and brings it back', async () => {
    const url = await serve(createScene(sceneTimeMs));
    const page = await open(url);
    await untilRows(page, 16);
    expect(queryOf(page)).toBe('');
    await page.fill('#search', 'shop web');
    await page.getByRole('button', { name: 'Lag' }).click();
    await page.getByRole('button', { name: 'Lag' }).click();
    expect(queryOf(page)).toBe('?q=shop+web&sort=lag-asc');
    await page.locator('#rows tr').first().click();
    expect(queryOf(page)).toContain('&pod=shop/frontend-6f4b8d7c5-');
    const shown = await page.locator('#detail-title').innerText();

    const other = await open(page.url());
    await untilRows(other, 2);
    expect(await other.inputValue('#search')).toBe('shop web');
    expect(await other.locator('th[aria-sort="ascending"]').innerText()).toBe('Lag');
    expect(await other.locator('#detail-title').innerText()).toBe(shown);
    await other.keyboard.press('Escape');
    await until('the address forgets it', () => !queryOf(other).includes('pod='));
    expect(queryOf(other)).toBe('?q=shop+web&sort=lag-asc');
  });

  test('may name only the pod; one that is gone is searched for', async () => {
    const url = await serve(createScene(sceneTimeMs));
    const page = await open(`${url}?pod=ledger-0`);
    await page.waitForSelector('#detail-title');
    expect(await page.locator('#detail-title').innerText()).toBe('ledger-0');
    const gone = await open(`${url}?pod=ledger-7&sort=nonsense`);
    await until('it says so', async () =>
      (await gone.locator('#rows').innerText()).includes('No workload has this in its name.'),
    );
    expect(await gone.inputValue('#search')).toBe('ledger-7');
  });
});

describe.skipIf(whyNoBrowser !== '')(`the page's drawer${whyNoBrowser}`, () => {
  const { open } = useBrowser();
  const openFlooder = async (source: AdminSource, shape = {}): Promise<Page> => {
    const url = await serve(source);
    const page = await open(`${url}?pod=${flooder}`, { ...shapes.wide, ...shape });
    await page.waitForSelector('#detail-title');
    return page;
  };

  test('links to the entries of the container, with all in its place', async () => {
    const page = await openFlooder(createScene(sceneTimeMs));
    const link = page.getByRole('link', { name: 'Its entries' });
    expect(await link.getAttribute('href')).toBe(
      'https://logs.example.com/payments/checkout-5d8f7c9b4-m7wzp/api?from=blue',
    );
    expect(await link.getAttribute('rel')).toBe('noreferrer');
  });

  test('links nowhere where the agent knows no place, or no place of the web', async () => {
    for (const logsLink of [undefined, 'javascript:alert(1)//{pod}']) {
      const page = await openFlooder(sceneWith(() => ({ logsLink })));
      expect(await page.getByRole('link', { name: 'Its entries' }).count()).toBe(0);
    }
  });

  test('copies the name, a command and its own address', async () => {
    const page = await openFlooder(createScene(sceneTimeMs));
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const copied = async (label: string): Promise<string> => {
      await page.getByRole('button', { name: label }).click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      const text = await page.evaluate('navigator.clipboard.readText()');
      await page.getByRole('button', { name: label }).waitFor();
      return String(text);
    };
    expect(await copied('Copy name')).toBe(flooder);
    expect(await copied('Copy kubectl logs')).toBe(
      'kubectl -n payments logs checkout-5d8f7c9b4-m7wzp -c api --since 15m',
    );
    expect(await copied('Copy link')).toBe(page.url());
  });

  test('copies without a clipboard, too, as on plain http', async () => {
    const page = await openFlooder(createScene(sceneTimeMs));
    await page.evaluate('Object.defineProperty(navigator, "clipboard", { value: undefined })');
    await page.evaluate(
      'document.addEventListener("copy", () => { window.copied = String(document.activeElement.value); })',
    );
    await page.getByRole('button', { name: 'Copy name' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('window.copied')).toBe(flooder);
  });

  test('puts no name into a command that a shell would read otherwise', async () => {
    const pod = 'a; rm -rf $(x)';
    const url = await serve(sceneWithBusiest({ pod }));
    const page = await open(url);
    await untilRows(page, 17);
    await page.locator('#rows tr').first().click();
    expect(await page.locator('#detail-title').innerText()).toBe(pod);
    expect(await page.getByRole('button', { name: 'Copy kubectl logs' }).count()).toBe(0);
  });

  test('plots the workload from what the page has seen of it', async () => {
    let step = 0;
    let looks = 0;
    const scene = createScene(sceneTimeMs);
    const status = scene.status();
    const source = {
      ...scene,
      status: () => {
        looks += 1;
        // A flood for a hundred seconds, between 5 kB/s before and after.
        const bytes = step * 50_000 + Math.min(10, Math.max(0, step - 9)) * 3_950_000;
        const behindSeconds = Math.max(0, Math.min(step - 9, 24 - step)) * 6;
        const workloads = status.workloads.map((workload) => ({
          ...workload,
          writtenBytes: bytes,
          // Half of it is shipped.
          bytes: bytes / 2,
          behindSeconds,
        }));
        return { ...status, version: String(looks), workloads };
      },
    };
    const page = await openFlooder(source, { nowMs: sceneTimeMs });
    expect(await page.locator('.drawer .uplot').count()).toBe(0);
    for (step = 1; step < 30; step += 1) {
      await page.clock.setFixedTime(sceneTimeMs + step * 10_000);
      const before = looks;
      // The first may have been asked before the time was set, the second was not.
      await until('the page has two answers', async () => {
        await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
        return Number(await page.textContent('#version')) >= before + 2;
      });
    }
    step -= 1;
    const output = page.locator('.drawer .plot output').first();
    await until(
      'the newest rate is told',
      async () => (await output.innerText()).trim() === 'written 5.0 kB/s shipped 2.5 kB/s',
    );
    expect(await page.locator('.drawer .plot h4').allInnerTexts()).toEqual(['Bytes', 'Lag']);
    await page.evaluate('document.getElementById("version").textContent = "0.1.0"');
    await saveScreenshot(page, { directory: screenshots, name: 'agent-detail' });
    const over = await page.locator('.drawer .u-over').first().boundingBox();
    const time = page.locator('.drawer .plot time').first();
    if (over === null) throw new Error('there is no plot');
    await page.mouse.move(over.x + over.width / 2, over.y + 10);
    await until('hovering tells the flood', async () =>
      /^written 400 kB\/s shipped 200 kB\/s 08:22:\d\d$/.test(
        `${(await output.innerText()).trim()} ${await time.innerText()}`,
      ),
    );
  });
});

describe.skipIf(whyNoBrowser !== '')(`names, times and widths${whyNoBrowser}`, () => {
  const { open } = useBrowser();
  const longPod = `a-service-whose-name-takes-all-the-room-there-is-${'x'.repeat(170)}-7d9f8b6c5-k2m4q`;

  test.each(Object.entries(shapes))(
    'show suffix and container of a long name (%s)',
    async (_, shape) => {
      const url = await serve(sceneWithBusiest({ pod: longPod, container: 'sidecar-proxy' }));
      const page = await open(url, shape);
      await untilRows(page, 17);
      expect(await overflows(page)).toBe(false);
      const row = page.locator('#rows tr').first();
      const cell = await row.locator('td').first().boundingBox();
      for (const part of ['.end', '.container']) {
        const box = await row.locator(part).boundingBox();
        if (box === null || cell === null) throw new Error(`${part} is not drawn`);
        expect(box.width).toBeGreaterThan(20);
        expect(box.x + box.width).toBeLessThanOrEqual(cell.x + cell.width);
      }
      expect(await row.locator('.end').innerText()).toMatch(/-k2m4q$/);
      expect(await page.textContent('#busiest strong')).toMatch(/^a-service.*…\S*-k2m4q$/);
    },
  );

  test('draw nothing where there is nothing to name or count', async () => {
    const url = await serve(
      sceneWithBusiest({
        namespace: '',
        pod: '',
        container: 'app.log',
        entries: 0,
        severities: {},
        files: [{ name: 'app.log', offset: 0, readOffset: 0, size: 0 }],
      }),
    );
    const page = await open(url);
    await untilRows(page, 17);
    const row = page.locator('#rows tr').first();
    expect(await row.locator('td').first().innerText()).toBe('app.log');
    expect(await row.locator('.container, .severity-bar').count()).toBe(0);
    const empty = await page
      .locator('#rows span:not(:has(*))')
      .evaluateAll((spans) => spans.filter(({ textContent }) => textContent === '').length);
    expect(empty).toBe(0);
    await row.click();
    expect(await page.locator('.files').innerText()).toContain('empty');
    expect(await page.locator('.progress').count()).toBe(0);
  });

  test('are in the zone of the browser or in UTC, as the reader says, also next time', async () => {
    const url = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shapes.wide, timezoneId: 'Asia/Tokyo' });
    await page.waitForSelector('#letters li');
    expect(await page.textContent('#zone')).toBe('Asia/Tokyo');
    expect(await page.textContent('#letters li')).toContain('2026-07-24 17:17:03');
    await page.keyboard.press('z');
    expect(await page.textContent('#zone')).toBe('UTC');
    expect(await page.textContent('#letters li')).toContain('2026-07-24 08:17:03');
    await page.reload();
    await page.waitForSelector('#letters li');
    expect(await page.textContent('#zone')).toBe('UTC');
    await page.getByRole('button', { name: 'UTC' }).click();
    expect(await page.textContent('#letters li')).toContain('17:17:03');
  });

  test.each([
    [40, 60],
    [200, 300],
    [700, 900],
  ])('plots of %i seconds take an axis of %i', async (seconds, axis) => {
    const history = createHistory();
    const sample = createScene(sceneTimeMs).history(sceneTimeMs - 5_001);
    const values = Object.entries(sample).map(([name, column]) => [name, column.at(-1) ?? 0]);
    for (let atMs = sceneTimeMs - seconds * 1e3; atMs <= sceneTimeMs; atMs += 5_000) {
      history.add({ ...(Object.fromEntries(values) as Parameters<typeof history.add>[0]), atMs });
    }
    const url = await serve({ ...createScene(sceneTimeMs), history: history.after });
    const page = await open(url, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.waitForSelector('#plots .uplot canvas');
    // The share of the plot that has data: hovering at its left end tells the first time.
    const over = await page.locator('#plots .u-over').first().boundingBox();
    if (over === null) throw new Error('there is no plot');
    const firstX = over.x + over.width * (1 - seconds / axis);
    await page.mouse.move(firstX + 1, over.y + 20);
    const first = new Date(sceneTimeMs - seconds * 1e3).toISOString().slice(11, 19);
    await until('the first sample is told', async () =>
      (await page.locator('#plots time').last().innerText()).includes(first),
    );
  });

  test('a phone has the table before the plots, others after them', async () => {
    const url = await serve(createScene(sceneTimeMs));
    const topOf = async (page: Page, selector: string): Promise<number> =>
      (await page.locator(selector).boundingBox())?.y ?? Number.NaN;
    const phone = await open(url, shapes.phone);
    await untilRows(phone, 16);
    expect(await topOf(phone, '.workloads')).toBeLessThan(await topOf(phone, '#plots'));
    await phone.getByRole('link', { name: 'Plots' }).click();
    await until('the plots are seen', async () => (await topOf(phone, '#plots')) < 844);
    const wide = await open(url, shapes.wide);
    await untilRows(wide, 16);
    expect(await topOf(wide, '#plots')).toBeLessThan(await topOf(wide, '.workloads'));
  });
});
