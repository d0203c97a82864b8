// A task of the drain: the border between the planner (main thread) and an encoder (its own
// thread).
//
// A task is a pure function of file descriptors, offsets and templates. It fills one slot of the
// shared memory with one request body, and reports its progress in each file. It keeps no state:
// a later task reads what it did not consume.

import type { EntryTemplate } from './entries/entry-template.ts';

/** A range of one file, in bytes of the uncompressed file. */
export type Segment = {
  /** Open for reading for as long as the task runs; descriptors are process-wide. */
  readonly fd: number;
  /** The first byte that is not consumed: the start of a line, or of the rest of a cut line. */
  readonly start: number;
  /** One past the last byte to read. */
  readonly end: number;
  /**
   * Nothing will be appended: rotated with a successor, deleted, or `--once`. An unterminated last
   * line then counts as a line.
   */
  readonly ended: boolean;
  /**
   * The first 22 characters of the file's insertIds, `[0-9a-z]`: hash of (pod uid, container,
   * restart count), time of the first line.
   */
  readonly idPrefix: string;
  /**
   * RFC 3339 time of lines without one, if none is within `lookBackBytes` before or
   * `lookAheadBytes` after them. With `--format raw`, the time of reading.
   */
  readonly fallbackTime: string;
  /**
   * Hash of the bytes before `start`: if they have changed, nothing is read. Undefined: not
   * compared.
   */
  readonly positionHash?: number | undefined;
  /**
   * With `--format raw`: RFC 3339 times of lines that were read before and may have been sent. Each
   * applies to lines that start before its `end`, at or after the previous `end`.
   */
  readonly lineTimes?: readonly { readonly end: number; readonly time: string }[];
};

/** How the lines of a file are written. */
export type LineFormat = 'cri' | 'docker' | 'raw';

/** Misses and drops of one rule in one container. */
export type RuleCount = {
  readonly name: string;
  readonly misses: number;
  readonly dropped: number;
};

/** Changes to the records of a container before they are shipped. */
export type RecordRule = {
  /** Regular expressions (RE2): what they match is replaced. */
  readonly redact: readonly string[];
  /**
   * The share of records that is shipped, 0 to 1, in the order of `severityNames`; undefined: all.
   */
  readonly shares: readonly number[] | undefined;
  /** JSON of the rules that inspect records. */
  readonly steps?: string;
  /** RE2 by stream: a record begins at each line that matches. */
  readonly firstLine?: { readonly stdout?: string; readonly stderr?: string };
};

/** One container's files, oldest first: a partial line may go on in the next segment. */
export type Source = EntryTemplate & {
  readonly segments: readonly Segment[];
  /** The container's log ends with the last segment: unfinished records are flushed. */
  readonly ended: boolean;
  /** The record at the start has waited too long for its end: flush it unfinished. */
  readonly flushFirst: boolean;
  readonly format: LineFormat;
  readonly joinStackTraces: boolean;
  /** Absent, as in most: the kernel may encode it. */
  readonly recordRule?: RecordRule;
};

/** Settings for the entries of one log of the journal, such as `kubelet`. */
export type JournalLog = {
  /** Its entries are skipped. */
  readonly isExcluded: boolean;
  readonly template: EntryTemplate;
  readonly recordRule?: RecordRule | undefined;
  /** Maximum bytes of its entries in one body; undefined: no limit. */
  readonly bytesMax?: number | undefined;
};

/** Entries of one journal file, in the order of their sequence numbers. */
export type JournalSegment = {
  readonly fd: number;
  /** Entries up to this one were handled before; 0: from the first on. */
  readonly afterSeqnum: number;
  /** Where the previous task ended: an offset, and the number of entries before it. */
  readonly hint?: { readonly offset: number; readonly entriesBefore: number } | undefined;
  /** Maximum number of entries to inspect. */
  readonly entriesMax: number;
  /** Little is left, so large reads would cost more than they save. */
  readonly isFew: boolean;
  /**
   * The last entries read in other files. If this file holds a copy of one, made when journald
   * moved from /run to /var, everything up to the copy has been read.
   */
  readonly twins: readonly { readonly hash: number; readonly realtimeMicros: number }[];
  /** Globs of the units that are shipped, each to the log of its name. */
  readonly units: readonly string[];
  /** Whether all other units are shipped, to the log `node-journal`. */
  readonly takesOthers: boolean;
  /** Whether the severity follows from PRIORITY. */
  readonly readsPriority: boolean;
  /** By name. The task ends at an entry of any other log. */
  readonly logs: ReadonlyMap<string, JournalLog>;
  /** The project of the body; the task ends at an entry for another. undefined: the node's. */
  readonly project: string | undefined;
};

