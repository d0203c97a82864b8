// An endpoint that takes a request and never answers: the agent's own deadline ends it, and the same
// entries are sent again. Slow because that deadline is the API's.

import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  stopAll,
} from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

test('a request without an answer is sent again', async () => {
  const kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 5 });
  kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['a', 'b', 'c'] });
  await emulator.setFaults({ mode: 'hang', times: 2 });
  const stateDir = path.join(scratch.path, 'state');
  const agent = startAgentProcess({ kubelet, stateDir, endpoint: emulator.url });
  for (const container of kubelet.containers) container.writeNext(300);
  await expectExactlyOnce({ kubelet, emulator }, { withinMs: limits.shipHeadersMs + 60_000 });
  expect(agent.log.join('\n')).toContain('SHIP_TIMEOUT');
  expect(await agent.stop()).toBe(0);
});
