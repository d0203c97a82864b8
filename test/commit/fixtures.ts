// Shared by the tests of the store: directories that go away, rows to put, and a log that
// remembers.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import type { Checkpoint, CheckpointKey } from '../../src/commit/checkpoint.ts';
import { callbackLog } from '../support/callback-log.ts';
import type { Log } from '../../src/log.ts';

/** A directory that is removed with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailship-commit-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The checkpoint of one of many files; `index` decides its key. */
export function checkpoint(
  index: number,
  offset: number,
  other: Partial<Checkpoint> = {},
): Checkpoint {
  return {
    podUid: `0b6f0c55-6a57-4d0e-9d0c-${String(index).padStart(12, '0')}`,
    container: `container-${index % 3}`,
    restartCount: index % 5,
    fingerprint: `fingerprint-${index}`,
    instance: index % 2 === 0 ? '' : `instance-${index}`,
    offset,
    positionHash: index % 7 === 0 ? undefined : index * 100_003,
    size: index % 7 === 0 ? undefined : offset,
    bornMs: 1_700_000_000_000.25 + index,
    readTimes: [
      { end: offset, atMs: 1_700_000_000_000 + index, hash: 7, isFlushed: false },
      { end: offset + 9, atMs: 1_700_000_000_001, hash: undefined, isFlushed: index % 2 === 0 },
    ].slice(index % 3),
    device: 2049,
    inode: 262_144 + index,
    fileName: `${index % 5}.log`,
    ...other,
  };
}

/** Compares as text, so that nothing hides in the order of keys or in types. */
export function sorted(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const keyOf = (one: CheckpointKey): string =>
    `${one.podUid}/${one.container}/${one.restartCount}/${one.fingerprint}/${one.instance}`;
  return checkpoints.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

/** A log that keeps its lines as `level CODE`. */
export function rememberingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, ...callbackLog((level, code) => void lines.push(`${level} ${code}`)) };
}
