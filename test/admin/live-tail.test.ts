// The live tail of one container: as the admin server gives it, and in the drawer of the page.

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { makeScratch, stopAll, until } from '../support/agent-process.ts';
import { saveScreenshot, shapes, useBrowser, whyNoBrowser } from '../support/browser.ts';
import { containerOf, startIncident, type Incident } from '../support/incident.ts';

const show = '--admin-show-content';
const screenshots = path.join(import.meta.dirname, 'screenshots');

let scratch: ReturnType<typeof makeScratch>;

beforeEach(() => {
  scratch = makeScratch();
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

function start(...flags: string[]): Promise<Incident> {
  const rules = ['--redact=*=secret-\\d+', '--exclude=shop/vault'];
  return startIncident({ root: scratch.path, pods: ['cart', 'web'], flags: [...rules, ...flags] });
}

type Panel = { readonly lines: Record<string, unknown>[]; readonly close: () => void };

async function openPanel(incident: Incident, query: Record<string, string> = {}): Promise<Panel> {
  const names = { namespace: 'shop', pod: 'cart', container: 'api', ...query };
  const closing = new AbortController();
  const url = `${incident.adminUrl}/api/tail?${new URLSearchParams(names).toString()}`;
  const response = await fetch(url, { signal: closing.signal });
  expect(response.status, await (response.ok ? '' : response.text())).toBe(200);
  const lines: Record<string, unknown>[] = [];
  void (async () => {
    let rest = '';
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + piece).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.filter(Boolean).map((json) => JSON.parse(json) as never));
    }
  })().catch(() => undefined);
  return { lines, close: () => closing.abort() };
}

async function refusal(incident: Incident, query: string, options: RequestInit = {}) {
  const response = await fetch(`${incident.adminUrl}/api/tail?${query}`, options);
  return { status: response.status, text: await response.text() };
}

/** As they are, without a number of their own. */
function write(incident: Incident, pod: string, ...texts: string[]): void {
  containerOf(incident, pod).write(texts.map((text) => ({ text, isForeign: true })));
}

/** Writes a line until the panel has one: it begins at the end of the file, whenever that is. */
async function untilOpen(incident: Incident, { lines }: Panel, pod = 'cart'): Promise<void> {
  await until('the panel has a line', () => {
    write(incident, pod, 'a probe: timeout');
    return lines.length > 0;
  });
}

function descriptorsOf(incident: Incident): string[] {
  const directory = `/proc/${incident.agent.pid}/fd`;
  const targets = readdirSync(directory).map((fd) => {
    try {
      return readlinkSync(path.join(directory, fd));
    } catch {
      return ''; // Closed since.
    }
  });
  return targets.filter((target) => /\/0\.log$|tailship-tail-/.test(target));
}

/** Encoders, the panels' own too: node starts threads of other kinds whenever it needs them. */
function encodersOf(incident: Incident): number {
  const directory = `/proc/${incident.agent.pid}/task`;
  const names = readdirSync(directory).map((thread) => {
    try {
      return readFileSync(path.join(directory, thread, 'comm'), 'utf8').trim();
    } catch {
      return ''; // Ended since.
    }
  });
  return names.filter((name) => name === 'WorkerThread').length;
}

/** A file that is read by the agent and by a panel is open twice. */
function isOpenTwice(incident: Incident): boolean {
  const files = descriptorsOf(incident);
  return new Set(files).size < files.length;
}

/** Those of open panels: other tests have directories of such names, too. */
function ownDirectories(incident: Incident): string[] {
  const files = descriptorsOf(incident).filter((target) => target.includes('tailship-tail-'));
  return [...new Set(files.map((file) => path.dirname(file)))];
}

test('is off unless the page may show content, and says how to get it', async () => {
  const incident = await start();
  const { status, text } = await refusal(incident, 'namespace=shop&pod=cart&container=api');
  expect(status).toBe(403);
  expect(text).toContain('--admin-show-content');
});

