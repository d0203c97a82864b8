// What files and chains share, and where they report: positions, losses, faults.

import type { Checkpoint } from '../commit/checkpoint.ts';
import type { ErrorCode } from '../errors.ts';
import type { FileIdentity, FileOwner } from './file-identity.ts';
import type { OpenFiles } from './open-files.ts';

/** The checkpoint of a file within its container. */
export type KnownOffset = Omit<Checkpoint, 'podUid' | 'container'>;

/** The key of a file within one container and restart. */
type FileKey = Pick<Checkpoint, 'fingerprint' | 'instance'>;

/** Why bytes were lost; `lossWords` explains them. */
export const lossReasons = [
  'truncated',
  'deleted',
  'not_unpacked',
  'held_bytes',
  'held_age',
  'damaged',
] as const;
export type LossReason = (typeof lossReasons)[number];

/** Bytes of one file that were lost, from its offset on. */
export type Loss = {
  readonly file: {
    readonly path: string;
    readonly owner: FileOwner;
    readonly offset: number;
    readonly identity: Pick<FileIdentity, 'idPrefix'> | undefined;
  };
  readonly reason: LossReason;
  readonly bytes: number;
};

export type TailSetup = {
  /** Real paths that an opened file must lie under. */
  readonly roots: readonly string[];
  readonly openFiles: OpenFiles;
  /** Where a file without a checkpoint is begun; `end` only during the scan of the first start. */
  from(): 'start' | 'end';
  /** `--once`: the end of a file is the end of its container's log. */
  readonly once: boolean;
  /** Of `performance.now()`: when listings of large directories pause until the next tick. */
  listUntilMs(): number;
  /** Older files have a backlog; milliseconds since the epoch. */
  readonly startedAtMs?: number;
  /** Of all restarts. */
  lookup(podUid: string, container: string): readonly KnownOffset[];
  remember(checkpoint: Checkpoint): void;
  forget(owner: FileOwner, key: FileKey): void;
  /** Called once for each range of bytes. */
  lost(loss: Loss): void;
  /** A file came and went at this path unseen: nobody knows how much it held. */
  missed(path: string): void;
  report(code: ErrorCode, text: string): void;
  /** What becomes of a file, for `--log-level debug`. */
  trace(text: string): void;
};
