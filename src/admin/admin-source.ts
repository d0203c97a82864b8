// What the admin server and `tailship top` show: the border between the agent, which knows, and
// src/admin, which prints. agent-status.ts implements AdminSource; nothing here runs unless a
// request comes, so that being observable costs next to nothing.

import type { PanelRequest, PanelSink } from '../control.ts';
import type { RuleText } from '../rules/rule-text.ts';
import type { Throttling } from '../host/node-pressure.ts';
import type { HistoryColumns } from './history.ts';

/** One condition of liveness or readiness. */
export type Check = {
  /** Short and stable, such as `state` or `worker`: it is a word in the body of /readyz. */
  readonly name: string;
  readonly ok: boolean;
  /** Why it fails, one line. */
  readonly reason?: string;
};

/** One file of a workload. Sizes and offsets in bytes of the uncompressed file. */
export type FileStatus = {
  readonly name: string;
  /** Committed: everything before it is in Cloud Logging. */
  readonly offset: number;
  /** Read and encoded up to here; what lies between is on its way. */
  readonly readOffset: number;
  readonly size: number;
  /** The kubelet has rotated it away, or its pod was deleted. */
  readonly isRotated?: boolean;
  readonly isDeleted?: boolean;
};

/** See `WorkloadStatus`. */
export type ErrorShares = readonly (number | null)[];

/** One container. */
export type WorkloadStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Totals since the agent started, of what was taken into request bodies. */
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  /** Entries by severity (`INFO`) in the order of their ranks, those with none left out. */
  readonly severities: Readonly<Record<string, number>>;
  /**
   * By how much its files grew since the agent watches them, shipped or not. Lines are counted as
   * far as they are read; the others are guessed by the recent bytes per line, so that the sum may
   * fall when a guess gives way to a count.
   */
  readonly writtenBytes: number;
  readonly writtenLines: number;
  /** Written in the last ten seconds, shipped or not. */
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Taken into request bodies in the last ten seconds. */
  readonly shippedLinesPerSecond: number;
  readonly shippedBytesPerSecond: number;
  /**
   * Parts of its entries that are ERROR or above, 0 to 1: of the last seconds in which there were
   * any, of 1, 5 and 15 minutes; null where there were none.
   */
  readonly errorShares: ErrorShares;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  /** Age of the oldest line that is not committed; 0 when there is none. */
  readonly behindSeconds: number;
  /**
   * Estimate of what Cloud Logging charges for, bytes since the start: lines and their metadata.
   */
  readonly chargedBytes: number;
  /**
   * Estimate in US dollars, if what was written in the last `costSeconds` were written all the
   * month; the free amount is ignored.
   */
  readonly costPerMonth: number;
  /** A quarter of an hour, or less for a container that is younger. */
  readonly costSeconds: number;
  /** Of its files, since the start: they can no longer be read; absent when there are none. */
  readonly lostBytes?: number;
  /** Entries since the start that Cloud Logging refused for good; absent when there are none. */
  readonly refusedEntries?: number;
  /** The rules that it has, in their order; absent when there are none. */
  readonly rules?: readonly RuleText[];
  /** Oldest first. */
  readonly files: readonly FileStatus[];
};

/** Bytes of a container that can no longer be read, since the agent started. */
export type ContainerLossStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly lostBytes: number;
  readonly bytesByReason?: Readonly<Record<string, number>>;
};

/** Refused entries of a container that are not among the dead letters either. */
export type ContainerDroppedStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly entriesByReason: Readonly<Record<string, number>>;
};

/** Something that is not in Cloud Logging, and will not be by itself. */
export type LossEventStatus = {
  /** RFC 3339, of the first and, where it went on, of the last of it. */
  readonly time: string;
  readonly lastTime?: string;
  /** Absent where the container is not known. */
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  /** As in the label of the metrics, and in words. */
  readonly reason: string;
  readonly why: string;
  /** Neither where nobody knows how much it was. */
  readonly bytes?: number;
  readonly entries?: number;
};

/** Log files or links of a pod that are not read, because there are too many of them. */
export type OverLimitStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly kind: 'files' | 'links';
  readonly count: number;
};

/** Where the agent runs, as its entries say. */
export type PlaceStatus = {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly node: string;
};

/** How sending goes. Codes only: the API's texts may quote an entry. */
export type ShipStatus = {
  /** 0 while the endpoint is healthy. */
  readonly consecutiveFailures: number;
  /** Of other projects that entries go to, those that fail. */
  readonly failuresByProject?: Readonly<Record<string, number>>;
  readonly lastErrorCode?: string;
  /** RFC 3339. */
  readonly lastErrorAt?: string;
  readonly lastSuccessAt?: string;
};

