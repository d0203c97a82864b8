// What nodes in the field do to log files, beside files that begin alike: names of logrotate, times
// of lines without one, files that go while no agent runs, stores of earlier versions.

import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32, gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stopAll, until, type CommandProcess } from '../support/agent-process.ts';
import {
  Log,
  entries,
  formats,
  makeNode,
  names,
  once,
  shown,
  startAgent,
  uid,
  type Node,
} from './same-beginnings.ts';

let node: Node;
beforeEach(async () => {
  node = await makeNode();
});
afterEach(async () => {
  await stopAll();
  await node.remove();
});

const textsOf = async (): Promise<string[]> =>
  (await entries(node)).map(({ textPayload }) => textPayload ?? '');

describe('names of logrotate', () => {
  const families = {
    'date and seconds': ['-20260705-1783209600', '-20260706-1783296000'],
    'date, the older packed': ['-20260705.gz', '-20260706'],
    'date and hour': ['-2026070523.gz', '-2026070600.gz'],
    'date with hyphens': ['-2026-07-05', '-2026-07-06.gz'],
    numbers: ['.2', '.1'],
    'numbers, packed': ['.10.gz', '.9.gz'],
  };
  const cases = formats.flatMap((format) =>
    Object.keys(families).map((family) => [format, family as keyof typeof families] as const),
  );

  test.each(cases)('%s: %s, rotated twice while no agent ran', async (format, family) => {
    const log = new Log(node, format);
    const [older, newer] = families[family] as [string, string];
    const put = (suffix: string, text: string) => {
      const isPacked = suffix.endsWith('.gz');
      fs.writeFileSync(log.path(suffix), isPacked ? gzipSync(text) : text);
    };
    const first = log.lines('a', 3);
    fs.writeFileSync(log.live, first);
    await once(log);
    put(older, first + log.lines('b', 3));
    put(newer, log.lines('c', 3));
    fs.rmSync(log.live);
    fs.writeFileSync(log.live, log.lines('d', 3));
    await once(log);
    const all = ['a', 'b', 'c', 'd'].flatMap((name) => names(name, 3));
    const found = await shown(node);
    expect(found.toSorted()).toEqual(all);
    if (format !== 'raw') expect(found).toEqual(all);
  });
});

describe('lines without a time of their own', () => {
  test('have the time when they were read', async () => {
    const log = new Log(node, 'raw');
    fs.writeFileSync(log.live, 'a-0\n');
    const startMs = Date.now();
    startAgent(log);
    await until('the first is there', async () => (await shown(node)).length === 1 || undefined);
    const secondMs = Date.now() + 1_500;
    await until('some time has passed', () => Date.now() > secondMs || undefined);
    fs.appendFileSync(log.live, 'b-0\n');
    await until('the second is there', async () => (await shown(node)).length === 2 || undefined);
    const [a = 0, b = 0] = (await entries(node)).map(({ timestamp }) => Date.parse(timestamp));
    expect(a).toBeGreaterThanOrEqual(startMs);
    expect(b).toBeGreaterThanOrEqual(secondMs);
    expect(b).toBeLessThanOrEqual(Date.now());
  });

  test('are the same entries when they are sent again after a kill', async () => {
    const log = new Log(node, 'raw');
    fs.writeFileSync(log.live, log.lines('a', 50));
    // They arrive, and the agent is told that they did not.
    await node.emulator.setFaults({ mode: 'status', status: 503, after: true });
    const agent = startAgent(log);
    await until('they are there', async () => (await shown(node)).length === 50 || undefined);
    const before = await entries(node);
    agent.signal('SIGKILL');
    await agent.ended;
    fs.appendFileSync(log.live, log.lines('b', 7));
    await node.emulator.setFaults({});
    await once(log);
    const after = await entries(node);
    expect(after.slice(0, 50)).toEqual(before);
    expect(after.slice(50).map(({ textPayload }) => textPayload)).toEqual(names('b', 7));
  });
});

describe('a last line without its newline', () => {
  const cases = formats.flatMap((format) => [
    { format, after: 'its file was rotated' },
    { format, after: 'its end was written' },
  ]);
  test.each(cases)(
    '$format: is one entry, flushed before a kill and read again after $after',
    async ({ format, after }) => {
      const log = new Log(node, format);
      fs.writeFileSync(log.live, log.line('a-0'));
      const agent = startAgent(log, ['--partial-flush-ms=100']);
      await until('the first is there', async () => (await shown(node)).length === 1 || undefined);
      await node.emulator.setFaults({ mode: 'status', status: 503, after: true });
      fs.appendFileSync(log.live, log.line('a-1').slice(0, -1));
      await until('it was flushed', async () => (await shown(node)).length === 2 || undefined);
      agent.signal('SIGKILL');
      await agent.ended;
      await node.emulator.setFaults({});
      if (after === 'its file was rotated') {
        fs.renameSync(log.live, log.path(format === 'cri' ? '.20260305-140705' : '.1'));
        fs.writeFileSync(log.live, log.lines('b', 3));
      } else fs.appendFileSync(log.live, `\n${log.lines('b', 3)}`);
      await once(log);
      expect(await shown(node)).toEqual([...names('a', 2), ...names('b', 3)]);
    },
  );
});

