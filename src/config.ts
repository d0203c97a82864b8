// The limits that no user needs to set, with the unit last in each name; what a user may set is in
// options/options.ts. Workers load this file, so it holds nothing else.

import { KiB, MiB } from './byte-units.ts';
import { nodeLogLimits } from './node-log-limits.ts';
import { ruleLimits } from './rule-limits.ts';
import { tailLimits } from './tail-limits.ts';

/** Sizes in bytes, times in milliseconds. */
export const limits = {
  // ── configuration
  /** The kubelet brings a changed ConfigMap within a minute or so. */
  configPollMs: 3_000,
  // ── identity of the node
  metadataMs: 5_000,
  /** For the name of the node, which the machine has one for. */
  metadataNodeMs: 1_000,
  metadataBytesMax: 64 * KiB,
  /** GKE's own metadata server starts with the node's pods, and may be later than this agent. */
  metadataStartMs: 60_000,
  metadataBackoffBaseMs: 250,
  metadataBackoffMaxMs: 5_000,
  // ── discover
  /** The scan is the truth; events only make it sooner. */
  scanIntervalMs: 1_000,
  /** From an event to the scan that it asks for: events come in bursts. */
  scanEventDelayMs: 20,
  /**
   * Links that were looked at before and are looked at again by one scan, in turn: a readlink or
   * realpath is a few microseconds.
   */
  linksCheckedPerScanMax: 256,
  /** Logs that are read. A node holds some hundreds. */
  linksMax: 50_000,
  /** Links to nowhere that are remembered; the rest is counted, and tried by each listing. */
  linksUnsettledMax: 10_000,
  /** Logs of one pod that are read; a pod has one or two for each container. */
  linksPerPodMax: 1_000,
  /** New names that a listing collects before it reads them: it holds no more of them at once. */
  linksPerRoundMax: 8_192,
  /** Names that one event after another may have looked at between two scans. */
  linksMetPerScanMax: 256,
  /** Time that a scan may take before it lets timers and answers have their turn. */
  scanSliceMs: 25,
  /** A containers directory that changes all the time is listed again after this at the latest. */
  relistLinksMaxMs: 3_000,
  /** chokidar reads all names at once, 1 µs each: with more, only the kernel's events are used. */
  watchedNamesMax: 10_000,
  /** Names of a directory that are looked at for a rotation whose live file is missing. */
  gapNamesMax: 1_000,
  /** A directory that could not be watched is scanned by the clock alone before the next try. */
  watchRetryMs: 60_000,
  // ── discover: pod metadata
  /** Labels of a pod and its controller in an entry; the API takes 64, a record brings its own. */
  podLabelsMax: 48,
  /** The same as JSON text. */
  podLabelsBytesMax: 4 * KiB,
  /** Of its labels, and of its annotations, as rules see them. */
  podTextsCharactersMax: 16 * KiB,
  /** A deleted pod's labels are kept this long: its last lines are read later. */
  podKeptMs: 300_000,
  /** Pods that did not become known in time and are remembered as such. */
  podsAwaitedMax: 4_096,
  /** etcd takes 1.5 MiB an object. */
  podObjectBytesMax: 4 * MiB,
  podListPageMax: 250,
  podListMs: 30_000,
  podHeadersMs: 10_000,
  /** A watch ends after one to two times this, so that nodes do not come back together. */
  podWatchMs: 300_000,
  /** A watch that ends sooner counts as a failure. */
  podWatchShortMs: 2_000,
  /** Between the end of a request and the next one; half to one and a half times as long. */
  podRequestGapMs: 1_000,
  podBackoffBaseMs: 1_000,
  podBackoffMaxMs: 60_000,
  /** Characters kept of an answer that is an error. */
  podAnswerTextMax: 4_096,
  // ── tail
  /** Raw bytes one container may put into a plan before the others have had their turn. */
  quantumBytes: 256 * KiB,
  /** The fingerprint is the hash of a file's first line up to this many bytes. */
  fingerprintBytes: 256,
  /** The bytes before a stored position that must still be there for it to count. */
  positionBytes: 256,
  /** Where the first record with a time is looked for: docker's has it after 6 × 16 KiB at most. */
  identityBytes: 128 * KiB,
  /** A file that holds less, and no time yet, is waited for this long. */
  identityWaitMs: 2_000,
  /** A listed directory whose time is younger is listed again: its clock is coarse. */
  mtimeGrainMs: 2_000,
  /** Between two such listings; with hundreds of files, each costs a millisecond and more. */
  relistMs: 500,
  /**
   * Names and files of a directory that one look takes, whatever the time; 0.5 µs a name, 4 µs a
   * file. A node's directories hold fewer.
   */
  listStepsMin: 256,
  /** Time of one tick that all larger directories may take together. */
  listSliceMs: 20,
  /**
   * A directory with more names than these is listed again no sooner than after so long for each
   * name above: listing one that changes all the time then costs 3 % of a core.
   */
  listNamesCheap: 1_000,
  relistMsPerName: 0.02,
  /** Listings in a row that are to be repeated; the next counts, whatever changes. */
  tornListingsMax: 10,
  /** Files of a container that are opened in one look even if the time of the tick is up. */
  filesLookedAtOnceMax: 32,
  /** Refused paths that are remembered, each with its reason: they are reported once. */
  refusalsKept: 1_000,
  /** Log files of one container, the newest; the kubelet keeps 5 of each restart. */
  chainFilesMax: 1_000,
  /** A file with a successor must have been quiet this long before it counts as ended. */
  settleMs: 1_000,
  /** Looks without news after which a busy container is armed with inotify again. */
  idleLooks: 3,
  /** Growth between two looks that is little. */
  quietBytesMax: 4 * KiB,
  /** Idle containers are looked at this often also without an event, spread over the ticks. */
  idleSweepMs: 30_000,
  /** Longest time between two looks at an idle container that inotify cannot watch. */
  idlePollMaxMs: 10_000,
  /** Descriptors kept back from log files: sockets, store, threads, the descriptors of a moment. */
  openFilesReserve: 128,
  /**
   * Compressed bytes that are unpacked at first to learn a rotation's first line, and at most: they
   * may unpack to a thousand times as many. A start looks at every `.gz` of the node: 1 KiB takes
   * 50 µs.
   */
  gzPeekBytesMin: 1 * KiB,
  gzPeekBytes: 8 * KiB,
  /** Members of a `.gz` in which its first line is looked for: the first ones may be empty. */
  gzPeekMembersMax: 8,
  /** A longer header of a `.gz` is not skipped; a file's name has 255 bytes. */
  gzHeaderBytesMax: 1 * MiB,
  /** Looks at a broken `.gz` of unchanged length before it is given up. */
  gzTriesMax: 3,
  /** Unpacked files that wait to be read. */
  spoolsMax: 24,
  /**
   * Bytes of the state directory that they take together. A `.gz` that unpacks to more is given up:
   * 128 MiB hold a file of `containerLogMaxSize: 100Mi`.
   */
  spoolsBytesMax: 128 * MiB,
  /** Unpacked and copied in pieces of this many bytes. */
  spoolPieceBytes: 128 * KiB,
  /** A container's next `.gz` is unpacked when fewer bytes than these can be read of it. */
  spoolAheadBytes: 2 * MiB,
  /** Between two looks for what is to be unpacked next. */
  spoolLookMs: 200,
  /** A `.gz` that could not be unpacked for want of room is tried again after this long. */
  spoolRetryMs: 5_000,
  /** What of a deleted file is not acknowledged after this long is copied. */
  orphanAfterMs: 1_000,
  /** Copies that one start takes over; a later one finds the others. */
  orphansFoundMax: 10_000,
  /** For the copies at the end of the agent, before its grace period and after it. */
  orphanStopMs: 5_000,
  /** Looks that are remembered of a container that is behind, for the age of its oldest line. */
  lagMarksMax: 64,
  /** A container with a rate limit is read in stretches of at least this: a CRI line is shorter. */
  pacedBytesMin: 32 * KiB,
  /** The least rate limit, bytes per second. */
  rateBytesMin: 1 * KiB,
  /** How often a container's own log says that its rate limit holds it back. */
  heldBackNoticeMs: 60_000,
  /** Bytes per second of its own container's log that the agent reads. */
  ownLogBytesPerSecond: 32 * KiB,
  /** Losses that wait for a notice in the logs of their containers; more are only counted. */
  lossNoticesMax: 1_000,
  /** Containers, or logs of the journal, that have series of their own in a metric. */
  metricSeriesMax: 50,
  /** Containers whose losses are kept apart. */
  lossContainersMax: 1_000,
  /** `tail` starts with this much left: 36 MB and what its rules and lines take (measured). */
  tailMemoryBytes: 64 * MiB,
  /** Losses that the page lists. */
  lossEventsMax: 50,
  /** Losses that one request tells of. */
  lossNoticesPerRequestMax: 100,
  /**
   * After the start, when what no container asked for is forgotten: a mount that was missing at
   * first must not cost its checkpoints.
   */
  unclaimedKeptMs: 600_000,
  ...nodeLogLimits,
  // ── encode
  /**
   * CPU time of a task, after which it begins no record that the kernel cannot encode. Others wait
   * for it: a full body of plain lines takes 15 ms, the costliest of any container ends here.
   */
  taskMsMax: 500,
  /**
   * A body is closed at this length; one entry may go over it, up to `requestBytesMax`. With 3 MiB,
   * 20,000 lines/s over 50 files cost 1.75 % of a core, with 2 MiB 2.15 %.
   */
  batchBytesSoftMax: 3 * MiB,
  /**
   * Room in a slot past the soft end: one record of `lineBytesMax`, each byte escaped as six, and
   * its entries' other members.
   */
  batchBytesReserve: 7 * MiB,
  /** Bodies that may exist at once (being encoded, in flight, or waiting for a retry). */
  slotCount: 3,
  /**
   * RSS of an agent with one worker and nothing in its slots. Measured in the image: 83 MB when
   * idle, 52 MB of them the program's pages, which the kernel can take back.
   */
  baseRssBytes: 88 * MiB,
  /** What each further worker adds. */
  workerRssBytes: 16 * MiB,
  /** Workers that a generous CPU limit may lead to; a user may set more. */
  workersFittedMax: 4,
  /**
   * Input window of one worker: at least a record of `lineBytesMax` with all its CRI headers and
   * interleaved lines.
   */
  windowBytes: 4 * MiB,
  /** A record (partial lines joined) longer than this is cut and marked. */
  lineBytesMax: 1 * MiB,
  /** How far before a line that is not CRI its time is looked for. */
  lookBackBytes: 16 * KiB,
  /** And how far after it, when there is none before it. */
  lookAheadBytes: 128 * KiB,
  /**
   * So far after the bytes of a task is it looked whether zeros are the end of a file, which its
   * writer may have reserved; past them they are taken as a hole. It takes 50 ms.
   */
  holeLookBytes: 256 * MiB,
  /** Bytes asked of one read: so much stays in the processor's cache until it is encoded. */
  readBytes: 128 * KiB,
  /** A stack trace that is joined ends at whichever of these comes first. */
  traceLinesMax: 1_000,
  traceBytesMax: 256_000,
  /**
   * The API's limit of an entry is 256 KiB of protobuf, "approximate"; peers and we stay below
   * 256,000.
   */
  entryBytesMax: 256_000,
  /** Kept of an entry's limit for resource, logName, times and the labels that the request adds. */
  entryReserveBytes: 2 * KiB,
  /** Labels, httpRequest and the like of an entry over the limit are shortened to this together. */
  entryFieldsBytesMax: 64_000,
  /** Labels of an entry, of whatever origin (Cloud Logging's quotas). */
  labelsMax: 64,
  /** The API cuts off what is longer of a label's key and its value. */
  labelKeyBytesMax: 512,
  labelValueBytesMax: 64 * KiB,
  /** A longer insertId that a record brings is replaced when its entry is over the limit. */
  insertIdBytesMax: 1_000,
  /** A string of an entry over the limit is not shortened below this. */
  stringKeptBytesMin: 64,
  /** JSON nesting that is still taken as JSON; deeper is text. The API ends at about 100. */
  jsonDepthMax: 64,
  // ── encode: what is hidden
  /** Longest pattern of `--redact`. */
  redactPatternCharactersMax: 1_000,
  /** Instructions that all of them compile to; a byte of a tenant's text takes up to 60 µs. */
  redactStepsMax: 600,
  /** Compiled patterns that a worker keeps. */
  redactPatternsKept: 256,
  /**
   * CPU time that finding the matches may take, for each character and instruction of the pattern,
   * and a task's start. One pass over a text takes 2 to 22 ns (measured), but a pattern that looks
   * far ahead for each of its short matches would take one pass for each of them.
   */
  redactStepNanos: 30,
  redactStartMs: 250,
  /** The same of one record at most: the other containers wait for it. */
  redactMsMax: 1_000,
  /** Characters times instructions that are searched without looking at the clock: 70 ms. */
  redactStepsAtOnceMax: 3_000_000,
  // ── rules
  ...ruleLimits,
  ...tailLimits,
  // ── commit
  /** A state directory that could not be written is tried again after this, first and at most. */
  stateRetryMsMin: 1_000,
  stateRetryMsMax: 30_000,
  // ── ship
  /** Decoded body, enforced by the API with a 400. */
  requestBytesMax: 10_485_760,
  /** Back-off has full jitter: anything up to base · 2^(failures-1), at most the maximum. */
  shipBackoffBaseMs: 500,
  shipBackoffMaxMs: 30_000,
  /** The maximum where someone must change something first: rights, project, endpoint. */
  shipSlowBackoffMaxMs: 60_000,
  /** A longer Retry-After is taken as this. */
  shipRetryAfterMaxMs: 600_000,
  /** Requests per second that each success gives back after a 429 (additive increase). */
  shipRateStep: 0.5,
  /** The API's own deadline is 60 s; from the hand-over to the end of the answer. */
  shipRequestMs: 60_000,
  /** Name lookup, TCP and TLS together. */
  shipConnectMs: 10_000,
  shipHeadersMs: 45_000,
  /** Between two pieces of an answer. */
  shipBodyMs: 10_000,
  /** An idle connection is closed after this, before a front end or a NAT forgets it. */
  shipIdleMs: 60_000,
  /** Connections are replaced at 80 to 100 % of this age, so that load follows the front ends. */
  shipConnectionAgeMs: 300_000,
  shipDnsTtlMs: 60_000,
  /** Past this, the addresses known from before are used. */
  shipDnsSlowMs: 2_000,
  shipTokenMs: 5_000,
  /** From the beginning of an answer's body to its end. */
  shipAnswerMs: 15_000,
  /** The connection of a longer answer is closed; a batch of 20,000 refused entries fits. */
  shipAnswerBytesMax: 4 * MiB,
  /** The same for an answer that is no JSON, and so not the API's. */
  shipForeignBytesMax: 64 * KiB,
  /** dead-letter.ndjson; one older file of the same size is kept beside it. */
  shipDeadLetterBytesMax: 16 * MiB,
  /** At most one line of log about dead letters in this time. */
  shipDeadLetterLogMs: 60_000,
  /**
   * An entry denied (PERMISSION_DENIED) while others of its request are accepted is given up after
   * this many times.
   */
  shipDeniedAttemptsMax: 7,
  /** 400s without the API's JSON before the body itself is suspected. */
  shipOddAnswersMax: 4,
  /** Entries of a batch refused one by one, none accepted between, before each next goes alone. */
  shipRefusedInRowMax: 8,
  /** A container's entries go in requests of their own this long after one was refused. */
  shipSuspectMs: 60_000,
  /** Copies of what is left of bodies that were not taken whole, all together. */
  shipParkedBytesMax: 8 * MiB,
  /** The accepted entry that is sent beside refused ones, and how long it serves. */
  shipWitnessBytesMax: 4 * KiB,
  shipWitnessMs: 600_000,
  /** Entries refused one by one, none accepted between, before refusals are slowed down. */
  shipRefusalStreakMax: 256,
  /** The slowest pace of refusals then. */
  shipRefusalPaceMs: 1_000,
  /** --output writes lines of so many bytes at a time, or one that is longer. */
  shipOutputBytes: 512 * KiB,
  // ── migrate: what another agent's file may be, which others than root may write
  /** A pos file has some hundred bytes a position; SQLite keeps as much. */
  migrateBytesMax: 32 * MiB,
  /** A node has some thousand files at most. */
  migratePositionsMax: 10_000,
  migratePathCharactersMax: 4_096,
  /** A row may say that it is 1 GB long, in a file of a few pages. */
  migrateRowBytesMax: 256 * KiB,
  migrateReadMs: 10_000,
  migrateHeapMiB: 96,
  // ── dead-letters
  lettersListedMax: 1_000,
  lettersShownMax: 10,
  /** The page shows as many, from so many bytes at the end of the file, and of each so much. */
  lettersOnPageMax: 10,
  lettersPageBytesMax: 256 * KiB,
  letterShownCharactersMax: 4_096,
  resendBodyBytesMax: 1 * MiB,
  /** An API that does not answer leaves the letters where they are. */
  resendBatchMs: 60_000,
  // ── log, admin
  /**
   * A warning or error with the same code and text is printed once per window, with a count of how
   * often it came.
   */
  logWindowMs: 60_000,
  /**
   * Warnings and errors of all codes together per window: the agent must not flood the very
   * pipeline it feeds.
   */
  logLinesPerWindowMax: 8,
  /** The same for one code with changing text. */
  logLinesPerCodeMax: 3,
  /** Distinct texts that are remembered for the count; past it they are counted by code. */
  logKeysMax: 256,
  /**
   * Connections to the admin server at once, past which the one that was silent longest is closed.
   * They and all others beside the log files fit into `openFilesReserve`.
   */
  adminConnectionsMax: 64,
  /** Answers that clients asked for and do not read, in all; one of 1,000 containers is 1 MiB. */
  adminUnreadBytesMax: 8 * MiB,
  /**
   * Connections that the kernel completes before they are accepted: a probe behind a burst of
   * others waits for them, instead of a second for its SYN to be sent again.
   */
  adminBacklogMax: 4_096,
  /** The clock of the agent is dead when it has not ticked for this long, and two intervals. */
  livenessTickMs: 30_000,
  /** A worker is dead when it does not answer for this long; a task takes some milliseconds. */
  livenessDrainMs: 120_000,
  /** After the last request, when what still runs (a `.gz` being unpacked) is left alone. */
  stopSettleMs: 250,
  /** An idle connection outlives two looks of the page, and the time between two scrapes. */
  adminKeepAliveMs: 22_000,
  /** How long a client of the admin server may take to send its request. */
  adminRequestTimeoutMs: 5_000,
} as const;
