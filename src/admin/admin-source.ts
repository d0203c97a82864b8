// What the admin server and `tailship top` show: the border between the agent, which knows, and
// src/admin, which prints. Everything is computed on request. Totals count from the agent's start.

import type { PanelRequest, PanelSink } from '../control.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { Throttling } from '../host/node-pressure.ts';
import type { JournalStatus } from '../journal/journal-status.ts';
import type { RuleText } from '../rules/rule-text.ts';
import type { HistoryColumns } from './history.ts';

/** One condition of liveness or readiness. */
export type Check = {
  /** Short and stable, such as `state` or `worker`: it appears in the body of /readyz. */
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
  /** Read and encoded up to here; the bytes between are in flight. */
  readonly readOffset: number;
  readonly size: number;
  readonly isRotated?: boolean;
  readonly isDeleted?: boolean;
};

/**
 * Shares of the entries that are ERROR or above, 0 to 1: of the most recent seconds with entries,
 * then of 1, 5 and 15 minutes; null where there are no entries.
 */
export type ErrorShares = readonly (number | null)[];

type Names = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};

/** One container. */
export type WorkloadStatus = Names & {
  /** Taken into request bodies. */
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  /** Entries by severity (`INFO`), lowest first; severities without entries are left out. */
  readonly severities: Readonly<Record<string, number>>;
  /**
   * By how much its files have grown while the agent watched them, shipped or not. Unread lines are
   * estimated from the recent bytes per line, so the sum may fall when they are counted.
   */
  readonly writtenBytes: number;
  readonly writtenLines: number;
  /** Written in the last ten seconds, shipped or not. */
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Taken into request bodies in the last ten seconds. */
  readonly shippedLinesPerSecond: number;
  readonly shippedBytesPerSecond: number;
  readonly errorShares: ErrorShares;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  /** Age of the oldest line that is not committed; 0 when there is none. */
  readonly behindSeconds: number;
  /** Estimate of the bytes that Cloud Logging charges for: lines and their metadata. */
  readonly chargedBytes: number;
  /** Estimate in US dollars, at the rate of the last `costSeconds`, without the free amount. */
  readonly costPerMonth: number;
  /** A quarter of an hour, or the age of a younger container. */
  readonly costSeconds: number;
  /** Bytes of its files that can no longer be read; absent when there are none. */
  readonly lostBytes?: number;
  /** Entries that Cloud Logging refused permanently; absent when there are none. */
  readonly refusedEntries?: number;
  /** The rules that match it, in order; absent when there are none. */
  readonly rules?: readonly RuleText[];
  /** Oldest first. */
  readonly files: readonly FileStatus[];
};

/** Bytes of a container that can no longer be read. */
export type ContainerLossStatus = Names & {
  readonly lostBytes: number;
  readonly bytesByReason?: Readonly<Record<string, number>>;
};

/** Refused entries of a container that could not be kept as dead letters. */
export type ContainerDroppedStatus = Names & {
  readonly entriesByReason: Readonly<Record<string, number>>;
};

/** Something that is not in Cloud Logging; without names where the container is unknown. */
export type LossEventStatus = Partial<Names> & {
  /** RFC 3339: when it began and, where it went on, when it was last seen. */
  readonly time: string;
  readonly lastTime?: string;
  /** As in the label of the metrics. */
  readonly reason: string;
  /** The same in words. */
  readonly why: string;
  /** Both are absent where the amount is unknown. */
  readonly bytes?: number;
  readonly entries?: number;
};

/** Log files or links of a pod that are not read because there are too many. */
export type OverLimitStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly kind: 'files' | 'links';
  readonly count: number;
};

/** Codes only: the API's texts may quote an entry. */
export type ShipStatus = {
  /** 0 while the endpoint is healthy. */
  readonly consecutiveFailures: number;
  /** Only of other projects than the node's, and only those that fail. */
  readonly failuresByProject?: Readonly<Record<string, number>>;
  readonly lastErrorCode?: string;
  /** RFC 3339. */
  readonly lastErrorAt?: string;
  readonly lastSuccessAt?: string;
};

