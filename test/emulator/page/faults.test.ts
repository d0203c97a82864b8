// Faults, an empty result and addresses on the page of the emulator, in a real browser.

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

async function faultsOf({ emulator }: Fixture): Promise<object[]> {
  return (await (await fetch(`${emulator.url}/emulator/faults`)).json()) as object[];
}

/** The HTTP status that a request of the agent gets now. */
async function statusOf({ emulator }: Fixture, text = 'an entry'): Promise<number> {
  const answer = await fetch(`${emulator.url}/v2/entries:write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      logName: 'projects/p/logs/stdout',
      resource: { type: 'global' },
      entries: [{ textPayload: text }],
      partialSuccess: true,
    }),
  });
  await answer.text();
  return answer.status;
}

function listOf(page: Page): Promise<string[]> {
  return page.locator('#fault-list li').allInnerTexts();
}

describe.skipIf(whyNoBrowser !== '')(`faults on the page${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test('are set, shown and ended, and hold for who sends', async () => {
    const fixture = await openEmulator();
    for (const request of sceneRequests(600)) await fixture.write(request);
    const page = await open(`${fixture.emulator.url}/`, { ...shapes.wide, nowMs: sceneTimeMs });
    await page.getByRole('button', { name: 'faults' }).click();
    await page.selectOption('#fault-kind', '429');
    await page.selectOption('#fault-for', '300000');
    await page.getByRole('button', { name: 'Go wrong' }).click();
    await page.waitForSelector('#fault-list li');
    expect(await faultsOf(fixture)).toEqual([{ mode: 'status', status: 429, forMs: 300_000 }]);
    expect(await listOf(page)).toEqual(['The emulator answers 429, for 300 s.']);
    expect(await page.textContent('#fault-pill')).toBe('1 fault');
    expect(await statusOf(fixture)).toBe(429);
    await page.waitForSelector('#entries li[data-key]');
    await saveScreenshot(page, { directory, name: 'emulator-faults' });
    await page.getByRole('button', { name: 'End all faults' }).click();
    await until('none is left', async () => (await listOf(page)).length === 0);
    expect(await faultsOf(fixture)).toEqual([]);
    expect(await statusOf(fixture)).toBe(200);
  });

  test.each([
    ['503', { mode: 'status', status: 503 }, 'answers 503'],
    ['403', { mode: 'status', status: 403 }, 'answers 403'],
    ['hang', { mode: 'hang' }, 'never answers'],
    ['reset', { mode: 'reset' }, 'cuts the connection'],
    ['lost', { mode: 'reset', after: true }, 'takes the request, loses the answer'],
    ['html', { mode: 'html' }, 'answers a page of HTML (502)'],
    ['slow', { delayMs: 2_000 }, 'answers after 2 s'],
    ['partial', { mode: 'partial' }, 'refuses entries'],
  ])('can be %s', async (kind, rule, words) => {
    const fixture = await openEmulator();
    const page = await open(`${fixture.emulator.url}/`);
    await page.locator('#fault-pill').click();
    await page.selectOption('#fault-kind', kind);
    await page.selectOption('#fault-share', '0.1');
    await page.selectOption('#fault-for', '0');
    await page.fill('#fault-pattern', 'poison');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#fault-list li');
    expect(await faultsOf(fixture)).toEqual([{ ...rule, share: 0.1, pattern: 'poison' }]);
    expect(await listOf(page)).toEqual([
      `The emulator ${words}, where an entry holds “poison”, 10% of the requests.`,
    ]);
  });

  test('are shown when somebody else set them, or they end by themselves', async () => {
    const fixture = await openEmulator();
    const page = await open(`${fixture.emulator.url}/`, shapes.phone);
    const put = (rules: object) =>
      fetch(`${fixture.emulator.url}/emulator/faults`, {
        method: 'PUT',
        body: JSON.stringify(rules),
      });
    await put([
      { mode: 'drip', times: 1 },
      { mode: 'status', on: 'token', everyNth: 3 },
    ]);
    await until('both are shown', async () => (await listOf(page)).length === 2);
    expect(await listOf(page)).toEqual([
      'The emulator answers wrongly (drip), once.',
      'The emulator answers 503, one of every 3 requests, on requests to token.',
    ]);
    await page.locator('#fault-pill').click();
    expect(await overflows(page)).toBe(false);
    await put({ mode: 'status', times: 1 });
    expect(await statusOf(fixture)).toBe(503);
    await until('it is over', async () => (await listOf(page)).length === 0);
  });
});

describe.skipIf(whyNoBrowser !== '')(`a filter that nothing matches${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test('is said, with all of it, and can be cleared', async () => {
    const fixture = await openEmulator();
    for (const request of sceneRequests(60)) await fixture.write(request);
    const page = await open(
      `${fixture.emulator.url}/?workload=shop/gone-0/app&text=nothing&severities=ERROR`,
    );
    await page.selectOption('#time', '300000');
    await until('there is nothing', async () =>
      (await page.locator('.nothing-more').allInnerTexts()).join('').includes('last 5 minutes'),
    );
    expect(await page.textContent('.nothing')).toBe('No entry matches the filter.');
    expect(await page.textContent('.nothing-more')).toBe(
      'The filter is: text “nothing” · shop/gone-0/app · ERROR · last 5 minutes Clear the filter',
    );
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await until('all are back', async () =>
      (await page.textContent('#count'))?.startsWith('60 entries of 60'),
    );
  });

  test('of an address shows the container that the page of the agent links to', async () => {
    const fixture = await openEmulator();
    for (const request of sceneRequests(600)) await fixture.write(request);
    const page = await open(`${fixture.emulator.url}/?workload=payments%2Fledger-0%2Fledger`);
    await page.waitForSelector('#entries li[data-key]');
    const names = await page.locator('.workload').allInnerTexts();
    expect(new Set(names.map((name) => name.split(/\s/)[0])).size).toBe(1);
    expect(await page.inputValue('#workload')).toBe('payments/ledger-0/ledger');
  });
});
