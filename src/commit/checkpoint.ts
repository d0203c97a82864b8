// What is stored of a log file: how far it was acknowledged, and how to find the file and the
// offset again.

/** Stays the same when a file is renamed or compressed, and across restarts. */
export type CheckpointKey = {
  readonly podUid: string;
  readonly container: string;
  readonly restartCount: number;
  /** Hash of the file's first line, and of the first record's time. */
  readonly fingerprint: string;
  /** Distinguishes files without a time, whose first lines may be equal; '' for the others. */
  readonly instance: string;
};

/** Lines that start before `end`, and not before the previous `end`, were read `atMs`. */
export type ReadTime = {
  readonly end: number;
  readonly atMs: number;
  /** Of up to 256 bytes before `end`; undefined: unknown. */
  readonly hash: number | undefined;
  /** The last record before `end` was sent although it may continue. */
  readonly isFlushed: boolean;
};

/** Everything before `offset`, in bytes of the uncompressed file, is acknowledged. */
export type Checkpoint = CheckpointKey & {
  readonly offset: number;
  /** Of up to 256 bytes before the offset; undefined in version 1 of the store. */
  readonly positionHash: number | undefined;
  /** At the last look; undefined in version 1 of the store. */
  readonly size: number | undefined;
  /** Proof only together; `bornMs` is in milliseconds since the epoch, 0 is unknown. */
  readonly device: number;
  readonly inode: number;
  readonly bornMs: number;
  readonly fileName: string;
  /**
   * Of bytes after the offset that may have been sent: all of them with `--format raw` and in a
   * file with an instance, else records that were flushed.
   */
  readonly readTimes: readonly ReadTime[];
};
