// A pod that can write below the log root exchanges its own directory for something else, as fast
// as it can: nothing of another pod is shipped under its name.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, withAdmin } from '../support/agent-status.ts';
import type { Shown } from '../support/agent-status.ts';
import { type Scene, useScene } from '../support/scene.ts';

let emulator: Scene['emulator'];
let kubelet: Scene['kubelet'];
let agentOptions: Scene['agent'];
useScene(11, (scene) => ({ emulator, kubelet, agent: agentOptions } = scene));

/** `inside` leads into its directory, whatever lies at the path of that. */
type Own = {
  readonly pod: string;
  readonly directory: string;
  readonly inside: string;
  readonly live: number;
};

function startPod(pod: string): Own {
  const started = kubelet.startPod({ namespace: 'ns', pod, containers: ['c'] });
  const { directory, logPath } = started.container();
  const inside = `/proc/self/fd/${fs.openSync(directory, fs.constants.O_DIRECTORY)}`;
  return { pod, directory, inside, live: fs.openSync(logPath, 'a') };
}

const line = (text: string, index = 0) => {
  const seconds = String(index % 60).padStart(2, '0');
  return `2026-03-05T14:07:${seconds}.${String(index).padStart(9, '0')}Z stdout F ${text}\n`;
};

/** Texts by the pod that they were shipped for. */
async function textsOf(pod: string): Promise<string[]> {
  const entries = await entriesOf(emulator.url);
  const isOf = ({ resource }: Shown) => resource.labels['pod_name'] === pod;
  return entries.filter(isOf).map(({ textPayload = '' }) => textPayload);
}

/** Exchanges `place` and a link to `target` until it is ended; restarts' logs appear meanwhile. */
const exchange = `
  const fs = require('node:fs');
  const [place, target, inner] = process.argv.slice(1);
  const hidden = place + '.hidden';
  process.on('SIGTERM', () => { ended = true; });
  let ended = false, count = 0;
  const turn = () => {
    for (let index = 0; index < 50; index += 1) {
      fs.renameSync(place, hidden);
      fs.symlinkSync(target, place);
      fs.utimesSync(hidden + inner, count, count += 1);
      fs.unlinkSync(place);
      fs.renameSync(hidden, place);
    }
    if (ended) return;
    setImmediate(turn);
  };
  turn();
`;

test.for(['the directory of the pod', 'the directory of the container'])(
  'nothing of another pod is shipped while %s is exchanged for a link to it',
  async (what) => {
    const admin = await withAdmin();
    const [attacker, victim] = [startPod('attacker'), startPod('victim')];
    for (const { pod, live } of [attacker, victim]) fs.writeSync(live, line(`${pod} 0`));
    const agent = startAgentProcess({ ...agentOptions, flags: admin.flags });
    await until('both are read', async () => (await emulator.stats()).distinctEntries === 2);
    const isPod = what === 'the directory of the pod';
    const [place, target] = [attacker, victim].map(({ directory }) =>
      isPod ? path.dirname(directory) : directory,
    );
    const inner = isPod ? `/${path.basename(attacker.directory)}` : '';
    const attack = spawn(process.execPath, ['-e', exchange, place ?? '', target ?? '', inner]);
    const log: string[] = [];
    attack.stderr.on('data', (data: Buffer) => log.push(data.toString()));
    for (let index = 1; index <= 150; index += 1) {
      for (const { pod, inside } of [victim, attacker]) {
        fs.writeFileSync(path.join(inside, `${index}.log`), line(`${pod} ${index}`, index));
      }
      fs.writeSync(victim.live, line(`victim live ${index}`, index));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    attack.kill('SIGTERM');
    await once(attack, 'exit');
    expect(log).toEqual([]);
    fs.renameSync(place ?? '', `${place}.hidden`);
    fs.symlinkSync(target ?? '', place ?? '');
    const isTold = (each: string) => each.includes('LINK_REFUSED') && each.includes('attacker');
    await until('it is told', () => agent.log.some(isTold));
    fs.unlinkSync(place ?? '');
    fs.renameSync(`${place}.hidden`, place ?? '');
    fs.writeSync(attacker.live, line('attacker end', 999));
    await until('what the attacker writes is read again', async () =>
      (await textsOf('attacker')).includes('attacker end'),
    );
    await until('all of the victim is read', async () => {
      const texts = await textsOf('victim');
      return new Set(texts).size === 301;
    });
    expect((await textsOf('attacker')).filter((text) => !text.startsWith('attacker'))).toEqual([]);
    expect((await textsOf('victim')).filter((text) => !text.startsWith('victim'))).toEqual([]);
    expect((await admin.status())?.refusedByKind?.['path']).toBeGreaterThan(0);
    expect(await admin.probe('/livez')).toBe(200);
  },
);

test('a FIFO, a device, a link or a directory in the place of a log blocks nobody', async () => {
  const { directory, live } = startPod('odd');
  fs.writeSync(live, line('odd 0'));
  const other = startPod('other');
  execFileSync('mkfifo', [
    path.join(directory, '1.log'),
    path.join(directory, '1.log.20240305-140721'),
  ]);
  fs.symlinkSync('/dev/zero', path.join(directory, '2.log'));
  fs.mkdirSync(path.join(directory, '3.log'));
  fs.symlinkSync(fs.realpathSync(other.directory), path.join(directory, '4.log'));
  const agent = startAgentProcess(agentOptions);
  fs.writeSync(other.live, line('other 0'));
  await until('both are read', async () => (await emulator.stats()).distinctEntries === 2);
  fs.rmSync(directory, { recursive: true });
  execFileSync('mkfifo', [directory]);
  fs.writeSync(other.live, line('other 1', 1));
  await until('the other one is read on', async () => (await textsOf('other')).length === 2);
  fs.unlinkSync(directory);
  fs.symlinkSync('/dev', directory);
  fs.writeSync(other.live, line('other 2', 2));
  await until('the other one is read on', async () => (await textsOf('other')).length === 3);
  await until('it is told', () => agent.log.join('\n').includes('LINK_REFUSED'));
  expect(await textsOf('odd')).toEqual(['odd 0']);
});
