// A journal of 100,000 entries: every field is what journalctl shows, in each form that a journal
// may have.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareWithJournalctl, hasSystemd, writeJournal } from './systemd-journal.ts';

const entryCount = 100_000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tailship journal '));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(!hasSystemd)('100,000 entries', () => {
  test.each([
    ['regular, zstd', false, false],
    ['compact, zstd', true, false],
    ['regular, LZ4', false, true],
    ['compact, LZ4', true, true],
  ])('%s, have every field that journalctl shows', (_name, isCompact, isLz4) => {
    const files = writeJournal(directory, entryCount, { isCompact, isLz4 });
    const counts = files.map(compareWithJournalctl);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(entryCount);
  });
});
