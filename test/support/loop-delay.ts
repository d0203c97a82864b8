// Loaded into an agent before its own code (`node --import`): writes the longest time for which its
// event loop was blocked, in milliseconds, to the file that LOOP_DELAY_FILE names.

import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const file = process.env['LOOP_DELAY_FILE'];
if (isMainThread && file !== undefined) {
  // What Node itself takes to start is none of it.
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  histogram.enable();
  setInterval(() => writeFileSync(file, String(histogram.max / 1e6)), 100).unref();
}
