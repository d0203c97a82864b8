import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';

import { openCheckpointStore } from '../../src/commit/checkpoint-store.ts';
import type { CheckpointStore } from '../../src/commit/checkpoint-store.ts';
import { AgentError } from '../../src/errors.ts';
import { checkpoint, rememberingLog, sorted, temporaryDirectory } from './fixtures.ts';
import { eventually } from '../support/eventually.ts';
import { startOwnClock } from '../support/own-time.ts';

const fileName = 'checkpoints.sqlite';

function open(stateDir: string, log = rememberingLog()): CheckpointStore {
  const store = openCheckpointStore(stateDir, log);
  onTestFinished(() => store.close());
  return store;
}

function codeOf(step: () => unknown): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return error instanceof AgentError ? error.code : String(error);
  }
}

function all(store: CheckpointStore, count: number): unknown[] {
  const found = Array.from({ length: count }, (_, index) => checkpoint(index, 0)).flatMap((one) =>
    store.lookup(one.podUid, one.container),
  );
  return sorted(found);
}

test('what was put and flushed is there after the store was closed and opened', () => {
  const stateDir = join(temporaryDirectory(), 'made/on/the/way');
  const put = [0, 1, 2, 3].map((index) => checkpoint(index, index * 1_000));
  const first = open(stateDir);
  for (const one of put) first.put(one);
  first.flush();
  first.close();
  const second = open(stateDir);
  expect(all(second, 4)).toEqual(sorted(put));
  expect(second.size).toBe(4);
  expect(second.healthy).toBe(true);
  expect(statSync(stateDir).mode & 0o777).toBe(0o700);
});

test('`lookup()` gives every restart and file of one container, and none of another', () => {
  const store = open(temporaryDirectory());
  const mine = [
    checkpoint(1, 10),
    checkpoint(1, 20, { restartCount: 7 }),
    checkpoint(1, 30, { fingerprint: 'another first line' }),
  ];
  for (const one of [...mine, checkpoint(1, 40, { container: 'sidecar' }), checkpoint(2, 50)]) {
    store.put(one);
  }
  expect(sorted(store.lookup(mine[0]!.podUid, mine[0]!.container))).toEqual(sorted(mine));
  expect(store.lookup('unknown', 'unknown')).toEqual([]);
});

test('the last checkpoint of an identity wins, also when its offset is smaller', () => {
  const stateDir = temporaryDirectory();
  const first = open(stateDir);
  first.put(checkpoint(1, 500));
  first.flush();
  first.put(checkpoint(1, 700));
  first.put(checkpoint(1, 3, { fileName: '1.log.20260101-000000', inode: 9 }));
  first.close();
  expect(all(open(stateDir), 2)).toEqual([
    checkpoint(1, 3, { fileName: '1.log.20260101-000000', inode: 9 }),
  ]);
});

test('offsets and inodes above 32 and 53 bits survive', () => {
  const stateDir = temporaryDirectory();
  const large = checkpoint(1, Number.MAX_SAFE_INTEGER, {
    inode: 2 ** 63,
    device: 2 ** 40,
    fileName: 'ä 🚢.log',
  });
  const first = open(stateDir);
  first.put(large);
  first.close();
  expect(all(open(stateDir), 2)).toEqual([large]);
});

test('`forget()` takes a row out of memory and file', () => {
  const stateDir = temporaryDirectory();
  const first = open(stateDir);
  for (const index of [0, 1, 2]) first.put(checkpoint(index, 1));
  first.flush();
  first.forget(checkpoint(1, 1));
  first.forget(checkpoint(77, 1));
  expect(first.size).toBe(2);
  first.close();
  expect(all(open(stateDir), 3)).toEqual(sorted([checkpoint(0, 1), checkpoint(2, 1)]));
});

test('`forgetUnclaimed()` forgets what an earlier run left and this one never claimed', () => {
  const stateDir = temporaryDirectory();
  const first = open(stateDir);
  for (const index of [0, 1, 2, 3]) first.put(checkpoint(index, 1));
  expect(first.forgetUnclaimed()).toBe(0);
  first.close();
  const second = open(stateDir);
  second.claim(checkpoint(0, 1).podUid, checkpoint(0, 1).container);
  second.lookup(checkpoint(2, 1).podUid, checkpoint(2, 1).container);
  second.put(checkpoint(1, 2));
  expect(second.forgetUnclaimed()).toBe(2);
  second.close();
  expect(all(open(stateDir), 4)).toEqual(sorted([checkpoint(0, 1), checkpoint(1, 2)]));
});