describe('a live file that is cut', () => {
  const warningsOf = (agent: CommandProcess) =>
    agent.lines.filter((line) => line.includes('FILE_TRUNCATED'));
  const stop = async (agent: CommandProcess): Promise<void> => {
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
  };

  test.each(['cri', 'docker'] as const)(
    '%s: to its first lines, which are the same entries again',
    async (format) => {
      const log = new Log(node, format);
      const kept = log.lines('a', 3);
      fs.writeFileSync(log.live, kept + log.lines('b', 3));
      const agent = startAgent(log);
      await until('it is read', async () => (await shown(node)).length === 6 || undefined);
      fs.truncateSync(log.live, kept.length);
      await until('it is told', () => warningsOf(agent).length === 1 || undefined);
      fs.appendFileSync(log.live, log.lines('c', 4));
      await until('the rest is there', async () => (await shown(node)).length >= 10 || undefined);
      await stop(agent);
      const all = [...names('a', 3), ...names('b', 3), ...names('c', 4)];
      expect((await shown(node)).toSorted()).toEqual(all);
      expect(warningsOf(agent)).toHaveLength(1);
    },
  );

  test('raw: to its first lines, which cannot be told from the lines of another log', async () => {
    const log = new Log(node, 'raw');
    const kept = log.lines('a', 3);
    fs.writeFileSync(log.live, kept + log.lines('b', 3));
    const agent = startAgent(log);
    await until('it is read', async () => (await shown(node)).length === 6 || undefined);
    fs.truncateSync(log.live, kept.length);
    fs.appendFileSync(log.live, log.lines('c', 1));
    const isThere = async () => (await shown(node)).includes('c-0') || undefined;
    await until('the rest is there', isThere);
    await stop(agent);
    const all = [...names('a', 3), ...names('a', 3), ...names('b', 3), 'c-0'];
    expect((await shown(node)).toSorted()).toEqual(all.toSorted());
    expect(warningsOf(agent)).toHaveLength(1);
  });

  test.each(formats)(
    '%s: and written again with the same beginning, before any of it was acknowledged',
    async (format) => {
      const log = new Log(node, format);
      const header = log.line('the same header');
      await node.emulator.setFaults({ mode: 'status', status: 503 });
      fs.writeFileSync(log.live, header + log.lines('old', 5));
      const agent = startAgent(log);
      const posted = async () => (await node.emulator.stats()).requests > 0 || undefined;
      await until('it is on its way', posted);
      fs.truncateSync(log.live);
      fs.appendFileSync(log.live, header + log.lines('new', 2));
      await until('it is told', () => warningsOf(agent).length === 1 || undefined);
      await node.emulator.setFaults({});
      const isThere = async () => (await shown(node)).includes('new-1') || undefined;
      await until('the new lines are there', isThere);
      await stop(agent);
      const lines = await shown(node);
      expect(lines.filter((line) => line.startsWith('new'))).toEqual(names('new', 2));
      // What had been read is sent; what had not is gone, and that is said.
      const old = lines.filter((line) => line.startsWith('old'));
      expect(old).toEqual(names('old', old.length));
      const told = agent.lines.filter((line) => line.includes('LINES_LOST'));
      expect(told).toHaveLength(old.length === 5 ? 0 : 1);
    },
  );
});