/** Counts for one log of the journal. */
export type JournalLogResult = {
  readonly name: string;
  /** Shipped or not. */
  readonly lines: number;
  /** In the body. */
  readonly entries: number;
  readonly bytes: number;
};

/** The result of a journal segment. */
export type JournalResult = Pick<SourceResult, 'lines' | 'entries' | 'severities' | 'readError'> & {
  readonly redacted: number;
  readonly sampledOut: number;
  /** Misses and drops of rules. */
  readonly rules: readonly RuleCount[];
  readonly logs: readonly JournalLogResult[];
  /** The log of the entry at which the task ended because it is not in `logs`, or in `project`. */
  readonly nextLog: string | undefined;
  /** The last entry that was handled, shipped or not; `afterSeqnum` if none was. */
  readonly lastSeqnum: number;
  readonly lastHash: number;
  readonly lastRealtimeMicros: number;
  readonly hint: JournalSegment['hint'];
  /** All entries that the file had are handled. */
  readonly isAtEnd: boolean;
  /** Entries that the file had. */
  readonly entryCount: number;
  /** Of the entries in the body. */
  readonly bytes: number;
  /** Unreadable entries that were skipped. */
  readonly corruptEntries: number;
  /** Unreadable entries at the end, which may be incomplete. */
  readonly corruptTail: number;
  /** Fields that were left out or cut. */
  readonly incompleteFields: number;
  /** A twin may follow: nothing was handled. */
  readonly awaitsTwin: boolean;
};

export type DrainTask = {
  /** The slot to fill; it belongs to the task until it answers, then to the shipper. */
  readonly slot: number;
  /** The body up to its first entry, `{"partialSuccess":true,…,"entries":[` in UTF-8. */
  readonly head: Uint8Array;
  readonly sources: readonly Source[];
  /** Instead of `sources`: entries of the node's journal. */
  readonly journal?: JournalSegment;
  /** `projects/P` for traces that become resource names; undefined leaves them bare. */
  readonly traceParent: string | undefined;
  /** The time of reading, milliseconds since the epoch, for lines more than a day ahead of it. */
  readonly readAtMs: number;
};

/** The result of one source. Byte counts are of the file, not of the body. */
export type SourceResult = {
  /** Per segment: one past the last byte of a record in the body; `start` if there is none. */
  readonly consumed: readonly number[];
  /** Per segment: the hash of the bytes before `consumed`, undefined where nothing was consumed. */
  readonly positionHashes?: readonly (number | undefined)[];
  /** Index of the segment whose bytes before its start have changed. */
  readonly replaced?: number | undefined;
  readonly lines: number;
  readonly entries: number;
  /** Entries by severity, in the order of `severityNames`; undefined: all are INFO. */
  readonly severities: readonly number[] | undefined;
  /** Lines that the kernel alone encoded. */
  readonly fastLines: number;
  /** Lines that are invalid in their format and were shipped as text. */
  readonly malformedLines: number;
  /** Entries in which something was replaced; absent when there are none. */
  readonly redacted?: number;
  /** Records that the rule left out; absent when there are none. */
  readonly sampledOut?: number;
  /** Misses and drops of rules; absent when there are none. */
  readonly rules?: readonly RuleCount[];
  /** Zeros where a line should have begun; absent when there are none. */
  readonly holeBytes?: number;
  /** A read failed with this errno code; what was read before it counts. */
  readonly readError: string | undefined;
  /** The segments have more bytes that only wait for room in the body. */
  readonly more: boolean;
};

export type DrainResult = {
  /** Length of the body in the slot; 0 when there is no entry to send. */
  readonly bodyBytes: number;
  readonly entries: number;
  /** In the order of `task.sources`. Sources after the body was full have consumed nothing. */
  readonly sources: readonly SourceResult[];
  readonly journal?: JournalResult;
  /** CPU time that the task took in its thread, microseconds. */
  readonly cpuMicros: number;
};
