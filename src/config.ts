// The limits that no user needs to set, with the unit last in each name; what a user may set is in
// options/options.ts. Workers load this file, so it holds nothing else.

import { KiB, MiB } from './byte-units.ts';
import { shipLimits } from './ship-limits.ts';

/** Sizes in bytes, times in milliseconds. */
export const limits = {
  // ── configuration
  /** The kubelet updates a ConfigMap within about a minute. */
  configPollMs: 3_000,
  /** A file that was written more recently than this may not be whole yet. */
  configSettleMs: 1_000,
  // ── identity of the node
  metadataMs: 5_000,
  /** For the node's name, which the machine has, too. */
  metadataNodeMs: 1_000,
  metadataBytesMax: 64 * KiB,
  /** GKE's metadata server starts with the node's pods, perhaps later than this agent. */
  metadataStartMs: 60_000,
  metadataBackoffBaseMs: 250,
  metadataBackoffMaxMs: 5_000,
  // ── discover
  /** The scan is the truth; events only make it sooner. */
  scanIntervalMs: 1_000,
  /** From an event to its scan: events come in bursts. */
  scanEventDelayMs: 20,
  /** Known links that one scan checks again, in turn: a readlink or realpath takes microseconds. */
  linksCheckedPerScanMax: 256,
  /** Logs that are read; a node has hundreds. */
  linksMax: 50_000,
  /** Dangling links that are remembered; others are counted, and tried at each listing. */
  linksUnsettledMax: 10_000,
  /** Logs of one pod that are read; a pod has one or two for each container. */
  linksPerPodMax: 1_000,
  /** New names that a listing collects before it processes them. */
  linksPerRoundMax: 8_192,
  /** Names that events may have checked between two scans. */
  linksMetPerScanMax: 256,
  /** Time that a scan may take before it lets timers and answers run. */
  scanSliceMs: 25,
  /** The longest time between listings of a containers directory that changes constantly. */
  relistLinksMaxMs: 3_000,
  /** chokidar reads all names at once, 1 µs each; with more, only the kernel's events are used. */
  watchedNamesMax: 10_000,
  /** Names of a directory that are searched for a rotation without a live file. */
  gapNamesMax: 1_000,
  /**
   * Time until a directory that cannot be watched is tried again; until then the clock scans it.
   */
  watchRetryMs: 60_000,
  // ── discover: pod metadata
  /**
   * Labels of a pod and its controller in an entry: the API allows 64, and a record has its own.
   */
  podLabelsMax: 48,
  /** The same as JSON text. */
  podLabelsBytesMax: 4 * KiB,
  /** Of its labels, and of its annotations, as rules see them. */
  podTextsCharactersMax: 16 * KiB,
  /** How long a deleted pod's labels are kept, because its last lines are read later. */
  podKeptMs: 300_000,
  /** Pods whose labels did not come in time, remembered as such. */
  podsAwaitedMax: 4_096,
  /** etcd allows 1.5 MiB an object. */
  podObjectBytesMax: 4 * MiB,
  podListPageMax: 250,
  podListMs: 30_000,
  podHeadersMs: 10_000,
  /** A watch ends after one to two times this, so that nodes do not reconnect together. */
  podWatchMs: 300_000,
  /** A watch that ends sooner counts as a failure. */
  podWatchShortMs: 2_000,
  /** From the end of a request to the next one, times 0.5 to 1.5. */
  podRequestGapMs: 1_000,
  podBackoffBaseMs: 1_000,
  podBackoffMaxMs: 60_000,
  /** Characters kept of an error's answer. */
  podAnswerTextMax: 4_096,
  // ── tail
  /** Raw bytes of one container in a plan before the others have their turn. */
  quantumBytes: 256 * KiB,
  /** The fingerprint is the hash of a file's first line up to this many bytes. */
  fingerprintBytes: 256,
  /** The bytes before a stored position that must be unchanged for it to count. */
  positionBytes: 256,
  /** The first record with a time is searched for in these: docker's has it within 6 × 16 KiB. */
  identityBytes: 128 * KiB,
  /** How long to wait for a shorter file without a time. */
  identityWaitMs: 2_000,
  /** A directory with a younger time is listed again, because its clock is coarse. */
  mtimeGrainMs: 2_000,
  /** Between two such listings, which take a millisecond and more with hundreds of files. */
  relistMs: 500,
  /**
   * Names and files of a directory in one look, however long it takes: 0.5 µs a name, 4 µs a file.
   */
  listStepsMin: 256,
  /** Time of one tick for all larger directories together. */
  listSliceMs: 20,
  /**
   * A directory with more names is listed no sooner than after this time for each further name:
   * then one that changes constantly costs 3 % of a core.
   */
  listNamesCheap: 1_000,
  relistMsPerName: 0.02,
  /** Listings in a row that are repeated because of a change; the next one counts. */
  tornListingsMax: 10,
  /** Files of a container that are opened in one look even if the tick's time is over. */
  filesLookedAtOnceMax: 32,
  /** Refused paths that are remembered with their reasons, to be reported once. */
  refusalsKept: 1_000,
  /** Log files of one container, the newest; the kubelet keeps 5 for each restart. */
  chainFilesMax: 1_000,
  /** How long a file with a successor must be quiet to count as ended. */
  settleMs: 1_000,
  /** Looks without news after which inotify watches a busy container again. */
  idleLooks: 3,
  /** Growth between two looks that counts as little. */
  quietBytesMax: 4 * KiB,
  /** Time between looks at an idle container without an event, spread over the ticks. */
  idleSweepMs: 30_000,
  /** Longest time between two looks at an idle container that inotify cannot watch. */
  idlePollMaxMs: 10_000,
  /** Descriptors not used for log files: sockets, store, threads, short-lived ones. */
  openFilesReserve: 128,
  /**
   * Compressed bytes that are unpacked for a rotation's first line, at first and at most: they may
   * yield a thousand times as many. A start looks at every `.gz` of the node; 1 KiB takes 50 µs.
   */
  gzPeekBytesMin: 1 * KiB,
  gzPeekBytes: 8 * KiB,
  /** Members of a `.gz` that are searched for its first line: the first ones may be empty. */
  gzPeekMembersMax: 8,
  /** A longer header of a `.gz` is not skipped; a file name has 255 bytes. */
  gzHeaderBytesMax: 1 * MiB,
  /** Looks at a broken `.gz` of unchanged length before it is given up. */
  gzTriesMax: 3,
  /** A block of a damaged `.gz` that is all zeros was never written; that of most disks. */
  gzBlockBytes: 512,
  /** Unpacked files waiting to be read. */
  spoolsMax: 24,
  /**
   * Their bytes in the state directory. A `.gz` that unpacks to more is given up: 128 MiB hold a
   * file of `containerLogMaxSize: 100Mi`.
   */
  spoolsBytesMax: 128 * MiB,
  /** The unit of unpacking and copying. */
  spoolPieceBytes: 128 * KiB,
  /** The next `.gz` of a container is unpacked when fewer readable bytes are left. */
  spoolAheadBytes: 2 * MiB,
  /** Between two searches for the next file to unpack. */
  spoolLookMs: 200,
  /** Time until a `.gz` is tried again for which there was no room. */
  spoolRetryMs: 5_000,
  /** The unacknowledged rest of a deleted file is copied after this. */
  orphanAfterMs: 1_000,
  /** Copies that one start takes over; a later one finds the others. */
  orphansFoundMax: 10_000,
  /** For the last copies when the agent stops, before its grace period and after it. */
  orphanStopMs: 5_000,
  /** Remembered looks at a container that is behind, for the age of its oldest line. */
  lagMarksMax: 64,
  /** The least stretch of a container with a rate limit: a CRI line is shorter. */
  pacedBytesMin: 32 * KiB,
  /** The least rate limit, bytes per second. */
  rateBytesMin: 1 * KiB,
  /** How often a container's own log reports that its rate limit delays it. */
  heldBackNoticeMs: 60_000,
  /** Bytes per second that the agent reads of its own log. */
  ownLogBytesPerSecond: 32 * KiB,
  /** Losses that wait for a notice in their containers' logs; more are only counted. */
  lossNoticesMax: 1_000,
  /** Containers, or logs of the journal, with series of their own in a metric. */
  metricSeriesMax: 50,
  /** Containers whose losses are kept separately. */
  lossContainersMax: 1_000,
  /** Memory that `tail` needs to start: 36 MB and its rules and lines (measured). */
  tailMemoryBytes: 64 * MiB,
  /** Losses on the page. */
  lossEventsMax: 50,
  /** Losses in one request. */
  lossNoticesPerRequestMax: 100,
  /**
   * Unclaimed checkpoints are dropped this long after the start: a mount may be missing at first.
   */
  unclaimedKeptMs: 600_000,
  // ── node logs
  /** Journal files of a node; journald keeps 100 by default. */
  journalFilesMax: 4_096,
  /** Directories are listed when they change, and at least this often. */
  journalListMs: 5_000,
  /** Unread files held open, so that a vacuum does not remove them. */
  journalOpenFilesMax: 16,
  /** Logs of the journal that are known; only globs of units make so many. */
  journalLogsMax: 256,
  /** Entries of one task: it takes 15 ms, and containers wait. */
  journalEntriesPerTask: 4_096,
  /** Fewer are read in small blocks. */
  journalFewEntries: 256,
  /** How long to wait for the copies that journald makes when it moves from /run to /var. */
  journalTwinWaitMs: 5_000,
  /** How often the node's own log files are searched for. */
  nodeFileScanMs: 5_000,
  /** After this time without room, node logs get one body all the same. */
  nodeLogsWaitMs: 10_000,
  // ── encode
  /**
   * CPU time after which a task begins no record that the kernel cannot encode, because other
   * containers wait. A full body of plain lines takes 15 ms.
   */
  taskMsMax: 500,
  /**
   * A body is closed at this length; one entry may exceed it, up to `requestBytesMax`. 20,000
   * lines/s over 50 files cost 1.75 % of a core with 3 MiB, 2.15 % with 2 MiB.
   */
  batchBytesSoftMax: 3 * MiB,
  /**
   * Room in a slot beyond it: one record of `lineBytesMax`, each byte escaped as six, and its
   * entries' other members.
   */
  batchBytesReserve: 7 * MiB,
  /** Bodies that may exist at once (being encoded, in flight, or waiting for a retry). */
  slotCount: 3,
  /**
   * RSS of an agent with one worker and empty slots. Measured in the image: 83 MB when idle, of
   * which 52 MB are the program's pages, which the kernel can reclaim.
   */
  baseRssBytes: 88 * MiB,
  /** RSS of each further worker. */
  workerRssBytes: 16 * MiB,
  /** Workers that a CPU limit may lead to; a user may set more. */
  workersFittedMax: 4,
  /**
   * Input window of one worker: a record of `lineBytesMax` with its CRI headers and interleaved
   * lines.
   */
  windowBytes: 4 * MiB,
  /** A record (partial lines joined) longer than this is cut and marked. */
  lineBytesMax: 1 * MiB,
  /** How far before a line that is not CRI its time is searched for. */
  lookBackBytes: 16 * KiB,
  /** The same after it, if there is none before it. */
  lookAheadBytes: 128 * KiB,
  /**
   * How far zeros are followed beyond a task's bytes to find whether they end the file (a writer
   * may reserve them) or are a hole; it takes 50 ms.
   */
  holeLookBytes: 256 * MiB,
  /** Bytes of one read: they stay in the processor's cache until they are encoded. */
  readBytes: 128 * KiB,
  /** A joined stack trace ends at the first of these. */
  traceLinesMax: 1_000,
  traceBytesMax: 256_000,
  /** The API allows 256 KiB of protobuf, "approximately"; peers stay below 256,000, too. */
  entryBytesMax: 256_000,
  /** Part of it for resource, logName, times and the request's labels. */
  entryReserveBytes: 2 * KiB,
  /** The fields besides the payload of an entry over the limit are shortened to this together. */
  entryFieldsBytesMax: 64_000,
  /** Labels of an entry from all sources (Cloud Logging's quotas). */
  labelsMax: 64,
  /** The API cuts off longer keys and values of labels. */
  labelKeyBytesMax: 512,
  labelValueBytesMax: 64 * KiB,
  /** A longer insertId of a record is replaced if its entry is over the limit. */
  insertIdBytesMax: 1_000,
  /** A string of an entry over the limit is not shortened below this. */
  stringKeptBytesMin: 64,
  /** JSON nested deeper is text. The API's own limit is about 100. */
  jsonDepthMax: 64,
  // ── encode: what is hidden
  /** Longest pattern of `--redact`. */
  redactPatternCharactersMax: 1_000,
  /** Instructions of all of them together; a byte of a tenant's text takes up to 60 µs. */
  redactStepsMax: 600,
  /** Compiled patterns that a worker keeps. */
  redactPatternsKept: 256,
  /**
   * CPU time of a search for each character and instruction, and its start. One pass over a text
   * takes 2 to 22 ns (measured), but a pattern that looks far ahead would take one pass for each of
   * its short matches.
   */
  redactStepNanos: 30,
  redactStartMs: 250,
  /** The same for one record at most, because other containers wait. */
  redactMsMax: 1_000,
  /** Characters times instructions that are searched without a look at the clock: 70 ms. */
  redactStepsAtOnceMax: 3_000_000,
  // ── rules
  rulesMax: 256,
  /** Items of one list or map of a rule. */
  ruleListMax: 256,
  rulePatternCharactersMax: 4_000,
  /** Instructions of all compiled patterns together. */
  rulesStepsMax: 50_000,
  /** Depth of a field path. */
  rulePathPartsMax: 16,
  /** A value for `set`, as JSON. */
  ruleValueCharactersMax: 4_096,
  ruleReplacementCharactersMax: 256,
  ruleLabelCharactersMax: 1_024,
  /** In addition to those of the pod and the node: the API allows 64 per entry. */
  ruleLabelsMax: 15,
  ruleTimeFormatCharactersMax: 128,
  /** A longer text is not parsed and counts as a miss: groups cost many times a search. */
  ruleParseCharactersMax: 64 * KiB,
  /** Bytes of a line in which the pattern of first lines is looked for. */
  firstLineBytesMax: 4_096,
  /** Fields that one parse can yield. */
  ruleFieldsMax: 512,
  /** Places where the JSON object after a prefix may begin. */
  ruleBracesTriedMax: 8,
  /** Lists of rules that an encoder keeps compiled. */
  ruleListsKept: 64,
  // ── live tail of the page
  /** Each is a worker thread of 36 MB. */
  tailPanelsMax: 2,
  /** A forgotten panel closes after this. */
  tailPanelMs: 600_000,
  /** Matching lines of one second that are shown; the others are counted. */
  tailPanelLinesPerSecond: 200,
  /**
   * Of entries: a panel of a container that writes more falls behind, and says so. The main thread
   * takes 10 ms to parse and 50 ms to search them.
   */
  tailPanelBytesPerSecond: 256 * KiB,
  tailPanelLineCharactersMax: 16_384,
  /** Bytes that the browser has not read, beyond which lines are counted and not shown. */
  tailPanelUnreadBytesMax: 1 * MiB,
  /** Between two signs of life, which reveal that a reader is gone. */
  tailPanelBeatMs: 5_000,
  // ── commit
  /** First and longest wait before an unwritable state directory is tried again. */
  stateRetryMsMin: 1_000,
  stateRetryMsMax: 30_000,
  // ── ship
  /** Decoded body, enforced by the API with a 400. */
  requestBytesMax: 10_485_760,
  ...shipLimits,
  // ── migrate: what another agent's file may be, which others than root may write
  /** A pos file has some hundred bytes a position, and so has a database. */
  migrateBytesMax: 32 * MiB,
  /** A node has some thousand files at most. */
  migratePositionsMax: 10_000,
  migratePathCharactersMax: 4_096,
  /** A row in a small file may claim 1 GB. */
  migrateRowBytesMax: 256 * KiB,
  migrateReadMs: 10_000,
  migrateHeapMiB: 96,
  // ── dead-letters
  lettersListedMax: 1_000,
  lettersShownMax: 10,
  /**
   * The letters on the page, the bytes at the end of the file that are searched, and the length of
   * each.
   */
  lettersOnPageMax: 10,
  lettersPageBytesMax: 256 * KiB,
  letterShownCharactersMax: 4_096,
  resendBodyBytesMax: 1 * MiB,
  /** If the API does not answer in this time, the letters stay where they are. */
  resendBatchMs: 60_000,
  // ── log, admin
  /** A warning or error with the same code and text is printed once per window, with a count. */
  logWindowMs: 60_000,
  /** Warnings and errors per window: the agent must not flood the pipeline that it feeds. */
  logLinesPerWindowMax: 8,
  /** The same for one code with changing text. */
  logLinesPerCodeMax: 3,
  /** Distinct texts that are remembered for the count; beyond it they are counted by code. */
  logKeysMax: 256,
  /**
   * Connections to the admin server, beyond which the most silent one is closed. With all others
   * besides log files they fit into `openFilesReserve`.
   */
  adminConnectionsMax: 64,
  /** Unread answers of all clients; one of 1,000 containers is 1 MiB. */
  adminUnreadBytesMax: 8 * MiB,
  /**
   * Connections that the kernel completes before they are accepted: then a probe behind a burst of
   * others need not wait a second for its next SYN.
   */
  adminBacklogMax: 4_096,
  /** The agent's clock is dead when it has not ticked for this time and two intervals. */
  livenessTickMs: 30_000,
  /** A worker is dead when it does not answer for this time; a task takes milliseconds. */
  livenessDrainMs: 120_000,
  /** How long to wait after the last request for work such as unpacking a `.gz`. */
  stopSettleMs: 250,
  /** Longer than two looks of the page, or the time between two scrapes. */
  adminKeepAliveMs: 22_000,
  /** Time for a client of the admin server to send its request. */
  adminRequestTimeoutMs: 5_000,
} as const;
