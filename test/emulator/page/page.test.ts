// The page of the emulator in a real browser.

import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { until } from '../../support/agent-process.ts';
import {
  overflows,
  saveScreenshot,
  shapes,
  useBrowser,
  whyNoBrowser,
} from '../../support/browser.ts';
import { openEmulator, type Fixture } from '../emulator-fixture.ts';
import { sceneRequests, sceneTimeMs } from './scene.ts';

const directory = path.resolve(import.meta.dirname, '../../admin/screenshots');

async function openScene(count = 1_800): Promise<Fixture> {
  const fixture = await openEmulator();
  for (const request of sceneRequests(count)) await fixture.write(request);
  return fixture;
}

function countOf(page: Page): Promise<number> {
  return page.locator('#entries > li[data-key]').count();
}

/** Waits until the line above the entries begins with this. */
async function untilCount(page: Page, text: string): Promise<void> {
  await until(`${text} are found`, async () =>
    (await page.textContent('#count'))?.startsWith(text),
  );
}

describe.skipIf(whyNoBrowser !== '')(`the page of the emulator${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test.each(Object.entries(shapes))('is drawn %s, and nothing is cut off', async (name, shape) => {
    const { emulator } = await openScene();
    const page = await open(`${emulator.url}/`, { ...shape, nowMs: sceneTimeMs });
    await untilCount(page, '1,800 entries');
    await page.locator('.entry', { hasText: 'order placed' }).first().click();
    await page.waitForSelector('.json');
    await page.mouse.move(0, 0);
    expect(await overflows(page)).toBe(false);
    await saveScreenshot(page, { directory, name: `emulator-${name}` });
  });

  test('filters by severity, workload and text, and says how many there are', async () => {
    const { emulator } = await openScene(600);
    const page = await open(`${emulator.url}/`);
    await untilCount(page, '600 entries');
    await page.locator('.chips .ERROR').click();
    await until('only errors are shown', async () =>
      (await page.locator('.severity').allInnerTexts()).every((text) => text === 'ERROR'),
    );
    expect(await countOf(page)).toBe(Number(await page.locator('.chips .ERROR b').innerText()));
    await page.keyboard.press('/');
    await page.keyboard.type('no such text');
    await untilCount(page, '0 entries');
    expect(await page.textContent('.nothing')).toBe('No entry matches the filter.');
    await page.keyboard.press('Escape');
    await page.locator('.chips .ERROR').click();
    await untilCount(page, '600 entries');
    await page.selectOption('#workload', 'payments/ledger-0/ledger');
    await until('only the ledger is shown', async () =>
      (await page.locator('.workload').allInnerTexts()).every((text) =>
        text.startsWith('ledger-0'),
      ),
    );
  });

  test('shows an entry as its JSON, and keeps it open while others arrive', async () => {
    const { emulator, write } = await openScene(40);
    const page = await open(`${emulator.url}/`);
    await untilCount(page, '40 entries');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    const shown = JSON.parse(await page.locator('.json').innerText()) as { insertId: string };
    expect(shown.insertId).toMatch(/^[0-9a-z]{8}$/);
    await write({ entries: [{ textPayload: 'a late one', insertId: 'late' }] });
    await untilCount(page, '41 entries');
    expect(await page.locator('.text').first().innerText()).toBe('a late one');
    expect(JSON.parse(await page.locator('.json').innerText())).toEqual(shown);
  });

  test('does not move when the tail is stopped, and counts what is new', async () => {
    const { emulator, write } = await openScene(10);
    const page = await open(`${emulator.url}/`);
    await untilCount(page, '10 entries');
    await page.keyboard.press('Space');
    await write({ entries: [{ textPayload: 'a late one', insertId: 'late' }] });
    await page.getByRole('button', { name: '1 new' }).waitFor();
    expect(await countOf(page)).toBe(10);
    await page.getByRole('button', { name: '1 new' }).click();
    await untilCount(page, '11 entries');
  });

  test('takes a stretch of time from the histogram, and gives it back', async () => {
    const { emulator } = await openScene(600);
    const page = await open(`${emulator.url}/`);
    await untilCount(page, '600 entries');
    const box = await page.locator('#histogram').boundingBox();
    if (box === null) throw new Error('there is no histogram');
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 20);
    await page.mouse.up();
    await page.waitForSelector('#range:not([hidden])');
    const found = Number((await page.textContent('#count'))?.split(' ')[0]);
    expect(found).toBeGreaterThan(100);
    expect(found).toBeLessThan(250);
    await page.locator('#range').click();
    await untilCount(page, '600 entries');
  });

  test('runs no markup that an entry brings', async () => {
    const { emulator, write } = await openEmulator();
    const text = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await write({ entries: [{ textPayload: text, insertId: 'x', labels: { '<b>': text } }] });
    const page = await open(`${emulator.url}/`);
    await untilCount(page, '1 entry');
    await page.locator('.entry').click();
    expect(await page.locator('.text').innerText()).toBe(text);
    expect(await page.title()).toBe('Entries · tailship emulator');
    expect(await page.locator('#entries img, #entries script').count()).toBe(0);
  });
});
