// Played by discovery.test.ts under limits that forbid watching: `degraded-scene.ts <directory>`.
// Waits until the watch has failed, makes a pod, waits until the clock has found it, and prints
// what was told.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Discovery } from '../../src/discover/discovery.ts';

const [, , root = ''] = process.argv;
const told: string[] = [];
const discovery = new Discovery(
  {
    containersDir: join(root, 'containers'),
    logRoots: [join(root, 'pods')],
    scanIntervalMs: 20,
    watch: true,
  },
  {
    added: (log) => void told.push(`added ${basename(log.linkPath)}`),
    removed: (log) => void told.push(`removed ${basename(log.linkPath)}`),
    refused: (linkPath) => void told.push(`refused ${basename(linkPath)}`),
    degraded: () => void told.push('degraded'),
  },
);
const endMs = performance.now() + 120_000;
while (told.length < 1 && performance.now() < endMs) await sleep(10);
const directory = join(root, 'pods/shop_web_0b6f0c55-6a57-4d0e-9d0c-1f2e3d4c5b6a/api');
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, '0.log'), '');
const id = '4f0c9b7de1a2c3556677889900aabbccddeeff00112233445566778899aabb01';
symlinkSync(join(directory, '0.log'), join(root, 'containers', `web_shop_api-${id}.log`));
while (told.length < 2 && performance.now() < endMs) await sleep(10);
const { watching, counters } = discovery;
await discovery.close();
console.log(JSON.stringify({ told, watching, watchErrors: counters.watchErrors }));
