// A process that opens a store, flushes three checkpoints, says so, and holds the store until it is
// killed. Exit code 3: STATE_LOCKED.

import { openCheckpointStore } from '../../src/commit/checkpoint-store.ts';
import { AgentError } from '../../src/errors.ts';
import { callbackLog } from '../support/callback-log.ts';
import { checkpoint } from './fixtures.ts';

try {
  const store = openCheckpointStore(process.argv[2] ?? '', callbackLog(console.error));
  for (const index of [0, 1, 2]) store.put(checkpoint(index, 100 + index));
  store.flush();
  console.log('flushed');
  setInterval(() => {}, 60_000);
} catch (error) {
  process.exitCode = error instanceof AgentError && error.code === 'STATE_LOCKED' ? 3 : 1;
}