describe('of a container', () => {
  test('gives new lines, redacted and filtered, and is closed with its reader', async () => {
    const incident = await start(show);
    write(incident, 'cart', 'long ago: timeout');
    const panel = await openPanel(incident, { filter: '(?i)timeout|error:' });
    await untilOpen(incident, panel);
    write(incident, 'web', 'timeout of another container');
    write(incident, 'cart', 'all is well', 'Error: secret-123 is no password');
    await until('the match came', () =>
      panel.lines.some(({ text }) => String(text).startsWith('Error:')),
    );
    const texts = panel.lines.map(({ text }) => text);
    expect(texts).toContain('Error: [REDACTED] is no password');
    expect(new Set(texts)).toEqual(new Set(['a probe: timeout', texts.at(-1)]));
    expect(panel.lines[0]).toMatchObject({ timestamp: expect.stringMatching(/^\d{4}-.*Z$/) });
    await until('agent and panel read the file', () => isOpenTwice(incident));
    const directories = ownDirectories(incident);
    expect(directories).toHaveLength(1);
    const encoders = encodersOf(incident);
    panel.close();
    await until('its encoder has ended', () => encodersOf(incident) === encoders - 1);
    await until('its files are closed', () => {
      return !isOpenTwice(incident) && ownDirectories(incident).length === 0;
    });
    await until('its directory is gone', () => !directories.some((each) => existsSync(each)));
  });

  test('is closed when the agent stops, and leaves nothing behind', async () => {
    const incident = await start(show);
    const panel = await openPanel(incident);
    await untilOpen(incident, panel);
    const directories = ownDirectories(incident);
    expect(directories).toHaveLength(1);
    expect(await incident.agent.stop()).toBe(0);
    expect(directories.filter((directory) => existsSync(directory))).toEqual([]);
  });

  test('shows so many lines a second, and counts the others', async () => {
    const incident = await start(show);
    const panel = await openPanel(incident);
    await untilOpen(incident, panel);
    const many = 2_000;
    write(incident, 'cart', ...Array.from({ length: many }, (_, at) => `flood ${at}`));
    const sum = (): number =>
      panel.lines.reduce((count, { skippedLines, text }) => {
        return count + Number(skippedLines ?? (String(text).startsWith('flood') ? 1 : 0));
      }, 0);
    await until('each is shown or counted', () => {
      write(incident, 'cart', 'a probe');
      return sum() >= many;
    });
    const shown = panel.lines.filter(({ text }) => String(text).startsWith('flood'));
    expect(shown.length).toBeLessThan(many);
    expect(shown.length).toBeGreaterThanOrEqual(limits.tailPanelLinesPerSecond / 2);
  });

  test('cuts what is long, and says how much', async () => {
    const incident = await start(show);
    const panel = await openPanel(incident);
    await untilOpen(incident, panel);
    write(incident, 'cart', 'x'.repeat(limits.tailPanelLineCharactersMax + 7));
    await until('it came', () => panel.lines.some(({ cutCharacters }) => cutCharacters === 7));
  });

  test('refuses what names no container, a wrong filter, and one panel too many', async () => {
    const incident = await start(show);
    const names = 'namespace=shop&pod=cart&container=api';
    for (const query of ['', 'namespace=*&pod=*&container=*', `${names}&filter=(`]) {
      expect(await refusal(incident, query)).toMatchObject({
        status: 400,
        text: expect.stringContaining('CONFIG_INVALID'),
      });
    }
    expect(await refusal(incident, names, { method: 'HEAD' })).toMatchObject({ status: 405 });
    const panels = [];
    for (let count = 0; count < limits.tailPanelsMax; count += 1) {
      panels.push(await openPanel(incident));
    }
    expect(await refusal(incident, names)).toMatchObject({
      status: 503,
      text: expect.stringContaining('already'),
    });
    panels[0]?.close();
    await until('another may open', async () => {
      const answer = await fetch(`${incident.adminUrl}/api/tail?${names}`);
      await answer.body?.cancel();
      return answer.status === 200;
    });
  });

  test('of an excluded container nothing is shown', async () => {
    const incident = await start(show);
    incident.kubelet.startPod({
      namespace: 'shop',
      pod: 'vault',
      containers: [{ name: 'api', kind: 'text' }],
    });
    const panel = await openPanel(incident, { pod: 'vault' });
    const beside = await openPanel(incident);
    // What is written before the other panel has its line was there to be shown, too.
    await until('the other panel has a line', () => {
      for (const pod of ['vault', 'cart']) write(incident, pod, 'a line');
      return beside.lines.length > 1;
    });
    expect(panel.lines).toEqual([]);
  });
});

describe.skipIf(whyNoBrowser !== '')(`in the drawer${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  test('says that it is off, and how to turn it on', async () => {
    const incident = await start();
    const page = await open(`${incident.adminUrl}/?pod=shop/cart/api`);
    await page.waitForSelector('.tail p');
    expect(await page.locator('.tail p').innerText()).toContain('--admin-show-content');
    expect(await page.locator('.tail button:visible').count()).toBe(0);
  });

  test.each(['wide', 'phone'] as const)('starts, pauses, folds, clears: %s', async (name) => {
    const incident = await start(show);
    const page = await open(`${incident.adminUrl}/?pod=shop/cart/api`, shapes[name]);
    const tail = page.locator('.tail');
    const rows = tail.locator('li');
    await tail.getByRole('button', { name: 'Start' }).click();
    await until('a line is shown', async () => {
      write(incident, 'cart', 'payment of order 4711 took 38 ms');
      return (await rows.count()) > 0;
    });
    const long = `ERROR: no answer within 3 s from ${'ledger-0.ledger.payments.svc '.repeat(30)}`;
    write(incident, 'cart', long, 'password=secret-99 was given');
    await tail.getByText('password=').waitFor();
    expect(await tail.innerText()).toContain('password=[REDACTED] was given');
    const folded = tail.locator('code', { hasText: 'no answer' });
    const heightOf = async () => (await folded.boundingBox())?.height ?? 0;
    const low = await heightOf();
    await saveScreenshot(page, { directory: screenshots, name: `tail-${name}` });
    await folded.click();
    expect(await heightOf()).toBeGreaterThan(low * 1.5);

    await tail.getByRole('button', { name: 'Pause' }).click();
    const count = await rows.count();
    write(incident, 'cart', 'written in a pause');
    await tail.getByRole('button', { name: /^Go on \([1-9]/ }).waitFor();
    expect(await rows.count()).toBe(count);
    await tail.getByRole('button', { name: /^Go on/ }).click();
    await tail.getByText('written in a pause').waitFor();
    await tail.getByRole('button', { name: 'Clear' }).click();
    expect(await rows.count()).toBe(0);
    const encoders = encodersOf(incident);
    await page.keyboard.press('Escape');
    await until('it is closed with the drawer', () => encodersOf(incident) === encoders - 1);
  });
});
