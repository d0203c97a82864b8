// Loaded into an agent before its own code (`node --import`): writes the longest time for which its
// event loop was blocked, in milliseconds, to the file that LOOP_DELAY_FILE names. Time in which
// another process had the core is none of it.

import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

import { startOwnClock } from './own-time.ts';

const everyMs = 5;
const file = process.env['LOOP_DELAY_FILE'];
if (isMainThread && file !== undefined) {
  let blockedMs = 0;
  let elapsedMs = startOwnClock();
  setInterval(() => {
    blockedMs = Math.max(blockedMs, elapsedMs() - everyMs);
    elapsedMs = startOwnClock();
  }, everyMs).unref();
  setInterval(() => writeFileSync(file, String(blockedMs)), 100).unref();
}