test('nothing is written when nothing changed, also when the same is put again', () => {
  const store = open(temporaryDirectory());
  store.put(checkpoint(1, 1));
  store.flush();
  const before = writtenBytes();
  for (let tick = 0; tick < 100; tick += 1) {
    store.put(checkpoint(1, 1));
    store.flush();
  }
  // Reading the account counts as reading, so equality is exact.
  expect(writtenBytes()).toBe(before);
  store.put(checkpoint(1, 2));
  store.flush();
  expect(writtenBytes()).toBeGreaterThan(before);
});

/**
 * Bytes that this thread gave to write calls: V8's own threads wake the event loop by writing.
 * Source: proc_pid_io(5).
 */
function writtenBytes(): number {
  return Number(/wchar: (\d+)/.exec(readFileSync('/proc/thread-self/io', 'utf8'))?.[1]);
}

test('a second store on the same directory is refused at once with the pid of the first', () => {
  const stateDir = temporaryDirectory();
  const first = open(stateDir);
  const elapsedMs = startOwnClock();
  expect(() => openCheckpointStore(stateDir, rememberingLog())).toThrow(String(process.pid));
  expect(elapsedMs()).toBeLessThan(1_000);
  expect(codeOf(() => openCheckpointStore(stateDir, rememberingLog()))).toBe('STATE_LOCKED');
  first.put(checkpoint(1, 1));
  first.flush();
  expect(first.healthy).toBe(true);
  first.close();
  expect(codeOf(() => open(stateDir))).toBe(undefined);
});

