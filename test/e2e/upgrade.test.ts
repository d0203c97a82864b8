// A release takes over the state directory of the one before it, and that one takes it back: no
// line is lost, and what is sent twice is the same entry. test/e2e/state-0.1 was left by 0.1 itself
// (old-node.ts).

import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { startAgentProcess, startCommand, until } from '../support/agent-process.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';
import {
  hasOldRelease,
  insertIds,
  linesAfter,
  linesBefore,
  oldNode,
  takeOldRelease,
  writeAfter,
  writeBefore,
} from './old-node.ts';

const kept = path.join(import.meta.dirname, 'state-0.1');
const containerCount = 4;

let scene: Scene;
useScene(17, (set) => (scene = set));

describe('the state directory of 0.1', () => {
  let folder: string;
  let stateDir: string;
  let oldIds: string[];

  beforeEach(() => {
    folder = path.join(scene.scratch.path, 'node');
    stateDir = path.join(scene.scratch.path, 'kept-state');
    fs.mkdirSync(stateDir);
    fs.copyFileSync(
      path.join(kept, 'checkpoints.sqlite'),
      path.join(stateDir, 'checkpoints.sqlite'),
    );
    oldIds = fs.readFileSync(path.join(kept, 'insert-ids.txt'), 'utf8').trim().split('\n');
    writeBefore(folder);
    writeAfter(folder);
  });

  async function run(directory: string): Promise<void> {
    const flags = [`--endpoint=${scene.emulator.url}`, `--state-dir=${directory}`];
    const command = startCommand([...oldNode(folder).words, ...flags]);
    expect(await command.ended, command.lines.join('\n')).toBe(0);
  }

  test('is taken over: what it had shipped is not sent again, and nothing is left out', async () => {
    await run(stateDir);
    const { entries } = await scene.emulator.stats();
    expect(entries).toBe(containerCount * linesAfter);
    const ids = await insertIds(scene.emulator.url);
    expect(ids.filter((id) => !oldIds.includes(id))).toEqual([]);
    expect(fs.readdirSync(stateDir).filter((name) => name.includes('corrupt'))).toEqual([]);
  });

  test('may be lost: every line gets the insertId that 0.1 gave it', async () => {
    await run(path.join(scene.scratch.path, 'new-state'));
    expect(await insertIds(scene.emulator.url)).toEqual(oldIds);
    expect(oldIds.length).toBe(containerCount * (linesBefore + linesAfter));
  });
});

const needed = hasOldRelease() ? '' : ' (left out: the clone has no history)';

describe.skipIf(!hasOldRelease())(`0.1 and today's agent in turns${needed}`, () => {
  let old: readonly string[];

  beforeEach(() => {
    old = takeOldRelease(path.join(scene.scratch.path, 'old'));
    for (let index = 0; index < 4; index += 1) {
      scene.kubelet.startPod({ namespace: 'ns', pod: `pod-${index}`, containers: ['c'] });
    }
  });
  afterEach(() => scene.kubelet.close());

  test('lose and double no line while lines are written and files rotate', async () => {
    const { kubelet, emulator, agent } = scene;
    const { containers } = kubelet;
    const load = { isOn: true };
    const writing = writeAtRate({
      linesPerSecond: 2_000,
      seconds: 12,
      containers: () => containers,
      rotateBytes: 200_000,
      rotateCheckMs: 1_500,
    }).finally(() => (load.isOn = false));
    // Up, down, up again: each one ends by SIGTERM, as in a rolling update, and the next follows.
    let turns = 0;
    while (load.isOn || turns < 4) {
      const isOld = turns % 2 === 0;
      const running = startAgentProcess({ ...agent, ...(isOld && { under: old }) });
      const before = (await emulator.stats()).distinctEntries;
      await until('the agent has shipped something', async () => {
        const { distinctEntries } = await emulator.stats();
        return distinctEntries > before + 500 || (!load.isOn && running.log.length > 0);
      });
      expect(await running.stop(), running.log.join('\n')).toBe(0);
      turns += 1;
    }
    expect((await writing).rotations).toBeGreaterThan(0);
    const last = startAgentProcess(agent);
    await expectExactlyOnce({ kubelet, emulator });
    expect(await last.stop()).toBe(0);
  });

  test('up: nothing that 0.1 has shipped is sent again', async () => {
    const { kubelet, emulator, agent } = scene;
    for (const container of kubelet.containers) container.writeNext(500);
    const first = startAgentProcess({ ...agent, under: old });
    await expectExactlyOnce({ kubelet, emulator });
    expect(await first.stop()).toBe(0);
    const shipped = (await emulator.stats()).entries;
    for (const container of kubelet.containers) container.writeNext(100);
    const second = startAgentProcess(agent);
    await expectExactlyOnce({ kubelet, emulator });
    expect(await second.stop()).toBe(0);
    expect((await emulator.stats()).entries).toBe(shipped + kubelet.containers.length * 100);
  });
});
