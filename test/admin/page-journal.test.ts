// The journal on the page of the agent, in a real browser.

import { describe, expect, onTestFinished, test } from 'vitest';
import { startAdmin } from '../../src/admin/admin-server.ts';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import type { JournalStatus } from '../../src/journal/journal-status.ts';
import { createLog } from '../../src/log.ts';
import { until } from '../support/agent-process.ts';
import { overflows, shapes, useBrowser, whyNoBrowser } from '../support/browser.ts';
import { createScene } from './page-scene.ts';
import { sampleJournal } from './status-fixture.ts';

const nowMs = Date.UTC(2026, 10, 28, 10, 1);
/** Asks the agent at once: otherwise the page does so each ten seconds. */
const askNow = 'document.dispatchEvent(new Event("visibilitychange"))';

async function serve(): Promise<{ url: string; show: (journal?: JournalStatus) => void }> {
  const scene = createScene(nowMs);
  let status: AgentStatus = scene.status();
  const log = createLog({ level: 'error', write: () => undefined });
  const source = { ...scene, status: () => status };
  const server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log);
  onTestFinished(() => server.close());
  const show = (journal?: JournalStatus): void => {
    status = { ...scene.status(), ...(journal !== undefined && { journal }) };
  };
  return { url: `${server.url}/`, show };
}

describe.skipIf(whyNoBrowser !== '')(`the journal on the page${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test('is not there without node logs, and comes with them', async () => {
    const { url, show } = await serve();
    const page = await open(url, { ...shapes.wide, nowMs });
    await page.waitForSelector('#rows tr[data-key]');
    expect(await page.locator('#journal').isVisible()).toBe(false);
    show({ ...sampleJournal, unreadableFiles: 0, lostEntries: 0, isPersistent: true });
    await page.evaluate(askNow);
    await page.waitForSelector('#journal tbody tr');
    expect(await page.textContent('#journal p.faint')).toMatch(
      /^1,500 entries shipped · 12 entries behind, 1\.5 s · acknowledged up to \S*09:59:00\S*$/,
    );
    expect(await page.locator('#journal tbody tr').allInnerTexts()).toEqual([
      expect.stringMatching(/^docker\s+1,600\s+excluded\s+\S*10:00:00/),
      expect.stringMatching(/^kubelet\s+1,600\s+1,500\s+12\s+\S*10:00:00/),
      expect.stringMatching(/^<b>&"\s+5\s+5\s+0\s/),
    ]);
  });

  test.each(Object.entries(shapes))('says what is wrong, drawn %s', async (_name, shape) => {
    const { url, show } = await serve();
    show(sampleJournal);
    const page = await open(url, { ...shape, nowMs });
    await page.waitForSelector('#journal tbody tr');
    expect(await overflows(page)).toBe(false);
    const text = await page.textContent('#journal p.trouble');
    expect(text).toContain('1 of its files cannot be read');
    expect(text).toContain('in memory only, lost at a reboot');
    expect(text).toContain('3 entries deleted before they were read');
  });

  test('has a drawer for each log, which goes on with the answers', async () => {
    const { url, show } = await serve();
    show(sampleJournal);
    const page = await open(url, { ...shapes.wide, nowMs });
    await page.getByRole('button', { name: 'kubelet' }).click();
    const drawer = page.getByRole('dialog');
    expect(await drawer.locator('h2').innerText()).toBe('kubelet');
    const facts = async () => (await drawer.locator('.facts').innerText()).replaceAll(/\s+/g, ' ');
    expect(await facts()).toContain('Read 1,600 Shipped 1,500 Bytes as sent 900 kB On its way 12');
    expect(await facts()).toContain('Rate limit 66 kB/s Excluded no Rules healthz: drop');
    expect(await facts()).toContain('Journal behind 12 entries Journal lost 3 entries Position 7');
    const logs = sampleJournal.logs.map((log) => ({ ...log, entries: 1_777 }));
    show({ ...sampleJournal, logs });
    await page.evaluate(askNow);
    await until('it is drawn again', async () => (await facts()).includes('Shipped 1,777'));
    await page.keyboard.press('Escape');
    expect(await drawer.count()).toBe(0);
  });
});
