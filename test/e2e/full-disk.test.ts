// An agent whose state directory has no room for anything from its first moment: it goes on, all
// that it could not write is told and counted, and when there is room nothing was lost.

import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';

import type { FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, holdsOpen, withAdmin, type Shown } from '../support/agent-status.ts';
import { mayMount, underTmpfs, whyNoMounts } from '../support/own-mounts.ts';
import { useScene, type Scene } from '../support/scene.ts';

const refusals = { mode: 'partial', pattern: 'REFUSE' } as const;
const down = { mode: 'status', status: 503 } as const;
const packedLines = 30;
const rotated = '0.log.20240305-140721.gz';

let scene: Scene;
useScene(16, (made) => (scene = made));

const startPod = (pod: string) =>
  scene.kubelet.startPod({ namespace: 'ns', pod, containers: ['app'] });

/** With a compressed rotation that only a spool file makes readable, and a live file. */
function startPacked(name: string): FakePod {
  const pod = startPod(name);
  const lines = Array.from({ length: packedLines }, (_, index) => {
    const second = String(index).padStart(2, '0');
    return `2024-03-05T14:07:${second}.000000001Z stdout F packed of ${name} ${index}\n`;
  });
  fs.writeFileSync(path.join(pod.container().directory, rotated), zlib.gzipSync(lines.join('')));
  pod.container().writeNext(5);
  return pod;
}

function append(pod: FakePod, lines: number): void {
  const line = `${new Date().toISOString()} stdout F REFUSE me\n`;
  fs.appendFileSync(pod.container().logPath, line.repeat(lines));
}

async function shownOf(pod: string): Promise<Shown[]> {
  const all = await entriesOf(scene.emulator.url);
  return all.filter(({ resource }) => resource.labels['pod_name'] === pod);
}

const countOf = async (pod: string) => (await shownOf(pod)).length;

test.skipIf(!mayMount)(
  `whose disk is full goes on, tells it, and catches up when there is room${whyNoMounts}`,
  async () => {
    const { agent: options, emulator } = scene;
    startPacked('packed');
    const gone = startPod('gone');
    const torn = startPacked('torn');
    await emulator.setFaults(refusals);
    const admin = await withAdmin();
    const filler = path.join(options.stateDir, 'filler');
    const fill = ['sh', '-c', 'dd if=/dev/zero of="$0" bs=4k 2>&1; exec "$@"', filler];
    const agent = startAgentProcess({
      ...options,
      flags: admin.flags,
      under: [...underTmpfs(options.stateDir, 'size=256k'), ...fill],
    });
    const told = (pattern: RegExp) =>
      until(String(pattern), () => pattern.test(agent.log.join('\n')));

    // Positions and unpacked files; what is newer than those does not wait.
    await until('live files are shipped', async () => (await countOf('packed')) === 5);
    await told(/STATE_UNWRITABLE/);
    await told(/packed.*0\.log\.20240305-140721\.gz: .*ENOSPC/);
    // Dead letters.
    const refused = startPod('refused');
    append(refused, 7);
    await told(/dead-letter\.ndjson cannot be written: ENOSPC/);
    expect((await admin.status())?.droppedByReason).toMatchObject({ dead_letter_unwritten: 7 });
    // Copies of deleted files, and the notice of a loss.
    await emulator.setFaults(down);
    gone.container().writeNext(50);
    await until('it is open', () => holdsOpen(agent.pid, gone.directory));
    gone.delete();
    fs.unlinkSync(path.join(torn.container().directory, rotated));
    await told(/loss-notices\.json: ENOSPC/);
    // The log says no more than some lines a minute, so it may hold this one back.
    const sums = await until('the copy has failed', async () => {
      const now = await admin.status();
      return (now?.orphans?.failures ?? 0) > 0 ? now : undefined;
    });
    expect(sums.orphans).toMatchObject({ copiedBytes: 0 });
    expect(sums.lostBytesByReason.deleted).toBeGreaterThan(1_000);
    expect(await admin.probe('/readyz')).toBe(503);
    expect(await admin.probe('/livez')).toBe(200);

    fs.unlinkSync(`/proc/${agent.pid}/root${filler}`);
    await emulator.setFaults(refusals);
    await until('the deleted pod is there', async () => (await countOf('gone')) === 50);
    await until('so is what was packed', async () => (await countOf('packed')) === packedLines + 5);
    await until('so is the notice', async () => (await countOf('torn')) === 6);
    await until('it is ready', async () => (await admin.probe('/readyz')) === 200);
    append(refused, 3);
    const left = (name: string) => `/proc/${agent.pid}/root${options.stateDir}/${name}`;
    const letters = () => fs.readFileSync(left('dead-letter.ndjson'), 'utf8').trim().split('\n');
    await until('letters are kept', () => letters().length >= 3);
    expect(letters().at(-1)).toMatch(/REFUSE me/);
    expect(fs.readdirSync(left('')).toSorted()).toEqual([
      'checkpoints.sqlite',
      'checkpoints.sqlite-wal',
      'dead-letter.ndjson',
      'orphans',
    ]);
    expect(agent.warnings().join('\n')).not.toMatch(/STATE_CORRUPT|ORPHAN_CORRUPT/);
    expect((await shownOf('packed')).map(({ textPayload }) => textPayload)).toContain(
      'packed of packed 29',
    );
    expect(await agent.stop()).toBe(0);
  },
);
