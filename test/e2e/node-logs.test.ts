// The node's journal, written by systemd's own writer, arrives as GKE's agent would have sent it:
// each entry once, whatever happens to the agent or the files.

import { renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import {
  hasSystemd,
  journalctl,
  journalPath,
  JournalWriter,
  kubeletEntries,
  writeJournal,
} from '../support/journal-writer.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { seedOfRun } from '../support/seed.ts';

type Shipped = {
  readonly logName: string;
  readonly insertId: string;
  readonly timestamp: string;
  readonly severity?: string;
  readonly labels?: object;
  readonly resource: object;
  readonly sourceLocation?: object;
  readonly jsonPayload: Readonly<Record<string, unknown>>;
};

let scene: Scene;
useScene(7, (given) => (scene = given));

function agentOf(...flags: string[]): Scene['agent'] {
  const dirs = [journalDir(), path.join(scene.scratch.path, 'run-journal')];
  const journalFlags = dirs.map((directory) => `--journal-dir=${directory}`);
  return { ...scene.agent, flags: ['--node-logs=auto', ...journalFlags, ...flags] };
}

function journalDir(): string {
  return path.join(scene.scratch.path, 'journal');
}

async function shipped(): Promise<Shipped[]> {
  const answer = await fetch(`${scene.emulator.url}/emulator/entries`);
  const text = (await answer.text()).trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Shipped);
}

async function messages(): Promise<string[]> {
  return (await shipped()).map(({ jsonPayload }) => String(jsonPayload['MESSAGE']));
}

/** Waits until `count` entries have come, and expects these messages, each once and in order. */
async function expectMessages(expected: readonly string[]): Promise<void> {
  await until('every entry came', async () => {
    const { distinctEntries } = await scene.emulator.stats();
    return distinctEntries >= expected.length;
  });
  expect(await messages()).toEqual(expected);
}

function lines(count: number, from = 0): string[] {
  return kubeletEntries(count, from).map(({ message }) => message);
}

/**
 * Files that do not exist yet are made by the container's first pod: the agent needs a directory.
 */
function startNode(): void {
  scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
}

