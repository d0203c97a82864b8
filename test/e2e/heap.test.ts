// V8 takes what the machine has for the measure of its heap. Where no cgroup sets a limit, the
// agent does.

import fs from 'node:fs';
import { expect, test } from 'vitest';

import { startAgentProcess, until } from '../support/agent-process.ts';
import { useScene, type Scene } from '../support/scene.ts';

let scene: Scene;
useScene(4, (made) => (scene = made));

test('the heap of an agent is bounded, in a cgroup or without', async () => {
  const { pid } = startAgentProcess(scene.agent);
  const words = () => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  // It becomes the same process again with its flags.
  await until('it runs with its flags', () => words().includes('--max-semi-space-size=1'));
  expect(words().some((word) => /^--max-old-space-size(?:-percentage=40|=128)$/.test(word))).toBe(
    true,
  );
});
