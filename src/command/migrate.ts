// `tailship migrate`: takes over the positions of fluentd or Fluent Bit, so that the switch neither
// loses nor repeats lines. It is run on the node while neither agent runs.
//
// A position is the other agent's word for "read up to here". It is taken over for a file that has
// the same inode, the names of the same container, and a first line from before the positions were
// saved: an inode number alone proves nothing, for it is given out again.
//
//   0.log.<t1>.gz  0.log.<t2>  0.log       oldest first; the position is of 0.log.<t2>
//   └ finished ─┘  └ offset ┘  └ new: read from its start
//
// Invariants: a checkpoint never moves back, so a second run changes nothing; what has no position
// is read from its start, which repeats lines at worst.

import { mkdirSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { type CheckpointStore, openCheckpointStore } from '../commit/checkpoint-store.ts';
import { limits } from '../config.ts';
import type { Control } from '../control.ts';
import { parseContainerName } from '../discover/container-name.ts';
import { Discovery } from '../discover/discovery.ts';
import { closeDescriptor } from '../descriptor.ts';
import { AgentError } from '../errors.ts';
import { Fleet } from '../fleet.ts';
import { type ForeignPosition, type ForeignPositions, readPositions } from './foreign-positions.ts';
import type { MigrationSource } from './command-words.ts';
import type { Config } from '../options/options.ts';
import { unpackCompressed } from '../tail/gz-spool.ts';
import type { LogFile } from '../tail/log-file.ts';
import type { TailedContainer } from '../tail/tailed-container.ts';

/** What was done, printed as one line of JSON. */
export type MigrationSummary = {
  /** Containers logging on this node, and those of them with a position. */
  containers: number;
  containersTaken: number;
  /** Positions in the other agent's file, and those whose file is gone. */
  positions: number;
  positionsWithoutFile: number;
  unwatched: number;
  malformed: number;
  /** Files that continue at a position, and files that were finished before it. */
  filesResumed: number;
  filesFinished: number;
  /** Positions within a record, and the bytes back to its beginning. */
  movedBack: number;
  movedBackBytes: number;
  dryRun: boolean;
};

type Migration = {
  readonly config: Config;
  readonly control: Control;
  readonly fleet: Fleet;
  readonly store: CheckpointStore;
  readonly found: ForeignPositions;
  readonly unused: Set<ForeignPosition>;
  readonly summary: MigrationSummary;
};

/** How much later than the last save a first line may be: clocks are coarse, saves buffered. */
const slackMs = 2_000;
/** How far before a position within a record its beginning is searched for. */
const lookBackBytesMax = limits.lineBytesMax + 64 * 1024;

/**
 * Writes checkpoints for all positions that can be taken over; returns the exit code. Throws
 * STATE_LOCKED while the agent runs, STATE_UNWRITABLE, CONFIG_INVALID.
 */
export async function runMigrate(
  config: Config,
  control: Control,
  source: MigrationSource,
): Promise<number> {
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const found = await readPositions(config, control, source);
  if (found === undefined) return 0;
  const { log } = control;
  const store = openCheckpointStore(config.stateDir, log);
  const nodeIdentity = { project: '', location: '', cluster: '', node: '' };
  const fleet = new Fleet(config, { nodeIdentity, store, log });
  const summary = emptySummary(found, config.dryRun);
  const unused = new Set(found.positions);
  try {
    await findLogs(config, control, fleet);
    for (const container of fleet.all()) {
      await takeOver({ config, control, fleet, store, found, unused, summary }, container);
    }
    summary.positionsWithoutFile = unused.size;
    store.flush();
    if (!store.healthy) {
      throw store.lastError ?? new AgentError('STATE_UNWRITABLE', config.stateDir);
    }
  } finally {
    fleet.close();
    store.close();
  }
  control.write(JSON.stringify(summary));
  return 0;
}

function emptySummary(found: ForeignPositions, dryRun: boolean): MigrationSummary {
  return {
    containers: 0,
    containersTaken: 0,
    positions: found.positions.length,
    positionsWithoutFile: 0,
    unwatched: found.unwatched,
    malformed: found.malformed,
    filesResumed: 0,
    filesFinished: 0,
    movedBack: 0,
    movedBackBytes: 0,
    dryRun,
  };
}

async function findLogs(config: Config, { log }: Control, fleet: Fleet): Promise<void> {
  const discovery = new Discovery(
    {
      containersDir: config.containersDir,
      logRoots: config.logRoot,
      scanIntervalMs: limits.scanIntervalMs,
      watch: false,
    },
    {
      added: (found) => fleet.add(found, Date.now()),
      removed: () => undefined,
      refused: (linkPath, reason) => log.warn('LINK_REFUSED', `${linkPath}: ${reason}`),
      degraded: () => undefined,
    },
  );
  await discovery.close();
}

/** Saves the checkpoints of one container: at a position, or at the end of files before one. */
async function takeOver(migration: Migration, container: TailedContainer): Promise<void> {
  const { found, summary, unused } = migration;
  const { files } = container.chain;
  summary.containers += 1;
  const rows = found.positions.filter((row) => isOfContainer(row, container));
  const offsets = new Map<LogFile, number>();
  for (const row of rows) {
    const file = files.find((one) => isSameFile(one, row, found.savedMs));
    if (file === undefined) continue;
    offsets.set(file, Math.max(row.offset, offsets.get(file) ?? 0));
    unused.delete(row);
  }
  // Compression gives a rotation another inode, but the next file tells when its writing ended.
  const [row] = rows;
  if (offsets.size === 0 && row !== undefined && rows.length === 1) {
    const file = files.find((one, index) => wasLiveAt(one, files[index + 1], row, found.savedMs));
    if (file !== undefined) {
      offsets.set(file, row.offset);
      unused.delete(row);
    }
  }
  if (offsets.size === 0) return;
  summary.containersTaken += 1;
  const newest = files.findLastIndex((file) => offsets.has(file));
  for (const file of files.slice(0, newest + 1)) {
    const offset = offsets.get(file);
    if (offset === undefined) {
      summary.filesFinished += 1;
      save(migration, file, file.size);
    } else {
      summary.filesResumed += 1;
      save(migration, file, await recordStart(migration, container, { file, offset }));
    }
  }
}

/** By the link's name or the target's path, under any root: the other agent's mounts differ. */
function isOfContainer(row: ForeignPosition, { chain, containerLog }: TailedContainer): boolean {
  const name = basename(row.path);
  if ([...chain.links].some((link) => basename(link) === name)) return true;
  if (containerLog.name === undefined) return dirname(row.path) === chain.location.directory;
  // A restarted container has a new link, and the log of its former run is in its directory.
  const named = parseContainerName(name, row.path);
  return (
    named?.namespace === containerLog.name.namespace &&
    named.pod === containerLog.name.pod &&
    named.container === containerLog.name.container
  );
}

function isSameFile(file: LogFile, row: ForeignPosition, savedMs: number): boolean {
  return !file.name.compressed && file.inode === row.inode && canBe(file, row, savedMs);
}

/**
 * Whether a file was written to at the other agent's last save or, if nothing was written around
 * it, before. Its name is no help: it has the local time of a node whose zone nobody here knows.
 */
function wasLiveAt(
  file: LogFile,
  next: LogFile | undefined,
  row: ForeignPosition,
  savedMs: number,
): boolean {
  if (!file.name.compressed || !canBe(file, row, savedMs)) return false;
  if (next?.identity === undefined) return true; // Nothing was written since.
  return Date.parse(next.identity.fallbackTime) + slackMs >= savedMs;
}

function canBe(file: LogFile, row: ForeignPosition, savedMs: number): boolean {
  const { identity } = file;
  if (identity === undefined || row.offset > file.size) return false;
  return Date.parse(identity.fallbackTime) <= savedMs + slackMs;
}

/**
 * The offset, or the beginning of the record around it: an incomplete line, or partial lines
 * without their end, which the other agent kept in memory.
 */
async function recordStart(
  { config, fleet, summary }: Migration,
  { chain }: TailedContainer,
  { file, offset }: { readonly file: LogFile; readonly offset: number },
): Promise<number> {
  const start = Math.max(0, offset - lookBackBytesMax);
  const bytes = Buffer.alloc(offset - start);
  const wasOpen = file.fd !== undefined;
  if (file.name.compressed) {
    const { fd } = await unpackCompressed(file.path, {
      spoolDir: config.stateDir,
      roots: fleet.roots,
      bytesMax: limits.spoolsBytesMax,
    });
    try {
      readSync(fd, bytes, 0, bytes.length, start);
    } finally {
      closeDescriptor(fd);
    }
  } else if (file.open() && file.fd !== undefined) {
    readSync(file.fd, bytes, 0, bytes.length, start);
    if (!wasOpen) file.close();
  }
  const back = bytes.length - lastRecordEnd(bytes, chain.location.format === 'cri');
  if (back > 0) summary.movedBack += 1;
  summary.movedBackBytes += back;
  return offset - back;
}

const partialLine = /^\S+ (?:stdout|stderr) P /;
const headerBytes = 64;

/**
 * Where in `bytes` the last whole record ends; at their end if they hold no newline, because a line
 * that long was cut there too.
 */
function lastRecordEnd(bytes: Buffer, isCri: boolean): number {
  let end = bytes.lastIndexOf(0x0a) + 1;
  if (end === 0) return bytes.length > lookBackBytesMax - 1 ? bytes.length : 0;
  if (!isCri) return end;
  while (end > 1) {
    const lineStart = bytes.lastIndexOf(0x0a, end - 2) + 1;
    if (!partialLine.test(bytes.toString('latin1', lineStart, lineStart + headerBytes))) break;
    end = lineStart;
  }
  return end;
}

/** The agent's own acknowledged position wins if it is further. */
function save({ config, store }: Migration, file: LogFile, offset: number): void {
  if (file.identity === undefined || offset <= file.committed || config.dryRun) return;
  // The bytes before it were not compared with those that the other agent read.
  store.put({ ...file.checkpoint(), offset, positionHash: undefined });
}