describe.skipIf(!hasSystemd)('node logs', () => {
  test.each([true, false])(
    'every field is what journalctl shows; compact: %s',
    async (isCompact) => {
      startNode();
      const file = journalPath(journalDir());
      const units = [
        'kubelet.service',
        'containerd.service',
        'docker.service',
        'ssh.service',
        undefined,
      ];
      const entries = Array.from({ length: 500 }, (_, index) => ({
        message: `line ${index} "ü" ${'x'.repeat(index % 9 === 0 ? 700 : 3)}`,
        ...(units[index % 5] !== undefined && { unit: units[index % 5]! }),
        atMicros: Date.now() * 1_000 - 1_000_000 + index,
        fields: {
          _PID: String(index % 7),
          PRIORITY: String(index % 8),
          CODE_FILE: 'a.c',
          CODE_LINE: '7',
        },
      }));
      writeJournal(file, entries, { isCompact });
      const flags = ['--node-journal', '--node-severity=priority'];
      const { code, stderr } = await runOnce(agentOf(...flags));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const arrived = await shipped();
      const expected = journalctl(file);
      expect(arrived).toHaveLength(500);
      for (const [index, entry] of arrived.entries()) {
        const shown = Object.entries(expected[index] ?? {}).filter(
          ([name]) => !name.startsWith('__'),
        );
        expect(entry.jsonPayload).toEqual(Object.fromEntries(shown));
        const micros = Number(expected[index]?.['__REALTIME_TIMESTAMP']);
        expect(Date.parse(entry.timestamp)).toBe(Math.floor(micros / 1_000));
        expect(entry.labels).toBeUndefined();
        const log = ['kubelet', 'container-runtime', 'docker', 'node-journal', 'node-journal'][
          index % 5
        ];
        expect(entry.logName).toBe(`projects/acme-logs-42/logs/${log}`);
      }
      expect(arrived[0]?.resource).toEqual({
        type: 'k8s_node',
        labels: {
          project_id: 'acme-logs-42',
          location: 'europe-west4',
          cluster_name: 'blue',
          node_name: 'gke-blue-pool-1-7f3a',
        },
      });
      expect(arrived[3]).toMatchObject({
        severity: 'ERROR',
        sourceLocation: { file: 'a.c', line: '7' },
      });
    },
  );

  test('only the named units are shipped, without a severity, unless all is asked for', async () => {
    startNode();
    const others = [{ message: 'a' }, { message: 'b', unit: 'ssh.service' }];
    const own = { message: 'c', unit: 'my-agent.service' };
    writeJournal(journalPath(journalDir()), [...others, own, ...kubeletEntries(1)]);
    await runOnce(agentOf());
    expect(await messages()).toEqual(['line 0']);
    expect((await shipped())[0]?.severity ?? 'DEFAULT').toBe('DEFAULT');
    await runOnce({
      ...agentOf('--node-units=my-*'),
      stateDir: path.join(scene.scratch.path, 's2'),
    });
    expect(await messages()).toEqual(['c', 'line 0']);
  });

  test('the rules for containers hold under the name _node/NODE/journal', async () => {
    startNode();
    const secret = { message: 'token=abc "x"', unit: 'kubelet.service' };
    const debug = { ...secret, message: 'debug', fields: { PRIORITY: '7' } };
    writeJournal(journalPath(journalDir()), [secret, debug]);
    const flags = ['--redact=*=token=[a-z]+', '--sample=_node/*/journal:DEBUG=0'];
    await runOnce(agentOf('--node-severity=priority', ...flags));
    expect(await messages()).toEqual(['[REDACTED] "x"']);
    const again = { ...agentOf('--exclude=_node/*/journal'), stateDir: `${scene.scratch.path}/2` };
    await runOnce(again);
    expect(await messages()).toHaveLength(1);
  });

  test('an entry that is larger than the API takes loses the ends of its longest fields', async () => {
    startNode();
    const long = { message: 'm'.repeat(300_000), unit: 'kubelet.service', fields: { _PID: '7' } };
    writeJournal(journalPath(journalDir()), [...kubeletEntries(1), long, ...kubeletEntries(1, 1)]);
    const { code, stderr } = await runOnce(agentOf());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [first, cut, last, ...more] = (await shipped()).map(({ jsonPayload }) => jsonPayload);
    expect(more).toEqual([]);
    expect([first?.['MESSAGE'], last?.['MESSAGE']]).toEqual(lines(2));
    expect(cut?.['_PID']).toBe('7');
    const { length } = String(cut?.['MESSAGE']);
    expect(length).toBeGreaterThan(100_000);
    expect(length).toBeLessThan(262_144);
  });

  test('a first start begins at the end, or with the last boot where that is asked for', async () => {
    startNode();
    const file = journalPath(journalDir());
    const old = kubeletEntries(20).map((entry) => ({ ...entry, boot: 'a'.repeat(32) }));
    writeJournal(file, [...old, ...kubeletEntries(20, 20)]);
    const asked = { ...agentOf('--from=start'), stateDir: path.join(scene.scratch.path, 's2') };
    await runOnce(asked);
    expect(await messages()).toEqual(lines(20, 20));
    await fetch(`${scene.emulator.url}/emulator/entries`, { method: 'DELETE' });
    const agent = startAgentProcess(agentOf());
    // By then it has looked at the journal.
    await until('it has begun', () => agent.log.some((line) => line.includes(' ships ')));
    const writer = new JournalWriter(file);
    writer.write(kubeletEntries(5, 40));
    await expectMessages(lines(5, 40));
    await writer.close();
    expect(await agent.stop()).toBe(0);
  });

  test('what a vacuum deletes unread is counted, and shown as any loss', async () => {
    startNode();
    const files = Array.from({ length: 18 }, (_, index) =>
      journalPath(journalDir(), `system@${index}.journal`),
    );
    for (const [index, file] of files.entries()) writeJournal(file, kubeletEntries(5, index * 5));
    const admin = await withAdmin();
    // Nothing is read of it, and the sixteen oldest are held open.
    const flags = ['--from=start', '--exclude=_node/*/journal', ...admin.flags];
    const agent = startAgentProcess(agentOf(...flags));
    await until('they are found', async () => (await admin.status())?.journal?.files === 18);
    for (const file of files) rmSync(file);
    await until('it is counted', async () => (await admin.status())?.journal?.lostEntries === 10);
    const status = await admin.status();
    expect(status?.journal?.behindEntries).toBe(80);
    const lost = (status?.losses ?? []).map(({ container, entries }) => ({ container, entries }));
    expect(lost).toEqual([{ container: 'journal', entries: 10 }]);
    expect(agent.warnings().some((line) => line.includes('LINES_LOST'))).toBe(true);
    expect(await agent.stop()).toBe(0);
  });

  test('kills at any moment lose and double nothing, while files rotate', async () => {
    startNode();
    const random = createRandom(seedOfRun());
    const file = journalPath(journalDir());
    writeJournal(file, kubeletEntries(1));
    await runOnce(agentOf());
    let count = 1;
    for (let round = 0; round < 6; round += 1) {
      const agent = startAgentProcess(agentOf('--batch-bytes-max=64Ki'));
      const writer = new JournalWriter(file);
      for (let part = 0; part < 5; part += 1) {
        writer.write(kubeletEntries(400, count));
        count += 400;
        await sleep(random.below(120));
      }
      await agent.kill();
      await writer.close();
      // As journald rotates: the file gets a name, and another one takes its place.
      if (round % 2 === 0) renameSync(file, journalPath(journalDir(), `system@${round}.journal`));
    }
    await runOnce(agentOf());
    await expectMessages(lines(count));
  });
});
