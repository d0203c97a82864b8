// What is stored of a log file: how far it was acknowledged, and what is needed to find the file
// and the offset again.

/** What stays the same when a file is renamed, compressed, or met again after a restart. */
export type CheckpointKey = {
  readonly podUid: string;
  readonly container: string;
  readonly restartCount: number;
  /** Hash of the file's first line, and of the first record's time. */
  readonly fingerprint: string;
  /** Tells files without a time apart, whose first lines may be equal; '' for the others. */
  readonly instance: string;
};

/** Lines that start before `end`, and not before the end of the one before, were read `atMs`. */
export type ReadTime = {
  readonly end: number;
  readonly atMs: number;
  /** Of up to 256 bytes before `end`; undefined where it is not known. */
  readonly hash: number | undefined;
  /** The last record before `end` was sent though it may go on there. */
  readonly isFlushed: boolean;
};

/** Everything before `offset`, in bytes of the uncompressed file, is acknowledged. */
export type Checkpoint = CheckpointKey & {
  readonly offset: number;
  /** Of up to 256 bytes before the offset; undefined in what version 1 of the store held. */
  readonly positionHash: number | undefined;
  /** Bytes of the file at the last look; undefined in what version 1 of the store held. */
  readonly size: number | undefined;
  /** Hints, and proof only together; a birth of 0, in milliseconds since the epoch, is unknown. */
  readonly device: number;
  readonly inode: number;
  readonly bornMs: number;
  readonly fileName: string;
  /**
   * Of what may have been sent behind the offset: with `--format raw`, and of a file that has an
   * instance, all of it, else what was flushed.
   */
  readonly readTimes: readonly ReadTime[];
};
