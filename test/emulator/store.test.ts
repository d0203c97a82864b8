import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compareInstants } from '../../src/emulator/protocol/timestamp.ts';
import {
  compareText,
  type EntryKey,
  type EntryStore,
  type StoredEntry,
} from '../../src/emulator/store/entry-store.ts';
import { BoundedStore } from '../../src/emulator/store/bounded-store.ts';
import { MemoryStore } from '../../src/emulator/store/memory-store.ts';
import { SqliteStore } from '../../src/emulator/store/sqlite-store.ts';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import { openEmulator } from './emulator-fixture.ts';
import { seedOfRun } from '../support/seed.ts';

function freshFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailship-emulator-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'entries.db');
}

const stores: readonly (readonly [name: string, open: () => EntryStore])[] = [
  ['MemoryStore', () => new MemoryStore()],
  ['BoundedStore', () => new BoundedStore(Number.POSITIVE_INFINITY)],
  // A part is full as soon as it holds anything: each entry is in one of its own.
  ['BoundedStore of many parts', () => new BoundedStore(1, 10_000)],
  ['SqliteStore', () => new SqliteStore(freshFile())],
];

const ids = ['a', 'b', 'aa', 'é', '\u{1F600}', '\uFFFD', '0'.repeat(5000), 'Z'];

function entryOf(random: (below: number) => number): StoredEntry {
  const project = `projects/p${random(2)}`;
  return {
    parent: project,
    logName: `${project}/logs/l${random(3)}`,
    timestamp: { seconds: random(5) - 2, nanos: random(3) * 333_333_333 },
    insertId: ids[random(ids.length)] ?? '',
    receiveTime: { seconds: 1_700_000_000 + random(1000), nanos: random(1e9) },
    defaults: JSON.stringify({ labels: { a: String(random(4)) } }),
    json: Buffer.from(JSON.stringify({ textPayload: 'x'.repeat(random(2000)) + random(1e9) })),
  };
}

function compareKeys(left: EntryKey, right: EntryKey): number {
  return (
    compareInstants(left.timestamp, right.timestamp) ||
    compareText(left.insertId, right.insertId) ||
    compareText(left.parent, right.parent)
  );
}

describe.each(stores)('%s', (_name, open) => {
  it('keeps the first of each identity and pages in order, as a plain list does', () => {
    const seed = seedOfRun();
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return Math.floor((state / 0x80000000) * below);
    };
    const store = open();
    const model: StoredEntry[] = [];
    for (let round = 0; round < 30; round += 1) {
      store.transaction(() => {
        for (let count = 0; count < 40; count += 1) {
          const entry = entryOf(random);
          const isNew = model.every((other) => compareKeys(other, entry) !== 0);
          expect(store.add(entry), `seed ${seed}`).toBe(isNew);
          if (isNew) model.push(entry);
        }
      });
      if (round === 20) {
        const gone = 'projects/p1/logs/l1';
        const kept = model.filter((entry) => entry.logName !== gone);
        expect(store.deleteLog(gone)).toBe(model.length - kept.length);
        model.splice(0, model.length, ...kept);
      }
      expect(store.count).toBe(model.length);
      const sorted = model.toSorted(compareKeys);
      expect(pagesOf(store, 1 + random(50), false), `seed ${seed}`).toEqual(sorted);
      expect(pagesOf(store, 1 + random(50), true), `seed ${seed}`).toEqual(sorted.toReversed());
      expect(store.logNames()).toEqual(
        [...new Set(model.map((entry) => entry.logName))].toSorted(),
      );
    }
    store.clear();
    expect([store.count, store.page({ countMax: 10 })]).toEqual([0, []]);
    store.close();
  });

  it('takes entries larger than a block, between small ones', () => {
    const store = open();
    const texts = [10, 300_000, 20, 65_536, 65_537, 1].map((length) => 'y'.repeat(length));
    for (const [index, text] of texts.entries()) {
      const entry = entryOf(() => 0);
      store.add({ ...entry, timestamp: { seconds: index, nanos: 0 }, json: Buffer.from(text) });
    }
    expect(store.page({ countMax: 10 }).map((entry) => entry.json.toString())).toEqual(texts);
    store.close();
  });
});

describe('a store with a bound', () => {
  const entryAt = (seconds: number): StoredEntry => ({
    ...entryOf(() => 0),
    timestamp: { seconds, nanos: 0 },
    json: randomBytes(1_000),
  });

  it('keeps the newest within it, and counts what it drops', () => {
    const bytesMax = 4 * 1024 * 1024;
    const store = new BoundedStore(bytesMax);
    const total = 20_000;
    for (let seconds = 0; seconds < total; seconds += 1) {
      expect(store.add(entryAt(seconds))).toBe(true);
      expect(store.bytes).toBeLessThan(bytesMax * 1.25);
    }
    expect(store.count + store.droppedCount).toBe(total);
    expect(store.count).toBeGreaterThan(1_500);
    expect(store.droppedCount).toBeGreaterThan(total / 2);
    const kept = pagesOf(store, 700, false).map(({ timestamp }) => timestamp.seconds);
    expect(kept).toEqual(Array.from({ length: store.count }, (_, at) => at + store.droppedCount));
    expect(store.add(entryAt(total - 1))).toBe(false);
    expect(store.add(entryAt(store.droppedCount))).toBe(false);
    store.clear();
    expect([store.count, store.droppedCount]).toEqual([0, 0]);
  });

  it('says so over HTTP, to the page, and to who verifies', async () => {
    const { emulator, write } = await openEmulator({ memoryBytes: 2 * 1024 * 1024 });
    for (let round = 0; round < 40; round += 1) {
      const textPayload = randomBytes(60_000).toString('base64');
      await write({ entries: [{ textPayload, insertId: String(round) }] });
    }
    const { droppedEntries, distinctEntries } = emulator.stats();
    expect(distinctEntries).toBe(40);
    expect(droppedEntries).toBeGreaterThan(0);
    const page = await (await fetch(`${emulator.url}/emulator/explore`)).json();
    expect(page).toMatchObject({ droppedCount: droppedEntries, keptCount: 40 - droppedEntries });
    await expect(verifyShipped(emulator.url, { seed: 1, containers: [] })).rejects.toThrow(
      `dropped ${droppedEntries} entries`,
    );
  });
});

function pagesOf(store: EntryStore, countMax: number, descending: boolean): StoredEntry[] {
  const all: StoredEntry[] = [];
  for (;;) {
    const page = store.page({ after: all.at(-1), descending, countMax });
    all.push(...page);
    if (page.length < countMax) return all;
  }
}

it('An emulator with --data finds its entries again', async () => {
  const dataFile = freshFile();
  const first = await openEmulator({ dataFile });
  await first.write({
    labels: { a: 'b' },
    entries: [{ textPayload: 'kept', insertId: 'i', timestamp: '2024-01-01T00:00:00Z' }],
  });
  const before = await first.stored();
  await first.emulator.close();
  const second = await openEmulator({ dataFile });
  expect(await second.stored()).toEqual(before);
  expect(before).toMatchObject([{ textPayload: 'kept', labels: { a: 'b' } }]);
  expect(second.emulator.stats()).toMatchObject({ entries: 0, distinctEntries: 1 });
});