/** Everything that can be known about a running agent. */
export type AgentStatus = {
  readonly version: string;
  /** Such as `26.10.0`. */
  readonly nodeVersion: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly place: NodeIdentity;
  /** Liveness, then readiness. */
  readonly checks: readonly Check[];
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  /** By how much the files have grown while the agent watched them. */
  readonly writtenBytes: number;
  /** As for a container, but it never falls. */
  readonly writtenLines: number;
  readonly errorShares: ErrorShares;
  /** All nine severities: `DEFAULT`, `DEBUG` and so on. */
  readonly entriesBySeverity: Readonly<Record<string, number>>;
  /** undefined: node logs are off. */
  readonly journal?: JournalStatus;
  readonly batches: number;
  /** Request bodies as sent. */
  readonly sentBytes: number;
  /** By HTTP status (`200`), or by AgentError code when there was no answer (`SHIP_TIMEOUT`). */
  readonly requestsByCode: Readonly<Record<string, number>>;
  readonly retries: number;
  readonly deadLetteredByReason: Readonly<Record<string, number>>;
  /** Entries that are neither in Cloud Logging nor among the dead letters. */
  readonly droppedByReason: Readonly<Record<string, number>>;
  /** Those of them whose container is known. */
  readonly droppedByContainer?: readonly ContainerDroppedStatus[];
  /** Bytes of files that can no longer be read. */
  readonly lostBytesByReason: Readonly<Record<string, number>>;
  /** Includes containers that are gone. */
  readonly lostByContainer?: readonly ContainerLossStatus[];
  /** The most recent ones, newest first. */
  readonly losses?: readonly LossEventStatus[];
  readonly overLimit?: readonly OverLimitStatus[];
  /** Containers whose annotations name an unknown parser. */
  readonly unknownParsers?: number;
  /**
   * Paths that lead where they must not, each counted once for each reason. `link`: in the
   * containers directory; `path`: a log or its directory.
   */
  readonly refusedByKind?: Readonly<Record<string, number>>;
  readonly malformedLines: number;
  /** Entries in which a pattern of `--redact` matched. */
  readonly redacted: number;
  /** Records that `--sample` left out. */
  readonly sampledOut: number;
  /** By the rule's name: records that it could not process, and records that it dropped. */
  readonly ruleMisses?: Readonly<Record<string, number>>;
  readonly ruleDropped?: Readonly<Record<string, number>>;
  /** Zeros where lines should begin, as a power loss leaves them. */
  readonly holeBytes: number;
  readonly readErrors: number;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  /** Age of the oldest line that is not committed; 0 when there is none. */
  readonly behindSeconds: number;
  /** Request bodies that are not answered. */
  readonly inFlightBytes: number;
  readonly openFiles: number;
  /** Bytes of deleted files that only the agent keeps on the disk. */
  readonly deletedHeldBytes: number;
  /** Copies of deleted files in the state directory. */
  readonly orphans?: {
    readonly heldBytes: number;
    readonly copiedBytes: number;
    readonly failures: number;
    readonly damaged: number;
  };
  /**
   * `discover`, `tail` (looking and planning at each tick), `drain` (the workers' tasks), `commit`
   * (saving positions), `admin` (page, probes and scrapes), `main` (the rest of the main thread:
   * shipping, the event loop), `other` (garbage collection, file system and name lookups in the
   * background).
   */
  readonly cpuSecondsByStage: Readonly<Record<string, number>>;
  /** Lines that the kernel alone encoded. */
  readonly fastPathLines: number;
  readonly workerTasks: number;
  /** Of idle containers by inotify. */
  readonly wakeUps: number;
  readonly containersByState: Readonly<Record<'busy' | 'idle', number>>;
  /** Unread bytes of the containers with a rate limit. */
  readonly heldBackBytes: number;
  /** undefined where labels are not requested. */
  readonly podMetadata: PodMetadataStatus | undefined;
  readonly configReloads: Readonly<Record<'accepted' | 'refused', number>>;
  /** Twelve hexadecimal digits, of all options but those that name the node. */
  readonly configHash: string;
  /** Since the positions were last saved, or found unchanged. */
  readonly checkpointAgeSeconds: number;
  readonly rssBytes: number;
  /** The longest delay of a tick in the last quarter of a minute. */
  readonly eventLoopLagMs: number;
  /** undefined without a CPU limit. */
  readonly throttling: Throttling | undefined;
  /** Used part of the node's connection table, 0 to 1; undefined where it cannot be seen. */
  readonly conntrackShare: number | undefined;
  readonly ship: ShipStatus;
  /**
   * A URL that shows a container's entries, with `{namespace}`, `{pod}`, `{container}` and the
   * names of `place` in braces; undefined where there is none.
   */
  readonly logsLink: string | undefined;
  /** Whether the page may show the content of entries. */
  readonly showsContent?: boolean;
  /** US dollars. */
  readonly pricePerGib: number;
  readonly workloads: readonly WorkloadStatus[];
};

/** What is known of the node's pods, and the requests to the API server. */
export type PodMetadataStatus = {
  /** Includes pods deleted in the last minutes. */
  readonly pods: number;
  /** Pods whose lines were sent before their labels were known. */
  readonly withoutLabels: number;
  /** Labels that do not fit into the entries. */
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
  /** The API's text and the entry as JSON, only with --admin-show-content. */
  readonly reason?: string;
  readonly entry?: string;
};

/** Each call may walk the workloads; only `tail` may wait. */
export type AdminSource = {
  /** The newest few, newest first; absent where none are kept. */
  deadLetters?(): readonly DeadLetterStatus[];
  /**
   * Writes what a container logs until the sink's signal is aborted; absent unless the page may
   * show content. Rejects with CONFIG_INVALID, MEMORY_SHORT.
   */
  readonly tail?: (request: PanelRequest, sink: PanelSink) => Promise<void>;
  /** Whether the agent makes progress. */
  liveness(): readonly Check[];
  /** Whether it finds containers and saves positions. */
  readiness(): readonly Check[];
  status(): AgentStatus;
  /** Samples taken after this time, milliseconds since the epoch. */
  history(afterMs: number): HistoryColumns;
  /** Adds the CPU time that answering took. */
  spent(micros: number): void;
};
