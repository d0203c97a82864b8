// What is shown of the node's journal. Counts are since the start of the agent.

import type { RuleText } from '../rules/rule-text.ts';

/** One log of the journal, such as `kubelet`, that has had an entry since the start. */
export type JournalLogStatus = {
  readonly name: string;
  /** Entries read, shipped or not. */
  readonly readEntries: number;
  /** Acknowledged entries, and their bytes as sent. */
  readonly entries: number;
  readonly bytes: number;
  /** Read but not acknowledged; unread entries are counted for the journal as a whole. */
  readonly inFlightEntries: number;
  /** RFC 3339, when its last entry was read. */
  readonly lastReadAt: string | undefined;
  readonly isExcluded: boolean;
  /** Its rate limit. */
  readonly bytesPerSecond: number | undefined;
  /** In order. */
  readonly rules: readonly RuleText[];
};

export type JournalLogSums = Pick<JournalLogStatus, 'readEntries' | 'entries'>;

export type JournalStatus = {
  readonly files: number;
  readonly unreadableFiles: number;
  /** Whether the journal survives a reboot; undefined: there is none. */
  readonly isPersistent: boolean | undefined;
  /** Not acknowledged; an estimate, because numbers can be missing. */
  readonly behindEntries: number;
  /** Age of the oldest entry that is not acknowledged; 0 when there is none. */
  readonly behindSeconds: number;
  /** The last acknowledged entry of the current numbering. */
  readonly position:
    | {
        /** 32 hexadecimal digits. */
        readonly seqnumId: string;
        readonly seqnum: number;
        /** RFC 3339; undefined: nothing was read yet. */
        readonly at: string | undefined;
      }
    | undefined;
  /** Shipped. */
  readonly entries: number;
  /** Unreadable, and skipped. */
  readonly corruptEntries: number;
  /** Left out or cut. */
  readonly incompleteFields: number;
  /** Deleted before they were read, by the count in the file's header. */
  readonly lostEntries: number;
  /** In the order of their first entries. */
  readonly logs: readonly JournalLogStatus[];
  /** Sums of the logs that were forgotten because there were too many. */
  readonly forgottenLogs?: JournalLogSums;
};
