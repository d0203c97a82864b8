// Needs root and `unshare`: each step runs in a mount namespace of its own, so that nothing of it
// is seen outside.

import { expect, test } from 'vitest';

import { mayMount } from '../support/own-mounts.ts';
import { play } from './play-scene.ts';

test.skipIf(!mayMount)(
  'a disk that fills up leaves the store in memory, still locked, until there is room',
  () => {
    expect(play('fills-up')).toEqual({
      whenFull: { healthy: false, code: 'STATE_UNWRITABLE', inMemory: true, locked: true },
      withRoom: { healthy: true },
      reopened: { size: 2_001, offset: 7 },
      lines: ['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE'],
    });
  },
);

test.skipIf(!mayMount)(
  'a store on a full disk at start is read, and saved when there is room',
  () => {
    expect(play('full-at-start')).toEqual({
      atStart: { healthy: false, size: 1 },
      withRoom: { healthy: true },
      lines: ['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE'],
    });
  },
);

test.skipIf(!mayMount)(
  'a store on a read-only file system is read, and saved after a remount',
  () => {
    expect(play('read-only')).toEqual({
      atStart: { healthy: false, code: 'STATE_UNWRITABLE', offset: 1 },
      remounted: { healthy: true },
      reopened: { offset: 2 },
      lines: ['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE'],
    });
  },
);
