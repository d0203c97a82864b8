// A task of the drain: the border between the planner (main thread) and an encoder (its own
// thread).
//
// A task is a pure function of file descriptors, offsets and templates. It fills one slot of the
// shared memory with one request body, and says how far it came in each file. It keeps no state:
// what it did not consume is read again by a later task.

import type { EntryTemplate } from './entries/entry-template.ts';

/** A range of one file, in bytes of the uncompressed file. */
export type Segment = {
  /** Open for reading for as long as the task runs; descriptors are process-wide. */
  readonly fd: number;
  /**
   * First byte that is not consumed yet. It is the start of a line, or the rest of a line that was
   * cut.
   */
  readonly start: number;
  /** One past the last byte to read. */
  readonly end: number;
  /**
   * Nothing will ever be appended: rotated away with a successor, deleted, or `--once`. An
   * unterminated last line then counts as a line.
   */
  readonly ended: boolean;
  /**
   * The first 22 characters of every insertId of this file: hash of (pod uid, container, restart
   * count), first line's time. `[0-9a-z]`.
   */
  readonly idPrefix: string;
  /**
   * RFC 3339. The time of lines that have none, when neither a line within `lookBackBytes` before
   * them nor one within `lookAheadBytes` after them has one; with `--format raw`, the time of
   * reading.
   */
  readonly fallbackTime: string;
  /**
   * Of the bytes before `start`: where the file holds others now, nothing is read. Undefined:
   * not compared.
   */
  readonly positionHash?: number | undefined;
  /**
   * With `--format raw`: the times, RFC 3339, of lines that were read before and may have been
   * sent. Each is that of the lines that start before its `end`, and not before that of the one
   * before it.
   */
  readonly lineTimes?: readonly { readonly end: number; readonly time: string }[];
};

/** How the lines of a file are written. */
export type LineFormat = 'cri' | 'docker' | 'raw';

/** Records of one container that a rule could not treat, and that it left out. */
export type RuleCount = {
  readonly name: string;
  readonly misses: number;
  readonly dropped: number;
};

/** What is done to the records of a container before they are shipped. */
export type RecordRule = {
  /** Regular expressions (RE2): what they match is replaced. */
  readonly redact: readonly string[];
  /**
   * The share of the records that is shipped, 0 to 1, by severity in the order of `severityNames`;
   * undefined: all are.
   */
  readonly shares: readonly number[] | undefined;
  /** JSON of the rules that look into the records. */
  readonly steps?: string;
  /** RE2 by stream: a record begins at each line that matches. */
  readonly firstLine?: { readonly stdout?: string; readonly stderr?: string };
};

/**
 * One container's files (rotated, then live), oldest first: a partial line may begin in one segment
 * and end in the next.
 */
export type Source = EntryTemplate & {
  readonly segments: readonly Segment[];
  /** The container's log is over after the last segment: whatever dangles is flushed. */
  readonly ended: boolean;
  /**
   * The record at the first segment's start has waited too long for its end: flush that one record
   * as it is.
   */
  readonly flushFirst: boolean;
  readonly format: LineFormat;
  readonly joinStackTraces: boolean;
  /** Absent, as in most: the kernel may encode it. */
  readonly recordRule?: RecordRule;
};

export type DrainTask = {
  /**
   * Which slot of the shared memory to fill; it belongs to the task until it answers, then to the
   * shipper.
   */
  readonly slot: number;
  /**
   * Everything of the body before the first entry, `{"partialSuccess":true,…,"entries":[` in UTF-8.
   */
  readonly head: Uint8Array;
  readonly sources: readonly Source[];
  /**
   * `projects/P`: for traces that become resource names; undefined leaves 32 hex digits bare
   * (`--trace-format bare`).
   */
  readonly traceParent: string | undefined;
  /**
   * The time of reading, milliseconds since the epoch: what a line gets whose own time is more than
   * a day after it.
   */
  readonly readAtMs: number;
};

/** What became of one source. Byte counts are of the file, not of the body. */
export type SourceResult = {
  /**
   * Per segment: one past the last byte whose record is in the body; equals `start` if none.
   */
  readonly consumed: readonly number[];
  /** Per segment: the hash of the bytes before `consumed`, undefined where nothing was consumed. */
  readonly positionHashes?: readonly (number | undefined)[];
  /** Index of the segment whose bytes before its start are others than they were. */
  readonly replaced?: number | undefined;
  readonly lines: number;
  readonly entries: number;
  /** Entries by severity, in the order of `severityNames`; undefined: all are INFO. */
  readonly severities: readonly number[] | undefined;
  /** Lines that the kernel alone encoded. */
  readonly fastLines: number;
  /** Lines that are no valid line of their format and were shipped as text. */
  readonly malformedLines: number;
  /** Entries in which something was replaced; absent when there are none. */
  readonly redacted?: number;
  /** Records that the rule left out; absent when there are none. */
  readonly sampledOut?: number;
  /** What rules could not treat or left out; absent when there is nothing. */
  readonly rules?: readonly RuleCount[];
  /** Zeros where a line should have begun; absent when there are none. */
  readonly holeBytes?: number;
  /** A read failed with this errno code; what was read before it counts. */
  readonly readError: string | undefined;
  /** Bytes are left in the segments that only wait for room in the body. */
  readonly more: boolean;
};

export type DrainResult = {
  /** Length of the body in the slot; 0 when there is no entry to send. */
  readonly bodyBytes: number;
  readonly entries: number;
  /** In the order of `task.sources`. Sources after the body was full have consumed nothing. */
  readonly sources: readonly SourceResult[];
  /** CPU time that the task took in its thread, microseconds. */
  readonly cpuMicros: number;
};
