// `tailship migrate` is run as root on a file that others may have written. Whatever it is, the
// command ends soon, says what is wrong, reads nothing else and leaves nothing behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readForeignPositions } from '../../src/command/foreign-positions.ts';
import { limits } from '../../src/config.ts';
import { until } from '../support/agent-process.ts';
import { startOwnClock } from '../support/own-time.ts';

let directory: string;
let scratch: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailship-hostile-'));
  scratch = join(directory, 'state');
  mkdirSync(scratch);
  file = join(directory, 'positions');
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** How reading ends: `ok`, or code and message. */
async function read(agent: 'fluentd' | 'fluent-bit', path = file): Promise<string> {
  try {
    const { positions } = await readForeignPositions(agent, path, scratch);
    return `ok ${positions.length}`;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code}: ${message}`;
  } finally {
    assert.deepEqual(readdirSync(scratch), [], 'nothing is left behind');
  }
}

function makeDatabase(...statements: readonly string[]): void {
  const database = new DatabaseSync(file);
  for (const statement of statements) database.exec(statement);
  database.close();
}

const plain = 'CREATE TABLE in_tail_files (id INTEGER PRIMARY KEY, name TEXT, offset, inode)';
const row = "INSERT INTO in_tail_files (name, offset, inode) VALUES ('/var/log/a.log', 5, 7)";

describe.each(['fluentd', 'fluent-bit'] as const)('migrate --from %s', (agent) => {
  test.each<[string, () => void, RegExp]>([
    ['a FIFO', () => execFileSync('mkfifo', [file]), /is no regular file/],
    ['a directory', () => mkdirSync(file), /is no regular file/],
    ['a link', () => symlinkSync('/etc/shadow', file), /is a link/],
    ['a link to nothing', () => symlinkSync('/nowhere', file), /is a link/],
    ['a device behind a link', () => symlinkSync('/dev/zero', file), /is a link/],
    [
      'a file without end',
      () => {
        writeFileSync(file, '');
        truncateSync(file, 1024 ** 4);
      },
      /at most \d+ can be positions/,
    ],
  ])('refuses %s at once', async (_, make, reason) => {
    make();
    const elapsedMs = startOwnClock();
    expect(await read(agent)).toMatch(/^CONFIG_INVALID: /);
    expect(await read(agent)).toMatch(reason);
    expect(elapsedMs()).toBeLessThan(2_000);
  });

  test('refuses a socket and a device', async () => {
    const server = createServer().listen(file);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await read(agent)).toMatch(/^CONFIG_INVALID: .*is a link or a socket/);
    server.close();
    for (const device of ['/dev/zero', '/dev/tty', '/dev/full']) {
      expect(await read(agent, device)).toMatch(/is no regular file|ENXIO|ENOENT|is a link or/);
    }
  });

  test('says ENOENT of what is not there', async () => {
    expect(await read(agent)).toMatch(/^ENOENT: /);
  });
});

describe('a pos file', () => {
  test('with more positions than a node has files is refused', async () => {
    const line = (index: number) => `/var/log/${index}.log\t${'0'.repeat(16)}\t${'1'.repeat(16)}\n`;
    const lines = Array.from({ length: limits.migratePositionsMax + 1 }, (_, index) => line(index));
    writeFileSync(file, lines.join(''));
    expect(await read('fluentd')).toMatch(/^CONFIG_INVALID: .*more than 10000 positions/);
    writeFileSync(file, lines.slice(1).join(''));
    expect(await read('fluentd')).toBe(`ok ${limits.migratePositionsMax}`);
  });

  test('that is a hard link to something else is read as what it is', async () => {
    writeFileSync(join(directory, 'secret'), 'root:x:0:0\n');
    linkSync(join(directory, 'secret'), file);
    expect(await read('fluentd')).toMatch(/is no pos file of fluentd$/);
  });
});

describe('a database', () => {
  test('that is plain is read, and left as it was', async () => {
    makeDatabase(plain, row);
    const before = readFileSync(file);
    expect(await read('fluent-bit')).toBe('ok 1');
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(directory).toSorted()).toEqual(['positions', 'state']);
  });

  const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n';
  test.each<[string, readonly string[], RegExp]>([
    [
      'a view without end',
      [
        `CREATE VIEW in_tail_files AS SELECT 'x' AS name, i AS offset, 1 AS inode FROM (${endless})`,
      ],
      /it has no table in_tail_files/,
    ],
    [
      'a view that looks plain',
      ["CREATE VIEW in_tail_files AS SELECT 'x' AS name, 1 AS offset, 1 AS inode"],
      /it has no table in_tail_files/,
    ],
    [
      'computed columns',
      [
        'CREATE TABLE in_tail_files (id, name AS (hex(zeroblob(400000000))), offset, inode)',
        'INSERT INTO in_tail_files (offset, inode) VALUES (1, 1)',
      ],
      /computed columns/,
    ],
    [
      'a virtual table',
      ['CREATE VIRTUAL TABLE in_tail_files USING fts5(name, offset, inode)'],
      /it has no table in_tail_files/,
    ],
    ['another table only', ['CREATE TABLE others (name, offset, inode)'], /no table in_tail_files/],
    ['other columns', ['CREATE TABLE in_tail_files (name, inode)'], /no such column: offset/],
    [
      'a name of 10 MB',
      [plain, 'INSERT INTO in_tail_files VALUES (1, hex(zeroblob(5000000)), 1, 1)'],
      /too big/,
    ],
  ])('with %s is refused at once', async (_, statements, reason) => {
    makeDatabase(...statements);
    const elapsedMs = startOwnClock();
    const outcome = await read('fluent-bit');
    expect(outcome).toMatch(/^CONFIG_INVALID: .* is no database of Fluent Bit's tail input/);
    expect(outcome).toMatch(reason);
    expect(elapsedMs()).toBeLessThan(5_000);
  });

  test('with triggers and other views is read without running them', async () => {
    makeDatabase(
      plain,
      row,
      `CREATE VIEW others AS ${endless}`,
      `CREATE TRIGGER t AFTER INSERT ON in_tail_files BEGIN DELETE FROM in_tail_files; END`,
      'CREATE INDEX i ON in_tail_files (name, offset, inode)',
    );
    expect(await read('fluent-bit')).toBe('ok 1');
  });

  test('with more rows than a node has files is refused', async () => {
    makeDatabase(
      plain,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${limits.migratePositionsMax + 1})
       INSERT INTO in_tail_files (name, offset, inode) SELECT 'a' || i, 1, i FROM n`,
    );
    expect(await read('fluent-bit')).toMatch(/^CONFIG_INVALID: .*more than 10000 positions/);
  });

  test('whose write-ahead log is a link, is refused', async () => {
    makeDatabase(plain, row);
    symlinkSync('/dev/zero', `${file}-wal`);
    expect(await read('fluent-bit')).toMatch(/^CONFIG_INVALID: .*-wal is a link/);
  });

  test('with bytes changed anywhere ends, one way or the other', async () => {
    makeDatabase(plain, row, row, row);
    const original = join(directory, 'original');
    copyFileSync(file, original);
    const { length } = readFileSync(original);
    for (let round = 0; round < 12; round += 1) {
      const bytes = readFileSync(original);
      // Headers of pages first: what they say of the rest is what leads a reader astray.
      for (let at = (round * 97) % 128; at < length; at += 509) bytes[at] = (round * 41 + at) % 256;
      writeFileSync(file, bytes);
      expect(await read('fluent-bit')).toMatch(/^(?:ok \d+|CONFIG_INVALID: .*)$/s);
    }
  });

  test('that keeps its reader busy is given up', async () => {
    makeDatabase(plain, row);
    const reading = read('fluent-bit');
    // Nothing but a stopped process is busy for certain.
    const pid = await until('its reader runs', () => readerPid(), { everyMs: 1 });
    process.kill(pid, 'SIGSTOP');
    expect(await reading).toMatch(/^CONFIG_INVALID: .*it was not read within 10 s/);
  });
});

/** The process that reads a copy below this test's directory. */
function readerPid(): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const isReader = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('position-reader.ts');
      const status = isReader ? readFileSync(`/proc/${name}/status`, 'utf8') : '';
      if (status.includes(`PPid:\t${process.pid}\n`)) return Number(name);
    } catch {
      // It ended since it was listed.
    }
  }
  return undefined;
}
