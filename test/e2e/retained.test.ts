// What is kept of a pod when it is gone: nothing. A node's agent sees thousands of pods a day, for
// weeks.

import { expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { collectGarbage, countObjects, underMemoryProbe } from '../support/collected-agent.ts';
import { useScene, type Scene } from '../support/scene.ts';

const batchPods = 100;
const batches = 3;
const linesEach = 3;
const attempts = 3;
/** Of what it knows of the code, which runs more often: feedback, shapes, machine code. */
const ofV8 = new Set(['(hidden)', '(object shape)', '(code)']);

let scene: Scene;
useScene(14, (made) => (scene = made));

test('no object stays of pods that came, rotated and went', async () => {
  const { kubelet, emulator, scratch, agent: options } = scene;
  const admin = await withAdmin();
  const under = underMemoryProbe(scratch.path, { snapshots: true });
  const agent = startAgentProcess({ ...options, flags: admin.flags, under });
  let made = 0;
  const comeAndGo = async (): Promise<void> => {
    const pods = Array.from({ length: batchPods }, (_, index) => {
      return kubelet.startPod({ namespace: 'ns', pod: `p-${made + index}`, containers: ['c'] });
    });
    for (const pod of pods) {
      pod.container().writeNext(1);
      await pod.container().rotate();
      pod.container().writeNext(linesEach - 1);
    }
    made += pods.length;
    const lines = made * linesEach;
    await until('all is there', async () => (await emulator.stats()).distinctEntries >= lines);
    for (const pod of pods) pod.delete();
    await until('all are gone', async () => (await admin.status())?.workloads.length === 0);
  };
  const count = async () => {
    return countObjects(scratch.path, await collectGarbage(agent.pid, scratch.path));
  };
  // The first ones compile code and fill what has a bound.
  await comeAndGo();
  await comeAndGo();
  const growth = async (): Promise<object[]> => {
    const before = await count();
    for (let batch = 0; batch < batches; batch += 1) await comeAndGo();
    const after = await count();
    return (
      [...after]
        .map(([kind, number]) => ({ kind, more: number - (before.get(kind) ?? 0) }))
        // What stays of each pod is at least one object.
        .filter(({ kind, more }) => more >= 0.8 * batchPods * batches && !ofV8.has(kind))
    );
  };
  // What has a bound may grow once more, the later the slower the machine is; a leak grows always.
  let kept = await growth();
  for (let attempt = 1; attempt < attempts && kept.length > 0; attempt += 1) kept = await growth();
  expect(kept).toEqual([]);
  expect(await agent.stop()).toBe(0);
});
