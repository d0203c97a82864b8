// Loaded into an agent before its own code (`node --import`): writes the longest time for which its
// event loop was blocked, in milliseconds, to the file that LOOP_DELAY_FILE names. It is CPU time:
// that another process had the core says nothing of the agent.

import { writeFileSync } from 'node:fs';
import { threadCpuUsage } from 'node:process';
import { isMainThread } from 'node:worker_threads';

const file = process.env['LOOP_DELAY_FILE'];
if (isMainThread && file !== undefined) {
  let blockedMs = 0;
  let before = threadCpuUsage();
  setInterval(() => {
    const { user, system } = threadCpuUsage(before);
    blockedMs = Math.max(blockedMs, (user + system) / 1_000);
    before = threadCpuUsage();
  }, 5).unref();
  setInterval(() => writeFileSync(file, String(blockedMs)), 100).unref();
}
