// What the files and chains of the tail stage share: where links may lead, how many descriptors may
// be open, what was committed. Made once by agent.ts.

import type { ErrorCode } from '../errors.ts';
import type { FileOwner } from './file-identity.ts';

/** A place in a file that was answered for by an earlier run. */
export type KnownOffset = { readonly fingerprint: string; readonly offset: number };

export type TailSetup = {
  /** Real paths that an opened file must lie under. */
  readonly roots: readonly string[];
  /** Descriptors of log files: idle files are closed when more than `max` are open. */
  readonly openFiles: { count: number; readonly max: number };
  /** Bytes since the start that nobody can read any more. */
  readonly lostBytes: { truncated: number; notUnpacked: number };
  /**
   * Where reading begins in a file that no checkpoint knows; `end` only while the first start finds
   * what is there already.
   */
  from: 'start' | 'end';
  /** `--once`: the end of a file is the end of its container's log. */
  readonly once: boolean;
  lookup(podUid: string, container: string, restartCount: number): readonly KnownOffset[];
  /** The last file of this identity is gone and answered for. */
  forget(owner: FileOwner, fingerprint: string): void;
  report(code: ErrorCode, text: string): void;
};
