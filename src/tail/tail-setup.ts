// What the files and chains of the tail stage share: where links may lead, how many descriptors may
// be open, what was committed, what was lost.

import type { Checkpoint } from '../commit/checkpoint.ts';
import type { ErrorCode } from '../errors.ts';
import type { FileIdentity, FileOwner } from './file-identity.ts';
import type { OpenFiles } from './open-files.ts';

/** What is stored of a file of a container. */
export type KnownOffset = Omit<Checkpoint, 'podUid' | 'container'>;

/** What tells the files of one container and restart apart. */
type FileKey = Pick<Checkpoint, 'fingerprint' | 'instance'>;

/**
 * Why bytes were lost for good:
 * `truncated` by what truncates logs, `deleted` by the kubelet before they could be opened,
 * `not_unpacked` because their `.gz` is broken, `held_bytes` and `held_age` because too much or too
 * long was kept after it had been deleted, `damaged` because the copy that was kept is damaged.
 */
export const lossReasons = [
  'truncated',
  'deleted',
  'not_unpacked',
  'held_bytes',
  'held_age',
  'damaged',
] as const;
export type LossReason = (typeof lossReasons)[number];

/** Bytes of one file that were lost; they began at its offset. */
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
  /**
   * Where reading begins in a file that no checkpoint knows; `end` only while the first start finds
   * what is there already.
   */
  from(): 'start' | 'end';
  /** `--once`: the end of a file is the end of its container's log. */
  readonly once: boolean;
  /**
   * Of `performance.now()`: when listings of large directories pause until the next tick.
   */
  listUntilMs(): number;
  /** Of the agent, milliseconds since the epoch: files that are older come with a backlog. */
  readonly startedAtMs?: number;
  /** Of all restarts. */
  lookup(podUid: string, container: string): readonly KnownOffset[];
  /** Everything before the offset counts as acknowledged for later runs. */
  remember(checkpoint: Checkpoint): void;
  /** The last file of this identity is gone and acknowledged. */
  forget(owner: FileOwner, key: FileKey): void;
  /** Called once for each stretch of bytes that is lost. */
  lost(loss: Loss): void;
  /** A file came and went at this path before it was seen: how much was in it is not known. */
  missed(path: string): void;
  report(code: ErrorCode, text: string): void;
};
