// A real Chromium for the tests of the two pages. They are skipped where Debian's chromium is not
// installed; `apt-get install chromium` brings it.
//
// Invariant: a page that logs an error, or asks anything of another host, fails its test.

import fs from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { shrinkPng } from './small-png.ts';

const executablePath = '/usr/bin/chromium';
const screenshotBytesMax = 150_000;
/** Only then are those of the repository replaced: fonts differ between machines. */
const isRefreshing = process.env['TAILSHIP_SCREENSHOTS'] === '1';

/** Why the tests of a page are skipped; '' when they run. */
export const whyNoBrowser = fs.existsSync(executablePath)
  ? ''
  : ` (skipped: ${executablePath} is not there, install Debian's chromium)`;

export type Shape = {
  readonly width: number;
  readonly height: number;
  readonly colorScheme?: 'light' | 'dark';
  /** What the page takes for now, milliseconds since 1970. */
  readonly nowMs?: number;
  readonly timezoneId?: string;
};

/** Wide, dark and phone: what each page is looked at in. */
export const shapes = {
  wide: { width: 1440, height: 1000 },
  dark: { width: 1440, height: 1000, colorScheme: 'dark' },
  phone: { width: 390, height: 844 },
} as const satisfies Record<string, Shape>;

/** Starts one browser for the tests of a file. */
export function useBrowser(): { open: (url: string, shape?: Shape) => Promise<Page> } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (whyNoBrowser !== '') return;
    const args = [
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      '--font-render-hinting=none',
    ];
    browser = await chromium.launch({ executablePath, args });
  });
  afterAll(async () => {
    await browser?.close();
  });
  return {
    open: async (url, shape = shapes.wide) => {
      if (browser === undefined) throw new Error(`no browser${whyNoBrowser}`);
      const { width, height, colorScheme = 'light', nowMs, timezoneId = 'UTC' } = shape;
      const page = await browser.newPage({
        viewport: { width, height },
        colorScheme,
        timezoneId,
      });
      if (nowMs !== undefined) await page.clock.setFixedTime(nowMs);
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('console', (line) => {
        const isServerGone = line.text().includes('net::ERR_CONNECTION_REFUSED');
        if (line.type() === 'error' && !isServerGone) faults.push(line.text());
      });
      page.on('request', (request) => {
        const asked = new URL(request.url());
        const isOwn = asked.protocol === 'data:' || asked.origin === new URL(url).origin;
        if (!isOwn) faults.push(asked.href);
      });
      onTestFinished(async () => {
        await page.close();
        expect(faults).toEqual([]);
      });
      await page.goto(url);
      return page;
    },
  };
}

/**
 * Saves what is seen as `directory/name.png` with TAILSHIP_SCREENSHOTS=1, or when there is none,
 * and holds it to a size that a repository can keep.
 */
export async function saveScreenshot(
  page: Page,
  { directory, name, isWhole = false }: { directory: string; name: string; isWhole?: boolean },
): Promise<void> {
  fs.mkdirSync(directory, { recursive: true });
  const image = await page.screenshot({ animations: 'disabled', caret: 'hide', fullPage: isWhole });
  const small = shrinkPng(image);
  expect(small.length).toBeLessThan(screenshotBytesMax);
  const file = path.join(directory, `${name}.png`);
  if (isRefreshing || !fs.existsSync(file)) fs.writeFileSync(file, small);
}

/** Whether anything is wider than the window, so that a phone would scroll sideways. */
export async function overflows(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
}
