// The journal as a source: whatever journald does with its files, each entry is read once.

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { journalRules } from '../../src/agent/open-sources.ts';
import type { Checkpoint } from '../../src/commit/checkpoint.ts';
import { drainJournalTask } from '../../src/encode/journal/drain-journal.ts';
import { createSharedMemory, slotAddress } from '../../src/encode/shared-memory.ts';
import { JournalSource } from '../../src/tail/journal/journal-source.ts';
import {
  hasSystemd,
  journalPath,
  kubeletEntries,
  renumber,
  writeJournal,
} from '../support/journal-writer.ts';
import { makeConfig } from '../support/make-config.ts';

const layout = { encoderCount: 1, slotCount: 1 };
const memory = Buffer.from(createSharedMemory(layout).buffer);
const nodeIdentity = { project: 'p', location: 'l', cluster: 'c', node: 'n' };
const numbering = 'a'.repeat(32);

let root: string;
let checkpoints: Map<string, Checkpoint>;
let reports: string[];
let claimed: Set<string>;
let lostEntries: number;
let source: JournalSource;
let nowMs = 0;

function directory(name: 'var' | 'run'): string {
  return path.join(root, name);
}

/** A source of a process that has just started. */
function restart(options: readonly string[] = []): void {
  source?.close();
  const config = makeConfig({ rateLimit: options });
  source = new JournalSource(
    {
      directories: [directory('var'), directory('run')],
      units: ['kubelet.service'],
      takesOthers: false,
      readsPriority: false,
      from: 'end',
    },
    {
      nodeIdentity,
      store: {
        lookup: (_pod, container) => [checkpoints.get(container)].filter((found) => !!found),
        claim: (_pod, container) => claimed.add(container),
        put: (checkpoint) => checkpoints.set(checkpoint.container, checkpoint),
      },
      rules: journalRules(config, nodeIdentity),
      isPaced: true,
      lost: (entries) => (lostEntries += entries),
      report: (code, text) => reports.push(`${code} ${text}`),
    },
  );
}

type Entry = { readonly insertId: string; readonly jsonPayload: { readonly MESSAGE: string } };

/** Reads one body, or less if it is not acknowledged; the messages of its entries. */
function readBody({ isAcknowledged = true } = {}): string[] | undefined {
  nowMs += 60_000;
  source.look(nowMs);
  const plan = source.take(0, nowMs);
  if (plan === undefined) return undefined;
  const result = drainJournalTask(memory, layout, plan.task);
  source.drained(result, nowMs);
  if (isAcknowledged) source.acknowledged();
  const start = slotAddress(layout, 0);
  const text = memory.toString('utf8', start, start + result.bodyBytes);
  if (text === '') return [];
  const { entries } = JSON.parse(text) as { readonly entries: readonly Entry[] };
  return entries.map(({ jsonPayload }) => jsonPayload.MESSAGE);
}

function readAll(): string[] {
  const all: string[] = [];
  for (let body = readBody(); body !== undefined; body = readBody()) all.push(...body);
  return all;
}

function lines(count: number, from = 0): string[] {
  return kubeletEntries(count, from).map(({ message }) => message);
}

/** A file of journald's, in its numbering from `from` on. */
function writeFrom(file: string, count: number, from: number, seqnumId = numbering): void {
  writeJournal(file, kubeletEntries(count, from));
  renumber(file, { by: from, seqnumId });
}

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tailship journal-'));
  checkpoints = new Map();
  reports = [];
  claimed = new Set();
  lostEntries = 0;
  restart();
  // The first start is over: what comes from now on is new.
  source.look(nowMs);
});

afterEach(() => {
  source.close();
  rmSync(root, { recursive: true, force: true });
});

