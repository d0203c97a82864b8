// That lines were lost is told in the log that misses them, whatever happens to the agent that
// found it out.

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { useScene, type Scene } from '../support/scene.ts';

const down = { mode: 'status', status: 503 } as const;

let scene: Scene;
useScene(3, (made) => (scene = made));

type Told = { readonly insertId: string; readonly bytes: number };

async function toldLosses(): Promise<Told[]> {
  const text = await (await fetch(`${scene.emulator.url}/emulator/entries`)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    const { insertId, severity, jsonPayload } = JSON.parse(line) as {
      insertId: string;
      severity?: string;
      jsonPayload?: { lostBytes?: number };
    };
    const { lostBytes } = jsonPayload ?? {};
    return lostBytes === undefined || severity !== 'WARNING'
      ? []
      : [{ insertId, bytes: lostBytes }];
  });
}

/** What the kubelet deletes while no agent runs, an agent finds out while the API is down. */
async function loseLines(): Promise<{ agent: AgentProcess; bytes: number }> {
  const { kubelet, emulator, agent: options } = scene;
  const pod = kubelet.startPod({ namespace: 'ns', pod: 'p', containers: ['c'] });
  const { logPath } = pod.container();
  pod.container().writeNext(10);
  const first = startAgentProcess(options);
  await until('it is read', async () => (await emulator.stats()).distinctEntries === 10);
  await emulator.setFaults(down);
  pod.container().writeNext(50);
  await until('it is tried', () => first.log.some((line) => line.includes('SHIP_UNAVAILABLE')));
  await first.kill();
  fs.unlinkSync(logPath);
  fs.writeFileSync(logPath, `${new Date().toISOString()} stdout F of the next file\n`);
  const agent = startAgentProcess(options);
  const told = await until('the loss is in its own log', () => {
    return /: (\d+) bytes: .*LINES_LOST/.exec(agent.log.join('\n')) ?? undefined;
  });
  return { agent, bytes: Number(told[1]) };
}

const noticesFile = () => path.join(scene.agent.stateDir, 'loss-notices.json');

test.each(['killed', 'stopped'])(
  'a loss is told in the log of its container, though the agent that found it is %s before it could tell',
  async (how) => {
    const { agent, bytes } = await loseLines();
    await until('it is written down', () => fs.existsSync(noticesFile()));
    await (how === 'killed' ? agent.kill() : agent.stop());
    await scene.emulator.setFaults({});
    const next = startAgentProcess(scene.agent);
    const told = await until('it is told', async () => {
      const found = await toldLosses();
      return found.length > 0 ? found : undefined;
    });
    expect(told.map((each) => each.bytes)).toEqual([bytes]);
    await until('it is forgotten', () => !fs.existsSync(noticesFile()));
    expect(await next.stop()).toBe(0);
    expect(new Set((await toldLosses()).map(({ insertId }) => insertId)).size).toBe(1);
  },
);
