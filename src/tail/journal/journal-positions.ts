// How far the journal is acknowledged, for each sequence of numbers.
//
// Invariant: only an answer advances a position. Numbers are unique and grow within an id, across
// rotations and restarts of journald.

import type { Checkpoint } from '../../commit/checkpoint.ts';
import type { JournalResult } from '../../encode/drain-task.ts';
import type { JournalSourceFile } from './journal-source-file.ts';

/** The last entry that was handled. */
export type JournalPosition = {
  readonly seqnum: number;
  /** Of the part that copies of the entry share; 0: unknown. */
  readonly hash: number;
  readonly realtimeMicros: number;
};

export type PositionStore = {
  readonly lookup: (podUid: string, container: string) => readonly Checkpoint[];
  readonly claim: (podUid: string, container: string) => void;
  readonly put: (checkpoint: Checkpoint) => void;
};

/** In the store instead of a pod's uid. */
const owner = 'journal';
/** Marks that there was a first start. */
const startedMark = 'started';
const none: JournalPosition = { seqnum: 0, hash: 0, realtimeMicros: 0 };

export class JournalPositions {
  readonly #store: PositionStore;
  readonly #positions = new Map<string, JournalPosition>();

  constructor(store: PositionStore) {
    this.#store = store;
    // Also without a journal: the first start begins the node's files at their ends.
    store.claim(owner, startedMark);
  }

  /** Whether no earlier run has read a journal. */
  get isFirstStart(): boolean {
    return this.#store.lookup(owner, startedMark).length === 0;
  }

  noteStart(): void {
    this.#save(startedMark, none, '');
  }

  of(seqnumId: string): JournalPosition {
    const known = this.#positions.get(seqnumId);
    if (known !== undefined) return known;
    this.#store.claim(owner, seqnumId);
    const [stored] = this.#store.lookup(owner, seqnumId);
    const position =
      stored === undefined
        ? none
        : {
            seqnum: stored.offset,
            hash: stored.positionHash ?? 0,
            realtimeMicros: Math.round(stored.bornMs * 1_000),
          };
    this.#positions.set(seqnumId, position);
    return position;
  }

  all(): Iterable<JournalPosition> {
    return this.#positions.values();
  }

  acknowledge({ header, path }: JournalSourceFile, result: JournalResult): void {
    if (result.lastSeqnum <= this.of(header.seqnumId).seqnum) return;
    const { lastSeqnum: seqnum, lastHash: hash, lastRealtimeMicros: realtimeMicros } = result;
    this.set(header.seqnumId, { seqnum, hash, realtimeMicros }, path);
  }

  set(seqnumId: string, position: JournalPosition, path: string): void {
    this.#positions.set(seqnumId, position);
    this.#save(seqnumId, position, path);
  }

  #save(container: string, { seqnum, hash, realtimeMicros }: JournalPosition, path: string): void {
    this.#store.put({
      podUid: owner,
      container,
      restartCount: 0,
      fingerprint: '',
      instance: '',
      offset: seqnum,
      positionHash: hash,
      size: undefined,
      device: 0,
      inode: 0,
      bornMs: realtimeMicros / 1_000,
      fileName: path,
      readTimes: [],
    });
  }
}