/** Of one log of the journal, such as `kubelet`, that had an entry since the start. */
export type JournalLogStatus = {
  readonly name: string;
  /** Read, shipped or not. */
  readonly readEntries: number;
  /** Acknowledged; bytes as they were sent. */
  readonly entries: number;
  readonly bytes: number;
  /** Read, and not acknowledged yet; what was not read is known of the whole journal only. */
  readonly inFlightEntries: number;
  /** RFC 3339. */
  readonly lastReadAt: string | undefined;
  readonly isExcluded: boolean;
  /** Its rate limit. */
  readonly bytesPerSecond: number | undefined;
  /** In their order. */
  readonly rules: readonly RuleText[];
};

/** Of the node's journal. */
export type JournalStatus = {
  readonly files: number;
  readonly unreadableFiles: number;
  /** Whether it outlives a reboot; undefined: there is none. */
  readonly isPersistent: boolean | undefined;
  /** Shipped. */
  readonly entries: number;
  /** Not acknowledged yet; numbers may be missing, so it is an estimate. */
  readonly behindEntries: number;
  /** Age of the oldest of them. */
  readonly behindSeconds: number;
  /** The last entry that was acknowledged: its number, and the id of its numbering. */
  readonly position:
    | { readonly seqnumId: string; readonly seqnum: number; readonly at: string | undefined }
    | undefined;
  /** Deleted before they were read. */
  readonly lostEntries: number;
  /** Damaged, and passed over. */
  readonly corruptEntries: number;
  /** Left out or cut. */
  readonly incompleteFields: number;
  /** In the order of their first entries since the start. */
  readonly logs: readonly JournalLogStatus[];
  /** Sums of the logs that are not known any more, because there were too many. */
  readonly forgottenLogs?: JournalLogSums;
};

export type JournalLogSums = Pick<JournalLogStatus, 'readEntries' | 'entries'>;

/** Everything that can be known of a running agent. Totals count from its start. */
export type AgentStatus = {
  readonly version: string;
  /** Of Node: `26.10.0`. */
  readonly nodeVersion: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly place: PlaceStatus;
  /** Of liveness, then of readiness. */
  readonly checks: readonly Check[];
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  /** By how much the files grew since the agent watches them: what was there before is left out. */
  readonly writtenBytes: number;
  /** As of the containers, but never less than it was said to be before. */
  readonly writtenLines: number;
  /** Of all containers, as those of `WorkloadStatus`. */
  readonly errorShares: ErrorShares;
  /** By severity: `DEFAULT`, `DEBUG` and so on, all nine. */
  readonly entriesBySeverity: Readonly<Record<string, number>>;
  /** undefined: node logs are off. */
  readonly journal?: JournalStatus;
  readonly batches: number;
  /** Request bodies as they were sent. */
  readonly sentBytes: number;
  /**
   * By HTTP status (`200`), or code of the AgentError when there was no answer (`SHIP_TIMEOUT`).
   */
  readonly requestsByCode: Readonly<Record<string, number>>;
  readonly retries: number;
  readonly deadLetteredByReason: Readonly<Record<string, number>>;
  /** Entries that are neither in Cloud Logging nor among the dead letters. */
  readonly droppedByReason: Readonly<Record<string, number>>;
  /** Of these, those whose container is known. */
  readonly droppedByContainer?: readonly ContainerDroppedStatus[];
  /** Bytes of files that could no longer be read. */
  readonly lostBytesByReason: Readonly<Record<string, number>>;
  /** Containers that have lost bytes, also those that are gone by now. */
  readonly lostByContainer?: readonly ContainerLossStatus[];
  /** The newest losses, newest first. */
  readonly losses?: readonly LossEventStatus[];
  /** Pods with more log files or links than are read. */
  readonly overLimit?: readonly OverLimitStatus[];
  /**
   * `link`: in the containers directory; `path`: a log or its directory. They lead where they must
   * not; each is counted once for each reason.
   */
  /** Containers whose annotations name a parser that is not known. */
  readonly unknownParsers?: number;
  readonly refusedByKind?: Readonly<Record<string, number>>;
  readonly malformedLines: number;
  /** Entries in which a pattern of `--redact` matched. */
  readonly redacted: number;
  /** Records that `--sample` left out. */
  readonly sampledOut: number;
  /** Records that a rule could not treat, and that it left out, by the rule's name. */
  readonly ruleMisses?: Readonly<Record<string, number>>;
  readonly ruleDropped?: Readonly<Record<string, number>>;
  /** Zeros in the files where lines should have begun: what a power loss leaves. */
  readonly holeBytes: number;
  readonly readErrors: number;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  /** Age of the oldest line that is not committed; 0 when there is none. */
  readonly behindSeconds: number;
  /** Bodies that are encoded and not answered. */
  readonly inFlightBytes: number;
  readonly openFiles: number;
  /** Bytes of deleted files that only our descriptors keep on the disk. */
  readonly deletedHeldBytes: number;
  /** What of deleted files is kept in the state directory; the counts are since the start. */
  readonly orphans?: {
    readonly heldBytes: number;
    readonly copiedBytes: number;
    readonly failures: number;
    readonly damaged: number;
  };
  /**
   * `discover`, `tail` (looking and planning at each tick), `drain` (the workers' tasks), `commit`
   * (saving positions), `admin` (what this page, probes and scrapes cost), `main` (the rest of the
   * main thread: ship, the event loop), `other` (garbage collection, file system and name lookups
   * in the background).
   */
  readonly cpuSecondsByStage: Readonly<Record<string, number>>;
  /** Lines that the kernel alone encoded. */
  readonly fastPathLines: number;
  readonly workerTasks: number;
  /** Of idle containers, by inotify. */
  readonly wakeUps: number;
  readonly containersByState: Readonly<Record<'busy' | 'idle', number>>;
  /** Unread bytes of the containers with a rate limit. */
  readonly heldBackBytes: number;
  /** Of the labels of the pods; undefined where they are not asked for. */
  readonly podMetadata: PodMetadataStatus | undefined;
  /** Changed configurations: taken over, or invalid. */
  readonly configReloads: Readonly<Record<'accepted' | 'refused', number>>;
  /** Of the options in force, those of the node left out: twelve hex digits. */
  readonly configHash: string;
  /** Since the positions were last saved, or found unchanged. */
  readonly checkpointAgeSeconds: number;
  readonly rssBytes: number;
  /** By how much the latest tick of the last quarter of a minute came too late. */
  readonly eventLoopLagMs: number;
  /** How often a CPU limit made the agent wait; undefined without one. */
  readonly throttling: Throttling | undefined;
  /** Used part of the node's table of connections, 0 to 1; undefined where it cannot be seen. */
  readonly conntrackShare: number | undefined;
  readonly ship: ShipStatus;
  /**
   * Where a container's entries are seen: a URL with `{namespace}`, `{pod}`, `{container}` and the
   * names of `place` in braces; undefined where that is not known.
   */
  readonly logsLink: string | undefined;
  /** Whether the page may show what is in entries. */
  readonly showsContent?: boolean;
  /** US dollars, of the option. */
  readonly pricePerGib: number;
  readonly workloads: readonly WorkloadStatus[];
};

