// Every way in which an endpoint can fail, three times in a row: nothing is lost, nothing doubled.
// An agent mostly waits to try again, so several of these tests run at once.

import { afterAll, describe, expect, test } from 'vitest';
import { startAgentProcess, stopAll, until } from '../support/agent-process.ts';
import { openScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

afterAll(stopAll);

describe('a fault of the endpoint', () => {
  test.concurrent.each([
    { mode: 'status', status: 503 },
    { mode: 'status', status: 500, after: true },
    { mode: 'status', status: 429, retryAfterSeconds: 1 },
    { mode: 'status', status: 401 },
    { mode: 'status', status: 403 },
    { mode: 'html', status: 502 },
    { mode: 'reset' },
    { mode: 'reset', after: true },
    { mode: 'halfClose' },
    { mode: 'html', status: 200 },
    { mode: 'html', status: 200, after: true },
    { mode: 'html', status: 413 },
    { mode: 'html', status: 511 },
    { mode: 'body', status: 204 },
    { mode: 'body', status: 206, body: '{}' },
    { mode: 'body', body: '{"status":"ok"}', after: true },
    { mode: 'body', body: '{}', gzip: true, after: true },
    { mode: 'cut', body: '{}', after: true },
    { mode: 'endless', body: 'x' },
    { mode: 'endless', status: 503, body: '{"a":[' },
    { mode: 'status', status: 400, reason: 'API_KEY_INVALID' },
    { mode: 'status', status: 404 },
  ] as const)('$mode $status (done first: $after) costs no line', async (fault) => {
    const { scratch, emulator, kubelet, agent: options } = await openScene(4);
    for (const pod of ['p', 'q', 'r']) {
      kubelet.startPod({ namespace: 'ns', pod, containers: [{ name: 'c', kind: 'text' }] });
    }
    const writeAll = (lines: number) => {
      for (const container of kubelet.containers) container.writeNext(lines);
    };
    const agent = startAgentProcess(options);
    writeAll(50);
    await expectExactlyOnce({ kubelet, emulator });
    await emulator.setFaults({ ...fault, times: 3 });
    // Lines before, between and after the failures.
    const { requests } = await emulator.stats();
    for (let hits = 1; hits <= 3; hits += 1) {
      writeAll(100);
      await until(
        'it has failed',
        async () => (await emulator.stats()).requests >= requests + hits,
      );
    }
    writeAll(100);
    await expectExactlyOnce({ kubelet, emulator });
    expect(await agent.stop()).toBe(0);
    await emulator.stop();
    scratch.remove();
  });
});
