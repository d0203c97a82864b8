// The limits of node logs, as a part of `limits` in config.ts, which spreads them in.

export const nodeLogLimits = {
  /** Journal files of a node; journald keeps 100 by default. */
  journalFilesMax: 4_096,
  /** Directories are listed again when they change, and as often as this. */
  journalListMs: 5_000,
  /** Unread files that are held open, so that a vacuum does not take them. */
  journalOpenFilesMax: 16,
  /** Logs of the journal that are known at once; only globs of units make so many. */
  journalLogsMax: 256,
  /** Entries that one task looks at: it takes 15 ms, and containers wait for it. */
  journalEntriesPerTask: 4_096,
  /** Fewer are read in small blocks. */
  journalFewEntries: 256,
  /** How long the copies that journald makes when it moves from /run to /var are waited for. */
  journalTwinWaitMs: 5_000,
  /** How often the node's own log files are looked for. */
  nodeFileScanMs: 5_000,
  /** When containers leave no room for so long, node logs get one body all the same. */
  nodeLogsWaitMs: 10_000,
} as const;
