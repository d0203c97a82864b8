// The rules of a container on the page of a running agent, in a real browser: what `rules explain`
// says, and what a reload makes of it.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { overflows, shapes, useBrowser, whyNoBrowser } from '../support/browser.ts';
import { useScene, type Scene } from '../support/scene.ts';

let scene: Scene;
useScene(17, (made) => (scene = made));

const rules = `
rules:
  - name: health
    match: 'shop/*/*'
    drop: 'GET /healthz'
  - match: { containers: ['shop/web-*', 'data/x*'], stream: stderr }
    parse: logfmt
    severity: { from: level, map: pino }
    labels: { team: core }
  - match: 'pay/*/*'
    set: { a: b }
`;

/** Asks the agent at once: otherwise the page does so each ten seconds. */
const askNow = 'document.dispatchEvent(new Event("visibilitychange"))';

describe.skipIf(whyNoBrowser !== '')(`the rules on the page${whyNoBrowser}`, () => {
  const { open } = useBrowser();

  async function startAgent(yaml: string) {
    const { kubelet, agent, scratch } = scene;
    for (const [namespace, pod] of [
      ['shop', 'web-0'],
      ['data', 'db-0'],
    ] as const) {
      kubelet
        .startPod({ namespace, pod, containers: ['app'] })
        .container()
        .write(['a line']);
    }
    const config = path.join(scratch.path, 'tailship.yaml');
    writeFileSync(config, yaml);
    const admin = await withAdmin();
    const flags = [`--config=${config}`, ...admin.flags];
    const { pid } = startAgentProcess({ ...agent, flags });
    await until('both are read', async () => (await admin.status())?.lines === 2);
    const address = admin.flags[0]?.replace('--admin-address=', '');
    const reload = async (changed: string) => {
      writeFileSync(config, changed);
      process.kill(pid, 'SIGHUP');
      await until(
        'it is taken over',
        async () => ((await admin.status())?.configReloads.accepted ?? 0) > 0,
      );
    };
    return { url: `http://${address}/`, reload };
  }

  test.each(['wide', 'phone'] as const)('are in its drawer, drawn %s', async (name) => {
    const { url } = await startAgent(rules);
    const page = await open(`${url}?pod=shop/web-0`, shapes[name]);
    const drawer = page.getByRole('dialog');
    await drawer.locator('.rules li').first().waitFor();
    const rows = await drawer
      .locator('.rules li')
      .evaluateAll((items) =>
        items.map((item) => [...item.children].map(({ textContent }) => textContent)),
      );
    expect(rows).toEqual([
      ['health', 'drop', 'shop/*/*'],
      ['2', 'parse, severity, labels', 'shop/web-*, data/x*, stderr'],
    ]);
    expect(await drawer.locator('h3').allInnerTexts()).toContain('Rules');
    expect(await overflows(page)).toBe(false);
  });

  test('are not mentioned where there are none, and follow a reload', async () => {
    const { url, reload } = await startAgent(rules);
    const page = await open(`${url}?pod=data/db-0`);
    const drawer = page.getByRole('dialog');
    await drawer.locator('.facts').waitFor();
    expect(await drawer.locator('.rules').count()).toBe(0);
    await reload("rules: [{ name: all, redact: 'x+' }]");
    await page.evaluate(askNow);
    await until('the rule is shown', async () => {
      return (await drawer.locator('.rules li').allInnerTexts()).join().includes('all');
    });
    expect(await drawer.locator('.rules li').allTextContents()).toEqual([
      'allredactall containers',
    ]);
  });
});