/** What is known of the node's pods, and what it cost the API server. */
export type PodMetadataStatus = {
  /** With those deleted in the last minutes. */
  readonly pods: number;
  /** Pods whose lines were sent before their labels were known. */
  readonly withoutLabels: number;
  /** Labels that had no room in the entries. */
  readonly labelsCut: number;
  readonly lists: number;
  readonly watches: number;
  readonly failures: number;
};

/** An entry that the API refused. */
export type DeadLetterStatus = {
  /** As `tailship dead-letters show` takes it. */
  readonly id: string;
  /** RFC 3339. */
  readonly time: string;
  /** Of google.rpc.Code: `INVALID_ARGUMENT`. */
  readonly codeName: string;
  /** `namespace/pod/container`; '' when the entry does not say. */
  readonly container: string;
  readonly entryBytes: number;
  /** The API's words and the entry as JSON, with --admin-show-content only: they are content. */
  readonly reason?: string;
  readonly entry?: string;
};

/**
 * Writes what a container logs until the sink's signal is aborted. Rejects with CONFIG_INVALID,
 * MEMORY_SHORT.
 */
export type TailSource = (request: PanelRequest, sink: PanelSink) => Promise<void>;

/** What the agent answers; each call may walk the workloads, none may wait. */
export type AdminSource = {
  /** The newest few, newest first; absent where none are kept. */
  deadLetters?(): readonly DeadLetterStatus[];
  /** Absent unless the page may show what is in entries. */
  readonly tail?: TailSource;
  /**
   * The agent can make progress at all. A failing endpoint is not in it: a restart would not help.
   */
  liveness(): readonly Check[];
  /** The agent does its work: it finds containers, and positions are saved. */
  readiness(): readonly Check[];
  status(): AgentStatus;
  /** Samples taken after this time, milliseconds since 1970. */
  history(afterMs: number): HistoryColumns;
  /** Adds the CPU time that answering took. */
  spent(micros: number): void;
};
