// What mounts.slow.test.ts and full-disk.test.ts play: `mount-scene.ts <scene> <empty directory>`,
// in a mount namespace of its own; prints JSON.

import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { openCheckpointStore } from '../../src/commit/checkpoint-store.ts';
import type { CheckpointStore } from '../../src/commit/checkpoint-store.ts';
import { hasCode } from '../../src/errors.ts';
import { callbackLog } from '../support/callback-log.ts';
import { checkpoint, rememberingLog } from './fixtures.ts';

const [, , scene = '', directory = ''] = process.argv;
const log = rememberingLog();
const { lines } = log;
const ballast = join(directory, 'ballast');
const one = checkpoint(0, 1);

function mount(options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
}

function remount(options: string): void {
  execFileSync('mount', ['-o', `remount,${options}`, directory]);
}

function fill(): void {
  const fd = openSync(ballast, 'w');
  try {
    for (;;) writeSync(fd, Buffer.alloc(4_096, 1));
  } catch (error) {
    if (!hasCode(error, 'ENOSPC')) throw error;
  } finally {
    closeSync(fd);
  }
}

function reopen(): CheckpointStore {
  return openCheckpointStore(directory, log);
}

function offsetIn(store: CheckpointStore): number | undefined {
  return store.lookup(one.podUid, one.container)[0]?.offset;
}

async function recovered(store: CheckpointStore): Promise<{ healthy: boolean }> {
  for (
    const endMs = performance.now() + 20_000;
    !store.healthy && performance.now() < endMs;
    store.flush()
  ) {
    await sleep(50);
  }
  return { healthy: store.healthy };
}

const scenes: Record<string, () => Promise<unknown>> = {
  'fills-up': async () => {
    mount('size=1m');
    const store = reopen();
    store.put(one);
    store.flush();
    fill();
    for (let index = 1; index <= 2_000; index += 1) store.put(checkpoint(index, index));
    store.put({ ...one, offset: 7 });
    store.flush();
    const whenFull = {
      healthy: store.healthy,
      code: store.lastError?.code,
      inMemory: offsetIn(store) === 7 && store.size === 2_001,
      locked: isLocked(),
    };
    rmSync(ballast);
    const withRoom = await recovered(store);
    store.close();
    const again = reopen();
    return { whenFull, withRoom, reopened: { size: again.size, offset: offsetIn(again) }, lines };
  },
  'full-at-start': async () => {
    mount('size=1m');
    const first = reopen();
    first.put(one);
    first.close();
    fill();
    const store = reopen();
    const atStart = { healthy: store.healthy, size: store.size };
    store.put({ ...one, offset: 2 });
    rmSync(ballast);
    return { atStart, withRoom: await recovered(store), lines };
  },
  'each-page': () => {
    // tmpfs takes 0 for no limit.
    const played = [playPages(1)];
    while (played.at(-1)?.isFull === true) played.push(playPages(played.length + 1));
    return Promise.resolve({ played, lines });
  },
  'read-only': async () => {
    mount('size=1m');
    const first = reopen();
    first.put(one);
    first.close();
    remount('ro');
    const store = reopen();
    const atStart = {
      healthy: store.healthy,
      code: store.lastError?.code,
      offset: offsetIn(store),
    };
    store.put({ ...one, offset: 2 });
    remount('rw');
    const remounted = await recovered(store);
    store.close();
    return { atStart, remounted, reopened: { offset: offsetIn(reopen()) }, lines };
  },
};

const rowsOfPage = 40;
const roundsOfPage = 4;

/** Some rounds of changes on a disk of so many pages, which grows at the end. */
function playPages(pages: number) {
  mount(`size=${pages * 4}k`);
  const told: string[] = [];
  const store = openCheckpointStore(
    directory,
    callbackLog((...line) => told.push(line.join(' '))),
  );
  for (let round = 1; round <= roundsOfPage; round += 1) {
    for (let index = 0; index < rowsOfPage; index += 1) store.put(checkpoint(index, round));
    store.forget(checkpoint(round, 0));
    store.flush();
  }
  const isFull = !store.healthy;
  const inMemory = allOf(store);
  const killed = asKilled();
  remount('size=4m');
  store.close(); // Writes, whatever the back-off says.
  const again = reopen();
  const saved = allOf(again);
  again.close();
  execFileSync('umount', [directory]);
  return { isFull, told, inMemory, killed, saved };
}

/** What a kill at this moment leaves to the next start: the offsets that it finds. */
function asKilled(): (number | undefined)[] {
  const left = mkdtempSync(join(tmpdir(), 'tailship-killed-'));
  try {
    cpSync(directory, left, { recursive: true });
    const store = openCheckpointStore(left, log);
    const offsets = allOf(store);
    store.close();
    return offsets;
  } finally {
    rmSync(left, { recursive: true });
  }
}

function allOf(store: CheckpointStore): (number | undefined)[] {
  return Array.from({ length: rowsOfPage }, (_, index) => {
    const { podUid, container } = checkpoint(index, 0);
    return store.lookup(podUid, container)[0]?.offset;
  });
}

function isLocked(): boolean {
  try {
    openCheckpointStore(directory, log).close();
    return false;
  } catch (error) {
    return hasCode(error, 'STATE_LOCKED');
  }
}

console.log(JSON.stringify(await scenes[scene]?.()));
