// What the admin server and `tailship top` show: the border between the agent, which knows, and
// src/admin, which prints. agent.ts implements AdminSource; nothing here runs unless somebody asks,
// so that operating tailship costs nothing while nobody looks.

/** One condition of liveness or readiness. */
export type Check = {
  /** Short and stable, such as `state` or `ship`: it is a word in the body of /readyz. */
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
  readonly size: number;
  /** The kubelet has rotated it away, or its pod was deleted. */
  readonly isRotated?: boolean;
  readonly isDeleted?: boolean;
};

/** One container. */
export type WorkloadStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Totals since the agent started. */
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  readonly files: readonly FileStatus[];
};

/** Everything that can be known of a running agent. Totals count from its start. */
export type AgentStatus = {
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  readonly batches: number;
  /**
   * By HTTP status (`200`), or code of the AgentError when there was no answer (`SHIP_TIMEOUT`).
   */
  readonly requestsByCode: Readonly<Record<string, number>>;
  readonly retries: number;
  readonly deadLetteredByReason: Readonly<Record<string, number>>;
  readonly droppedByReason: Readonly<Record<string, number>>;
  /** In the files, but not committed. */
  readonly behindBytes: number;
  /** Age of the oldest line that is not committed; 0 when there is none. */
  readonly behindSeconds: number;
  /** Bodies that are encoded and not answered. */
  readonly inFlightBytes: number;
  readonly openFiles: number;
  /** Unread bytes in files that only our descriptor keeps on the disk. */
  readonly deletedHeldBytes: number;
  /** By stage (`discover`, `tail`, `drain`, `ship`, `commit`, …). */
  readonly cpuSecondsByStage: Readonly<Record<string, number>>;
  /** Lines that the kernel alone encoded. */
  readonly fastPathLines: number;
  /** Since the positions were last saved, or found unchanged. */
  readonly checkpointAgeSeconds: number;
  readonly rssBytes: number;
  readonly eventLoopLagMs: number;
  readonly workloads: readonly WorkloadStatus[];
};

/** What the agent answers; each call may walk the workloads, none may wait. */
export type AdminSource = {
  /**
   * The agent can make progress at all. A failing endpoint is not in it: a restart would not help.
   */
  liveness(): readonly Check[];
  /** The agent does its work: positions are saved, the endpoint accepts. */
  readiness(): readonly Check[];
  status(): AgentStatus;
};
