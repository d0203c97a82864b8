// What a pod's own `.gz` files cost in memory, whatever they are: many, large, of a thousand
// members, with a ratio of a thousand to one. The agent lives in a cgroup as large as the limit of
// its manifest, where one can be made, and what it has of its own is measured.

import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { afterAll, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { ownRssOf, withAdmin } from '../support/agent-status.ts';
import { makeMemoryCgroup } from '../support/memory-cgroup.ts';
import { useScene, type Scene } from '../support/scene.ts';

const MiB = 1024 * 1024;
const budgetBytes = 192 * MiB;
const line = (text: string) => `2024-03-05T14:07:00.000000001Z stdout F ${text}\n`;
const quietLines = 300;

let scene: Scene;
useScene(20_261_129, (made) => (scene = made));

const cgroup = makeMemoryCgroup(budgetBytes);
afterAll(() => cgroup?.remove());

/** A name of a rotation; the numbers are in the order of writing. */
function nameOf(number: number): string {
  const text = String(100_000 + number);
  return `0.log.20240305-${text.slice(0, 2)}${text.slice(2)}.gz`;
}

/** Each begins with a line of its own, so that it is another log. */
const kinds: readonly { readonly count: number; readonly make: (id: string) => Buffer }[] = [
  // One line without an end.
  { count: 2, make: (id) => zlib.gzipSync(line(id) + 'y'.repeat(48 * MiB)) },
  { count: 5, make: (id) => zlib.gzipSync(line(id) + line('z'.repeat(16_000)).repeat(200)) },
  // Hardly packed at all.
  { count: 1, make: (id) => zlib.gzipSync(line(id) + randomHex(24 * MiB), { level: 1 }) },
  // A thousand members, all but the first of them empty.
  { count: 50, make: (id) => Buffer.concat([zlib.gzipSync(line(id)), ...emptyMembers]) },
  // A megabyte of header.
  { count: 50, make: () => Buffer.concat([named, Buffer.alloc(limits.gzHeaderBytesMax, 'n')]) },
];
const emptyMembers = Array.from({ length: 1_000 }, () => zlib.gzipSync(''));
const named = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);

test('hostile .gz files leave the agent within 192 MiB, and cost nobody else a line', async () => {
  const { kubelet, agent: options, emulator } = scene;
  const hostile = Array.from({ length: 2 }, (_, index) =>
    kubelet.startPod({ namespace: 'ns', pod: `hostile-${index}`, containers: ['app'] }),
  );
  const quiet = kubelet.startPod({ namespace: 'ns', pod: 'quiet', containers: ['app'] });
  let number = 0;
  for (const pod of hostile) {
    const { directory } = pod.container();
    const put = (bytes: Uint8Array) => {
      number += 1;
      fs.writeFileSync(path.join(directory, nameOf(number)), bytes);
    };
    put(zlib.gzipSync(Buffer.alloc(2 * limits.spoolsBytesMax, 'x')));
    for (const { count, make } of kinds) {
      for (let times = 0; times < count; times += 1) put(make(`number ${number}`));
    }
  }
  quiet.container().writeNext(quietLines);
  const admin = await withAdmin();
  const { under = [] } = cgroup ?? {};
  const started = startAgentProcess({ ...options, flags: admin.flags, under });
  let peak = 0;
  const isOver = async (): Promise<boolean> => {
    if (!started.isRunning()) throw new Error(`the agent ended: ${started.log.join('\n')}`);
    peak = Math.max(peak, ownRssOf(started.pid));
    const status = await admin.status();
    const lost = status?.lostBytesByReason.not_unpacked ?? 0;
    return status?.behindBytes === 0 && lost > limits.spoolsBytesMax;
  };
  await until('all is read or given up', isOver, { everyMs: 100, withinMs: 200_000 });
  process.stdout.write(
    `${number} hostile .gz: ${Math.round(peak / MiB)} MiB at most, without files\n`,
  );
  expect(peak).toBeLessThan(budgetBytes);
  const { distinctEntries } = await emulator.stats();
  expect(distinctEntries).toBeGreaterThan(quietLines);
  expect(await started.stop()).toBe(0);
});

function randomHex(bytes: number): string {
  const random = Buffer.alloc(bytes / 2);
  crypto.getRandomValues(new Uint8Array(random.buffer, random.byteOffset, 65_536));
  for (let at = 65_536; at < random.length; at += 65_536) random.copy(random, at, 0, 65_536);
  return random.toString('hex');
}
