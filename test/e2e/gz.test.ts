// Compressed files that a pod put into its own log directory: broken ones, bombs, long headers.
// They cost their own container a told loss, and nobody else anything.

import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { rssOf, withAdmin } from '../support/agent-status.ts';
import { useScene, type Scene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

const MiB = 1024 * 1024;

let scene: Scene;
useScene(20_261_128, (made) => (scene = made));

/** Bytes that the agent's own nameless files take on the disk. */
function spoolBytesOf(pid: number, stateDir: string): number {
  let bytes = 0;
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    const link = `/proc/${pid}/fd/${fd}`;
    try {
      if (fs.readlinkSync(link).startsWith(path.join(stateDir, 'spool-'))) {
        bytes += fs.statSync(link).blocks * 512;
      }
    } catch {
      // Closed since it was listed.
    }
  }
  return bytes;
}

test('that are broken, bombs, or hidden behind long headers cost nobody else a line', async () => {
  const { kubelet, agent: options, emulator } = scene;
  const hostile = kubelet.startPod({ namespace: 'ns', pod: 'hostile', containers: ['app'] });
  const quiet = kubelet.startPod({ namespace: 'ns', pod: 'quiet', containers: ['app'] });
  const { directory } = hostile.container();
  const name = (second: number) => {
    const text = String(second % 60).padStart(2, '0');
    return `0.log.20240305-14${String(Math.floor(second / 60)).padStart(2, '0')}${text}.gz`;
  };
  const put = (second: number, bytes: Uint8Array) =>
    fs.writeFileSync(path.join(directory, name(second)), bytes);
  const broken = zlib.gzipSync('2024-03-05T14:07:00.000000001Z stdout F x\n'.repeat(5_000));
  broken.writeUInt32LE(1, broken.length - 8);
  put(0, broken);
  put(1, zlib.gzipSync(Buffer.alloc(2 * limits.spoolsBytesMax, 'x')));
  // 64 MiB each behind a name of a kilobyte or more.
  const bomb = zlib.gzipSync(Buffer.alloc(64 * MiB, 'y'));
  for (let index = 0; index < 40; index += 1) {
    const header = Buffer.from(bomb.subarray(0, 10));
    header[3] = 8;
    const packed = [header, Buffer.alloc(1_100 + index, 'n'), Buffer.alloc(1), bomb.subarray(10)];
    put(100 + index, Buffer.concat(packed));
  }
  quiet.container().writeNext(500);
  const admin = await withAdmin();
  const started = startAgentProcess({ ...options, flags: admin.flags });
  let spoolMost = 0;
  let rssMost = 0;
  const isQuietThere = async (): Promise<boolean> => {
    if (!started.isRunning()) throw new Error(`the agent ended: ${started.log.join('\n')}`);
    spoolMost = Math.max(spoolMost, spoolBytesOf(started.pid, options.stateDir));
    rssMost = Math.max(rssMost, rssOf(started.pid));
    const status = await admin.status();
    const lost = status?.lostBytesByReason.not_unpacked ?? 0;
    return lost > limits.spoolsBytesMax && (await emulator.stats()).distinctEntries >= 5_500;
  };
  await until('both are given up and the quiet pod is read', isQuietThere, { everyMs: 5 });
  expect(spoolMost).toBeLessThanOrEqual(limits.spoolsBytesMax);
  expect(rssMost).toBeLessThan(256 * MiB);
  const log = started.log.join('\n');
  expect(log).toMatch(/incorrect data check/);
  expect(log).toMatch(/holds more than/);
  expect(log).not.toMatch(/EBADF/);
  expect(await started.stop()).toBe(0);
});

test('that are broken stop neither the agent nor the live file beside them', async () => {
  const { kubelet, agent: options, emulator } = scene;
  const pod = kubelet.startPod({ namespace: 'ns', pod: 'web', containers: ['app'] });
  const broken = zlib.gzipSync('2024-03-05T14:07:00.000000001Z stdout F x\n'.repeat(50_000));
  for (let index = 0; index < 8; index += 1) {
    const packed = broken.subarray(0, 20 + index); // No line unpacks of them.
    const file = `0.log.20240305-14070${index}.gz`;
    fs.writeFileSync(path.join(pod.container().directory, file), packed);
  }
  pod.container().writeNext(200);
  const agent = startAgentProcess(options);
  await expectExactlyOnce({ kubelet, emulator });
  await until('all eight are given up', () => {
    return agent.log.filter((text) => /LINES_LOST/.test(text)).length > 0 || undefined;
  });
  pod.container().writeNext(200);
  await expectExactlyOnce({ kubelet, emulator });
  expect(agent.isRunning()).toBe(true);
  expect(agent.log.join('\n')).not.toMatch(/EBADF/);
});
