// An endpoint that takes a request and never answers: the agent's own deadline ends it, and the
// same entries are sent again. Slow because that deadline is the API's.

import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { startAgentProcess } from '../support/agent-process.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scene: Scene;
useScene(5, (set) => {
  scene = set;
});

test('a request without an answer is sent again', async () => {
  const { kubelet, emulator } = scene;
  kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b', 'c'] });
  await emulator.setFaults({ mode: 'hang', times: 2 });
  const agent = startAgentProcess(scene.agent);
  for (const container of kubelet.containers) container.writeNext(300);
  await expectExactlyOnce({ kubelet, emulator }, { withinMs: limits.shipHeadersMs + 60_000 });
  expect(agent.log.join('\n')).toContain('SHIP_TIMEOUT');
  expect(await agent.stop()).toBe(0);
});