test('another process holds the lock until it dies, even by SIGKILL, and what it flushed is there', async () => {
  const stateDir = temporaryDirectory();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hold-store.ts'), stateDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [ready] = (await once(child.stdout, 'data')) as [Buffer];
  expect(ready.toString()).toBe('flushed\n');
  expect(codeOf(() => openCheckpointStore(stateDir, rememberingLog()))).toBe('STATE_LOCKED');
  expect(() => openCheckpointStore(stateDir, rememberingLog())).toThrow(`process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(all(open(stateDir), 3)).toEqual(
    sorted([0, 1, 2].map((index) => checkpoint(index, 100 + index))),
  );
});

test('of processes that start at the same time, one gets the store', async () => {
  const stateDir = temporaryDirectory();
  const codes = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'hold-store.ts'), stateDir],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      onTestFinished(() => void child.kill('SIGKILL'));
      const told = once(child.stdout, 'data').then(([chunk]) => String(chunk));
      return Promise.race([told, once(child, 'exit').then(([code]) => `exit ${code}`)]);
    }),
  );
  expect(codes.toSorted()).toEqual(['exit 3', 'exit 3', 'exit 3', 'flushed\n']);
});

test('a file that is no store is set aside whole, and a new store works', () => {
  const stateDir = temporaryDirectory();
  writeFileSync(join(stateDir, fileName), 'this is no SQLite file, but somebody may want it back');
  const log = rememberingLog();
  const store = open(stateDir, log);
  expect(log.lines).toEqual(['error STATE_CORRUPT']);
  expect(store.healthy).toBe(true);
  const aside = readdirSync(stateDir).filter((name) => name.includes('.corrupt-'));
  expect(aside).toHaveLength(1);
  expect(readFileSync(join(stateDir, aside[0]!), 'utf8')).toContain('somebody may want it back');
  store.put(checkpoint(1, 1));
  store.close();
  expect(all(open(stateDir), 2)).toEqual([checkpoint(1, 1)]);
});

test("another program's SQLite file, and one of a later version, are set aside", () => {
  for (const change of [
    'CREATE TABLE other (a)',
    'PRAGMA user_version = 3',
    'PRAGMA application_id = 1',
    'DROP TABLE checkpoint',
  ]) {
    const stateDir = temporaryDirectory();
    open(stateDir).close();
    const database = new DatabaseSync(join(stateDir, fileName));
    database.exec(change);
    database.close();
    const log = rememberingLog();
    const { healthy } = open(stateDir, log);
    expect({ change, healthy, lines: log.lines }).toEqual({
      change,
      healthy: true,
      lines: ['error STATE_CORRUPT'],
    });
  }
});

test('an offset that was changed behind the back of SQLite is found by its checksum', () => {
  const stateDir = temporaryDirectory();
  const first = open(stateDir);
  first.put(checkpoint(1, 1_000));
  first.close();
  const database = new DatabaseSync(join(stateDir, fileName));
  database.exec('UPDATE checkpoint SET offset = 1001');
  database.close();
  const log = rememberingLog();
  expect(all(open(stateDir, log), 2)).toEqual([]);
  expect(log.lines).toEqual(['error STATE_CORRUPT']);
});

test('a leftover log without its store, and one of another store, do no harm', () => {
  const stateDir = temporaryDirectory();
  writeFileSync(join(stateDir, `${fileName}-wal`), Buffer.alloc(5_000, 7));
  const first = open(stateDir);
  first.put(checkpoint(1, 1));
  first.close();
  writeFileSync(join(stateDir, `${fileName}-wal`), Buffer.alloc(5_000, 7));
  const second = open(stateDir);
  expect(second.healthy).toBe(true);
  expect(all(second, 2)).toEqual([checkpoint(1, 1)]);
});

test('a store that turns out corrupt while the agent runs is set aside and written again from memory', () => {
  const stateDir = temporaryDirectory();
  const log = rememberingLog();
  const first = open(stateDir);
  const put = Array.from({ length: 6_000 }, (_, index) => checkpoint(index, index));
  for (const one of put) first.put(one);
  first.close();
  const store = open(stateDir, log);
  // SQLite has the file open, but not all of it in its cache.
  const fd = openSync(join(stateDir, fileName), 'r+');
  writeSync(
    fd,
    Buffer.alloc(statSync(join(stateDir, fileName)).size - 1_024, 0xff),
    0,
    undefined,
    1_024,
  );
  // Closing it would end the lock of this very process; the store must not depend on that here.
  onTestFinished(() => closeSync(fd));
  const moved = put.map((one) => ({ ...one, offset: one.offset + 1_000 }));
  for (const one of moved) store.put(one);
  store.flush();
  expect(log.lines).toEqual(['error STATE_CORRUPT']);
  expect(store.healthy).toBe(true);
  store.close();
  const reopened = open(stateDir);
  expect(reopened.size).toBe(6_000);
  expect(all(reopened, 6_000)).toEqual(sorted(moved));
});

test('a state directory that cannot be made leaves a store in memory, which saves all when it can', async () => {
  const directory = temporaryDirectory();
  const stateDir = join(directory, 'file/state');
  writeFileSync(join(directory, 'file'), 'no directory');
  const log = rememberingLog();
  const store = open(stateDir, log);
  expect(store.healthy).toBe(false);
  expect(store.lastError?.code).toBe('STATE_UNWRITABLE');
  store.put(checkpoint(1, 1));
  for (let tick = 0; tick < 5; tick += 1) store.flush();
  expect(log.lines).toEqual(['error STATE_UNWRITABLE']);
  expect(all(store, 2)).toEqual([checkpoint(1, 1)]);
  rmSync(join(directory, 'file'));
  await eventually(() => {
    store.flush();
    expect(store.healthy).toBe(true);
  });
  expect(log.lines).toEqual(['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE']);
  expect(store.lastError).toBe(undefined);
  store.close();
  expect(all(open(stateDir), 2)).toEqual([checkpoint(1, 1)]);
});

test('what an earlier run saved is taken over when the directory comes back, unless this run knows better', async () => {
  const directory = temporaryDirectory();
  const first = open(join(directory, 'state'));
  for (const index of [0, 1, 2]) first.put(checkpoint(index, 10));
  first.close();
  renameSync(join(directory, 'state'), join(directory, 'away'));
  writeFileSync(join(directory, 'state'), 'in the way');
  const store = open(join(directory, 'state'));
  expect(store.size).toBe(0);
  store.put(checkpoint(1, 5));
  store.put(checkpoint(2, 5));
  store.forget(checkpoint(2, 5));
  rmSync(join(directory, 'state'));
  renameSync(join(directory, 'away'), join(directory, 'state'));
  store.close();
  expect(all(open(join(directory, 'state')), 3)).toEqual([checkpoint(0, 10), checkpoint(1, 5)]);
});

test('a store that was removed under the agent is noticed and written again', async () => {
  const stateDir = temporaryDirectory();
  const log = rememberingLog();
  const store = open(stateDir, log);
  store.put(checkpoint(0, 1));
  store.flush();
  rmSync(stateDir, { recursive: true });
  store.put(checkpoint(1, 1));
  await eventually(() => {
    store.flush();
    expect(log.lines).toHaveLength(2);
  });
  expect(log.lines).toEqual(['error STATE_UNWRITABLE', 'info STATE_UNWRITABLE']);
  store.close();
  expect(all(open(stateDir), 2)).toEqual([checkpoint(0, 1), checkpoint(1, 1)]);
});

test('a directory in the place of the store leaves it in memory', () => {
  const stateDir = temporaryDirectory();
  mkdirSync(join(stateDir, fileName));
  const store = open(stateDir);
  expect(store.lastError?.code).toBe('STATE_UNWRITABLE');
  store.put(checkpoint(1, 1));
  expect(all(store, 2)).toEqual([checkpoint(1, 1)]);
});
