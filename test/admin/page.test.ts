// The page of the agent in a real browser, over made-up figures; incident.test.ts has the real
// ones.

import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AdminSource } from '../../src/admin/admin-source.ts';
import { startAdmin } from '../../src/admin/admin-server.ts';
import { createLog } from '../../src/log.ts';
import { overflows, saveScreenshot, shapes, useBrowser, whyNoBrowser } from '../support/browser.ts';
import { until } from '../support/agent-process.ts';
import { createScene, flooder } from './page-scene.ts';

const screenshots = path.join(import.meta.dirname, 'screenshots');
/** A full minute, so that the axes of the screenshots are the same at each run. */
const sceneTimeMs = Date.UTC(2026, 6, 24, 8, 20);

async function serve(source: AdminSource): Promise<{ url: string; close: () => Promise<void> }> {
  const log = createLog({ level: 'error', write: () => undefined });
  const server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log);
  onTestFinished(() => server.close());
  return { url: `${server.url}/`, close: () => server.close() };
}

describe.skipIf(whyNoBrowser !== '')(`the page${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test.each(Object.entries(shapes))('is drawn %s, and nothing is cut off', async (name, shape) => {
    const { url } = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shape, nowMs: sceneTimeMs });
    await page.waitForSelector('#rows tr[data-key]');
    await page.waitForSelector('.uplot canvas');
    expect(await overflows(page)).toBe(false);
    const isWhole = name === 'phone';
    await saveScreenshot(page, { directory: screenshots, name: `agent-${name}`, isWhole });
  });

  test('a phone shows all that it has room for, whatever the time zone is called', async () => {
    const { url } = await serve(createScene(sceneTimeMs));
    const timezoneId = 'America/Argentina/Buenos_Aires';
    const page = await open(url, { ...shapes.phone, nowMs: sceneTimeMs, timezoneId });
    await page.waitForSelector('#rows tr[data-key]');
    expect(await page.textContent('#zone')).toContain('Buenos_Aires');
    expect(await overflows(page)).toBe(false);
    for (const selector of ['#zone', '#health', '#rows td:last-child', '#head th:last-child']) {
      const box = await page.locator(selector).first().boundingBox();
      expect(box!.x + box!.width, selector).toBeLessThanOrEqual(shapes.phone.width - 12);
    }
  });

  test('nothing moves under the pointer that reads a plot', async () => {
    const { url } = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.waitForSelector('.uplot canvas');
    const bottom = async (): Promise<number> => (await page.locator('.workloads').boundingBox())!.y;
    const before = await bottom();
    for (const plot of await page.locator('#plots .plot').all()) {
      const over = (await plot.locator('.u-over').boundingBox())!;
      await page.mouse.move(over.x + over.width * 0.9, over.y + over.height / 2);
      await until('it tells a time', async () =>
        /\d\d:\d\d:\d\d/.test(await plot.locator('time').innerText()),
      );
      expect(await bottom()).toBe(before);
      const time = (await plot.locator('time').boundingBox())!;
      expect(time.x).toBeGreaterThanOrEqual(over.x);
      expect(time.x + time.width).toBeLessThanOrEqual(over.x + over.width);
    }
  });

  test('answers the questions of an incident at a glance', async () => {
    const { url } = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.waitForSelector('#rows tr[data-key]');
    const answers = await page.locator('.answers article').allInnerTexts();
    expect(answers.map((text) => text.split('\n').filter((line) => line !== '')[1])).toEqual([
      expect.stringMatching(/^Up \d/),
      '3 m 10 s',
      'checkout-5d8f7c9b4-m7wzp',
      '11 %',
      '1 dead letter',
      expect.stringMatching(/^\$\d.* a month$/),
    ]);
    expect(await page.textContent('#alarm')).toContain('SHIP_THROTTLED');
    expect(await page.textContent('#price')).toContain('gives free each month');
  });

  test('sorts by a column, turns it round, and by keys', async () => {
    const { url } = await serve(createScene(sceneTimeMs));
    const page = await open(url);
    const firstKey = () => page.locator('#rows tr').first().getAttribute('data-key');
    await page.waitForSelector('#rows tr[data-key]');
    expect(await firstKey()).toBe(flooder);
    await page.keyboard.press('1');
    expect(await firstKey()).toBe('ingress/nginx-controller-6c8d7f9b5-hr2ds/controller');
    await page.keyboard.press('1');
    expect(await firstKey()).toBe('shop/frontend-6f4b8d7c5-x7dhs/web');
    await page.getByRole('button', { name: 'Cost/month' }).click();
    expect(await firstKey()).toBe(flooder);
    await page.keyboard.press('4');
    await page.keyboard.press('4');
    expect(await firstKey()).toMatch(/report$/);
    await page.keyboard.press('4');
    expect(await firstKey()).toBe(flooder);
    const bar = page.locator('#rows tr').first().locator('.severity-bar');
    expect(await bar.getAttribute('title')).toBe(
      'CRITICAL 1.9 %, ERROR 23 %, WARNING 12 %, INFO 38 %, DEBUG 25 %',
    );
    await page.getByRole('button', { name: 'Cost/month' }).click();
    const head = page.locator('th[aria-sort]');
    expect(await head.allInnerTexts()).toEqual(['Cost/month']);
  });

  test('searches, walks and opens a workload without a mouse', async () => {
    const { url } = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.waitForSelector('#rows tr[data-key]');
    await page.keyboard.press('/');
    await page.keyboard.type('shop web');
    expect(await page.locator('#rows tr[data-key]').count()).toBe(2);
    await page.keyboard.press('Escape');
    expect(await page.locator('#rows tr[data-key]').count()).toBe(16);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    const drawer = page.getByRole('dialog');
    expect(await drawer.locator('h2').innerText()).toBe('checkout-5d8f7c9b4-m7wzp');
    expect(await drawer.locator('.files li').count()).toBe(3);
    expect(await drawer.locator('.files').innerText()).toContain(
      'acknowledged 8,912,345, read 9,961,020',
    );
    await page.keyboard.press('Escape');
    expect(await drawer.count()).toBe(0);
  });

  test('lists the newest dead letters, without content where the agent gives none', async () => {
    const scene = createScene(sceneTimeMs);
    const [letter] = scene.deadLetters?.() ?? [];
    const { url } = await serve(scene);
    const page = await open(url);
    await page.waitForSelector('#letters li');
    expect(await page.locator('#letters li').allInnerTexts()).toEqual([
      expect.stringMatching(
        /08:17:03\S* +shop\/frontend-\S+\/web INVALID_ARGUMENT 1.8 kB 1f0a3c9d2b/,
      ),
    ]);
    expect(await page.locator('#letters code').count()).toBe(0);
    const entry = '{"textPayload":"<b>secret</b>"}';
    const shown = { ...scene, deadLetters: () => [{ ...letter, reason: 'bad', entry }] as never };
    const withContent = await open((await serve(shown)).url);
    await withContent.waitForSelector('#letters code');
    expect(await withContent.locator('#letters code').allInnerTexts()).toEqual(['bad', entry]);
  });

  test('is greyed, and says since when, while the agent does not answer', async () => {
    const { url, close } = await serve(createScene(sceneTimeMs));
    const page = await open(url, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.waitForSelector('#rows tr[data-key]');
    const filterOf = (selector: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${selector}')).filter`);
    expect(await filterOf('.workloads')).toBe('none');
    await close();
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await until('the page tells', async () =>
      (await page.textContent('#alarm'))?.includes('has not answered'),
    );
    const zone = await page.textContent('#zone');
    expect(await page.textContent('#alarm')).toBe(
      `The agent has not answered since 08:20:00 ${zone} (0.0 s). Everything below is from then.`,
    );
    expect(await page.title()).toMatch(/^no answer · gke-blue/);
    for (const part of ['.answers', '.plots', '.workloads']) {
      expect(await filterOf(`main > ${part}`)).toContain('grayscale(1)');
    }
    expect(await filterOf('#alarm')).toBe('none');
    expect(await page.locator('#rows tr[data-key]').count()).toBe(16);
    await saveScreenshot(page, { directory: screenshots, name: 'agent-silent' });
  });
});
