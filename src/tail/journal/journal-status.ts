// Computes the status of the node's journal.

import type { EntryHead } from '../../journal/journal-file.ts';
import type { JournalStatus } from '../../journal/journal-status.ts';
import type { JournalPosition } from './journal-positions.ts';
import type { JournalSourceFile } from './journal-source-file.ts';

type ShownFile = {
  readonly file: JournalSourceFile;
  readonly position: JournalPosition;
  /** Entries that are not acknowledged. */
  readonly behind: number;
};

export function journalState(
  files: readonly ShownFile[],
  { directoryCount, nowMs }: { readonly directoryCount: number; readonly nowMs: number },
): Pick<JournalStatus, 'isPersistent' | 'behindEntries' | 'behindSeconds' | 'position'> {
  const behind = files.filter((each) => each.behind > 0);
  const oldestMs = Math.min(nowMs, ...behind.map(firstUnreadMs));
  const byAge = files.toSorted(
    (a, b) => a.file.header.headRealtimeMicros - b.file.header.headRealtimeMicros,
  );
  // journald writes to a later directory until it can write to the first.
  const isInFirst = files.some(({ file }) => file.directoryIndex === 0);
  return {
    isPersistent: files.length === 0 ? undefined : directoryCount === 1 || isInFirst,
    behindEntries: behind.reduce((sum, each) => sum + each.behind, 0),
    behindSeconds: (nowMs - oldestMs) / 1e3,
    position: positionStatus(byAge.at(-1)),
  };
}

function positionStatus(newest: ShownFile | undefined): JournalStatus['position'] {
  if (newest === undefined) return undefined;
  const { seqnum, realtimeMicros } = newest.position;
  const at = realtimeMicros === 0 ? undefined : new Date(realtimeMicros / 1e3).toISOString();
  return { seqnumId: newest.file.header.seqnumId, seqnum, at };
}

/** The time of the first entry after a position; where that is unknown, of the file's first. */
function firstUnreadMs({ file, position: { seqnum } }: ShownFile): number {
  const first = file.read((journal) => {
    let found: EntryHead | undefined;
    journal.readHeads(seqnum, (head) => {
      found = head;
      return false;
    });
    return found;
  });
  return (first?.realtimeMicros ?? file.header.headRealtimeMicros) / 1e3;
}
