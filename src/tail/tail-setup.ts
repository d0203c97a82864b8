// What the files and chains of the tail stage share: where links may lead, how many descriptors may
// be open, what was committed, what was lost. Made once by fleet.ts.

import type { ErrorCode } from '../errors.ts';
import type { FileOwner } from './file-identity.ts';
import type { LogFile } from './log-file.ts';

/** A place in a file that was answered for by an earlier run; device and inode are a hint. */
export type KnownOffset = {
  readonly restartCount: number;
  readonly fingerprint: string;
  readonly offset: number;
  readonly device: number;
  readonly inode: number;
  readonly fileName: string;
};

/**
 * Why bytes were lost that nobody can read any more:
 * `truncated` by whoever truncates logs, `deleted` by the kubelet before they could be opened,
 * `not_unpacked` because their `.gz` is broken, `held_bytes` and `held_age` because too much or too
 * long was kept open after it had been deleted.
 */
export const lossReasons = [
  'truncated',
  'deleted',
  'not_unpacked',
  'held_bytes',
  'held_age',
] as const;
export type LossReason = (typeof lossReasons)[number];

/** Bytes of one file that were lost; they began at its offset. */
export type Loss = { readonly file: LogFile; readonly reason: LossReason; readonly bytes: number };

/** Descriptors of log files: past `max` those that can be had again are closed. */
export type OpenFiles = { count: number; readonly max: number };

export type TailSetup = {
  /** Real paths that an opened file must lie under. */
  readonly roots: readonly string[];
  readonly openFiles: OpenFiles;
  /**
   * Where reading begins in a file that no checkpoint knows; `end` only while the first start finds
   * what is there already.
   */
  from: 'start' | 'end';
  /** `--once`: the end of a file is the end of its container's log. */
  readonly once: boolean;
  /**
   * Of `performance.now()`: when listings of large directories pause until the next tick;
   * undefined: never.
   */
  listUntilMs?: number;
  /** Of all restarts. */
  lookup(podUid: string, container: string): readonly KnownOffset[];
  /** Everything before the file's committed offset is to be taken as answered for by later runs. */
  remember(file: LogFile): void;
  /** The last file of this identity is gone and answered for. */
  forget(owner: FileOwner, fingerprint: string): void;
  /** Closes descriptors of other chains that are not needed at the moment, if there are any. */
  makeRoom(): void;
  /** Called once for each stretch of bytes that is lost. */
  lost(loss: Loss): void;
  report(code: ErrorCode, text: string): void;
};