describe('a file that is deleted while no agent runs', () => {
  test('is not told as a loss when it had been read to its end', async () => {
    const log = new Log(node, 'cri');
    fs.writeFileSync(log.live, log.lines('a', 5));
    await once(log);
    fs.rmSync(log.live);
    fs.writeFileSync(log.live, log.lines('b', 5));
    const agent = startAgent(log);
    await until('the rest is there', async () => (await shown(node)).length === 10 || undefined);
    agent.signal('SIGTERM');
    await agent.ended;
    expect(agent.lines.filter((line) => line.includes('LINES_LOST'))).toEqual([]);
  });

  test('is told with the bytes that were known to be unread', async () => {
    const log = new Log(node, 'cri');
    fs.writeFileSync(log.live, log.lines('a', 5));
    await once(log);
    await node.emulator.setFaults({ mode: 'status', status: 503 });
    const lost = log.lines('lost', 20);
    fs.appendFileSync(log.live, lost);
    const first = startAgent(log);
    await until('it was seen', () => storedSizes(log).includes(fs.statSync(log.live).size));
    first.signal('SIGKILL');
    await first.ended;
    await node.emulator.setFaults({});
    fs.rmSync(log.live);
    fs.writeFileSync(log.live, log.lines('b', 5));
    const second = startAgent(log);
    await until('the rest is there', async () => (await shown(node)).length === 10 || undefined);
    second.signal('SIGTERM');
    await second.ended;
    const told = second.lines.filter((line) => line.includes('LINES_LOST'));
    expect(told.join()).toContain(`${lost.length} bytes`);
    expect(told).toHaveLength(1);
    expect((await textsOf()).some((text) => text.includes('lost-'))).toBe(false);
  });
});

/** Lengths of the files that the store holds; what a killed agent wrote is in its log. */
function storedSizes(log: Log): unknown[] {
  const copy = path.join(log.node.root, 'copy.sqlite');
  for (const suffix of ['', '-wal']) {
    const file = path.join(log.node.root, 'state', `checkpoints.sqlite${suffix}`);
    if (fs.existsSync(file)) fs.copyFileSync(file, copy + suffix);
  }
  const database = new DatabaseSync(copy);
  try {
    return database
      .prepare('SELECT size FROM checkpoint')
      .all()
      .map((row) => row['size']);
  } finally {
    database.close();
  }
}

describe('a store of version 1', () => {
  /** As f9392a1 wrote it. */
  function writeVersion1(log: Log, offset: number): void {
    const stateDir = path.join(node.root, 'state');
    fs.mkdirSync(stateDir, { recursive: true });
    const database = new DatabaseSync(path.join(stateDir, 'checkpoints.sqlite'));
    database.exec(`
      PRAGMA application_id = 1952541036;
      PRAGMA user_version = 1;
      CREATE TABLE checkpoint (
  pod_uid TEXT NOT NULL, container TEXT NOT NULL, restart_count INTEGER NOT NULL,
  fingerprint TEXT NOT NULL, offset INTEGER NOT NULL, device REAL NOT NULL, inode REAL NOT NULL,
  file_name TEXT NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (pod_uid, container, restart_count, fingerprint)
) STRICT, WITHOUT ROWID`);
    const bytes = fs.readFileSync(log.live);
    const line = bytes.subarray(0, Math.min(256, bytes.indexOf('\n')));
    const fingerprint = createHash('sha256').update(line).digest('hex').slice(0, 16);
    const { dev, ino } = fs.statSync(log.live);
    const fileName = path.basename(log.live);
    const row = [uid, 'api', 0, fingerprint, offset, dev, ino, fileName];
    const insert = database.prepare('INSERT INTO checkpoint VALUES (?,?,?,?,?,?,?,?,?)');
    insert.run(...row, crc32(row.join('\0')));
    database.close();
  }

  const beginnings = {
    'with a time': '',
    blank: '\n',
    zeros: `${'\0'.repeat(400)}\n`,
  };

  test.each(Object.entries(beginnings))('first line %s: nothing is sent again', async (_, text) => {
    const log = new Log(node, 'cri');
    const read = text + log.lines('old', 5);
    fs.writeFileSync(log.live, read);
    writeVersion1(log, read.length);
    fs.appendFileSync(log.live, log.lines('new', 3));
    await once(log);
    expect(await textsOf()).toEqual(names('new', 3));
    expect(storedSizes(log)).toEqual([fs.statSync(log.live).size]);
    fs.appendFileSync(log.live, log.lines('newer', 2));
    await once(log);
    expect(await textsOf()).toEqual([...names('new', 3), ...names('newer', 2)]);
    const prefixes = (await entries(node)).map(({ insertId }) => insertId.slice(0, 22));
    expect(new Set(prefixes).size).toBe(1);
  });

  test('a new file with the same first line is not taken for the old one', async () => {
    const log = new Log(node, 'cri');
    fs.writeFileSync(log.live, `\n${log.lines('old', 5)}`);
    writeVersion1(log, fs.statSync(log.live).size);
    fs.renameSync(log.live, log.path('.20260305-140705'));
    fs.writeFileSync(log.live, `\n${log.lines('new', 12)}`);
    await once(log);
    expect(await shown(node)).toEqual(names('new', 12));
  });
});