describe.skipIf(!hasSystemd)('the journal', () => {
  test('goes on in the file that follows a rotation, also after a restart', () => {
    const live = journalPath(directory('var'));
    writeFrom(live, 30, 0);
    expect(readAll()).toEqual(lines(30));
    renameSync(live, journalPath(directory('var'), `system@${numbering}-1-1.journal`));
    writeFrom(live, 30, 30);
    restart();
    expect(readAll()).toEqual(lines(30, 30));
    restart();
    expect(readAll()).toEqual([]);
    expect(reports).toEqual([]);
  });

  test('that is vacuumed while it is read is read to its end', () => {
    const names = [0, 1, 2].map((index) => `system@${numbering}-${index}-1.journal`);
    for (const [index, name] of names.entries()) {
      writeFrom(journalPath(directory('var'), name), 20, index * 20);
    }
    writeFrom(journalPath(directory('var')), 20, 60);
    expect(readBody()).toEqual(lines(20));
    for (const name of names) unlinkSync(journalPath(directory('var'), name));
    expect(readAll()).toEqual(lines(60, 20));
    expect(reports).toEqual([]);
  });

  test('that is vacuumed before it could be opened is counted as lost', () => {
    const count = 20;
    for (let index = 0; index < count; index += 1) {
      writeFrom(journalPath(directory('var'), `system@${index}.journal`), 5, index * 5);
    }
    source.look((nowMs += 60_000));
    for (let index = 0; index < count; index += 1) {
      unlinkSync(journalPath(directory('var'), `system@${index}.journal`));
    }
    const read = readAll();
    expect(read).toEqual(lines(16 * 5));
    expect(source.status.lostEntries).toBe(4 * 5);
    expect(lostEntries).toBe(4 * 5);
    expect(reports.some((text) => text.startsWith('LINES_LOST'))).toBe(true);
  });

  test.each([
    ['in the same numbering', numbering],
    ['in a numbering of its own', 'b'.repeat(32)],
  ])('that moves from /run to /var %s is not read twice', (_name, seqnumId) => {
    const volatile = journalPath(directory('run'));
    writeFrom(volatile, 40, 0);
    expect(readAll()).toEqual(lines(40));
    const moved = journalPath(directory('var'));
    copyFileSync(volatile, moved);
    renumber(moved, { by: 40, seqnumId });
    writeJournal(moved, kubeletEntries(10, 40));
    unlinkSync(volatile);
    expect(readAll()).toEqual(lines(10, 40));
    restart();
    expect(readAll()).toEqual([]);
  });

  test('that moves while the agent is down, half of it read, goes on where it was', () => {
    const volatile = journalPath(directory('run'));
    writeFrom(volatile, 40, 0);
    expect(readAll()).toEqual(lines(40));
    restart();
    writeJournal(volatile, kubeletEntries(20, 40));
    copyFileSync(volatile, journalPath(directory('var')));
    renumber(journalPath(directory('var')), { by: 60, seqnumId: numbering });
    unlinkSync(volatile);
    expect(readAll()).toEqual(lines(20, 40));
  });

  test('of another machine id is read from its beginning', () => {
    writeFrom(journalPath(directory('var')), 10, 0);
    expect(readAll()).toEqual(lines(10));
    const cloned = journalPath(directory('var')).replace(/[0-9a-f]{32}/, 'c'.repeat(32));
    writeFrom(journalPath(directory('var'), 'other.journal'), 10, 10, 'd'.repeat(32));
    renameSync(path.dirname(journalPath(directory('var'))), path.dirname(cloned));
    expect(readAll()).toEqual(lines(10, 10));
  });

  test('with a torn tail is read up to it, and the file after it', () => {
    const torn = journalPath(directory('var'), `system@0006-${numbering}.journal~`);
    writeFrom(journalPath(directory('var')), 300, 0);
    renameSync(journalPath(directory('var')), torn);
    const bytes = readFileSync(torn);
    const first = Number(bytes.readBigUInt64LE(176));
    const last = Number(bytes.readBigUInt64LE(136));
    truncateSync(torn, Math.floor(first + (last - first) * 0.7));
    writeFrom(journalPath(directory('var')), 10, 300, 'b'.repeat(32));
    const read = readAll();
    expect(read.slice(-10)).toEqual(lines(10, 300));
    const before = read.slice(0, -10);
    expect(before).toEqual(lines(before.length));
    expect(before.length).toBeGreaterThan(20);
    expect(reports.some((text) => text.startsWith('JOURNAL_UNREADABLE'))).toBe(true);
  });

  test('is not met for the first time again after a time without any file', () => {
    expect(checkpoints.has('started')).toBe(true);
    claimed.clear();
    restart();
    source.look((nowMs += 60_000));
    // What nobody claims is forgotten after ten minutes.
    expect(claimed).toContain('started');
    writeFrom(journalPath(directory('var')), 10, 0);
    expect(readAll()).toEqual(lines(10));
    expect(claimed).toContain(numbering);
  });

  test('that is written to until it is rotated loses nothing in between', () => {
    const live = journalPath(directory('var'));
    writeFrom(live, 10, 0);
    expect(readAll()).toEqual(lines(10));
    writeJournal(live, kubeletEntries(10, 10));
    renameSync(live, journalPath(directory('var'), `system@${numbering}-1-1.journal`));
    writeFrom(live, 10, 20);
    expect(readAll()).toEqual(lines(20, 10));
  });

  test('is sent again after a kill under the same ids, and only what was not answered', () => {
    const live = journalPath(directory('var'));
    writeFrom(live, 30, 0);
    expect(readBody({ isAcknowledged: false })).toEqual(lines(30));
    restart();
    expect(readBody()).toEqual(lines(30));
    writeJournal(live, kubeletEntries(5, 30));
    expect(readAll()).toEqual(lines(5, 30));
  });

  test('is read as slowly as the slowest of its logs may be', () => {
    const live = journalPath(directory('var'));
    writeFrom(live, 600, 0);
    restart(['_node/*/kubelet=4Ki']);
    const first = readBody() ?? [];
    expect(first.length).toBeGreaterThan(5);
    expect(first.length).toBeLessThan(600);
    const [log] = source.status.logs;
    expect(log).toMatchObject({ name: 'kubelet', readEntries: first.length, bytesPerSecond: 4096 });
    const seconds = (log?.bytes ?? 0) / 4096;
    source.look(nowMs);
    expect(source.take(0, nowMs + seconds * 900)).toBeUndefined();
    expect(source.take(0, nowMs + seconds * 1_100)).toBeDefined();
    restart(['_node/*/docker=4Ki']);
    expect([...first, ...readAll()]).toEqual(lines(600));
  });

  test('says how far it was read, log by log, and whether it outlives a reboot', () => {
    expect(source.status).toMatchObject({ files: 0, isPersistent: undefined, position: undefined });
    const volatile = journalPath(directory('run'));
    writeFrom(volatile, 30, 0);
    source.look((nowMs += 60_000));
    expect(source.status).toMatchObject({ isPersistent: false, behindEntries: 30, logs: [] });
    const { behindSeconds } = source.status;
    expect(behindSeconds).toBeGreaterThan(0);
    expect(behindSeconds).toBeLessThan(600);
    expect(readBody({ isAcknowledged: false })).toEqual(lines(30));
    const log = { name: 'kubelet', readEntries: 30, entries: 0, inFlightEntries: 30 };
    expect(source.status).toMatchObject({ behindEntries: 30, logs: [log] });
    source.acknowledged();
    expect(source.status).toMatchObject({
      unreadableFiles: 0,
      behindEntries: 0,
      behindSeconds: 0,
      position: { seqnumId: numbering, seqnum: 30, at: expect.stringMatching(/^20.*Z$/) },
      logs: [{ ...log, entries: 30, inFlightEntries: 0, isExcluded: false, rules: [] }],
    });
    writeFrom(journalPath(directory('var'), 'other.journal'), 1, 0, 'b'.repeat(32));
    source.look((nowMs += 60_000));
    expect(source.status).toMatchObject({ files: 2, isPersistent: true });
  });

  test('gets a body each ten seconds where containers leave it no room', () => {
    writeFrom(journalPath(directory('var')), 10, 0);
    source.look((nowMs += 60_000));
    expect(source.isOverdue(nowMs + 9_000)).toBe(false);
    expect(source.isOverdue(nowMs + 11_000)).toBe(true);
    expect(readAll()).toEqual(lines(10));
    expect(source.isOverdue(nowMs + 60_000)).toBe(false);
  });

  test('has one body under way at most, of so many entries that containers need not wait', () => {
    writeFrom(journalPath(directory('var')), 6_000, 0);
    const first = readBody({ isAcknowledged: false }) ?? [];
    expect(first.length).toBeLessThanOrEqual(4_096);
    expect(readBody()).toBeUndefined();
    source.acknowledged();
    expect([...first, ...readAll()]).toEqual(lines(6_000));
  });

  test('of users and namespaces is left alone, and what is no journal is reported', () => {
    writeFrom(journalPath(directory('var'), 'user-1000.journal'), 5, 0);
    const ofNamespace = path.join(directory('var'), `${numbering}.my-namespace`);
    mkdirSync(ofNamespace);
    writeFrom(path.join(ofNamespace, 'system.journal'), 5, 0);
    writeFrom(journalPath(directory('var'), 'broken.journal'), 5, 0);
    truncateSync(journalPath(directory('var'), 'broken.journal'), 100);
    expect(readAll()).toEqual([]);
    source.look((nowMs += 60_000));
    expect(reports.some((text) => text.includes('broken.journal'))).toBe(true);
    expect(reports.some((text) => text.includes('user-1000'))).toBe(false);
  });
});
