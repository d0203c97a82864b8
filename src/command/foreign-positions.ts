// Reads how far another agent had come: fluentd's pos file and Fluent Bit's database. Called by
// migrate.ts. Invariant: neither is changed, and what cannot be a position is counted, not guessed.
//
//   fluentd      <path> TAB <offset, 16 hex digits> TAB <inode, 16 hex digits>
//                offset ffffffffffffffff: no longer watched. A later line of a file wins.
//   Fluent Bit   SQLite, in_tail_files(name, offset, inode, created, rotated, …)
//
// Sources: fluentd lib/fluent/plugin/in_tail/position_file.rb; Fluent Bit
// plugins/in_tail/tail_sql.h.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

import { AgentError, hasCode } from '../errors.ts';
import type { ForeignAgent } from './migration-source.ts';

/** The bytes of one file that another agent has read. */
export type ForeignPosition = {
  /** As the other agent found it: a link or what it leads to. */
  readonly path: string;
  readonly offset: number;
  readonly inode: number;
};

export type ForeignPositions = {
  readonly positions: readonly ForeignPosition[];
  /** When the file was last written, milliseconds since the epoch. */
  readonly savedMs: number;
  /** Files that the other agent had let go of, without a position. */
  readonly unwatched: number;
  /** Lines or rows that hold no position. */
  readonly malformed: number;
};

/**
 * All positions of a file. `scratchDir` takes a copy for a moment. Throws the system's error when
 * the file cannot be read, CONFIG_INVALID when it is of another kind.
 */
export function readForeignPositions(
  agent: ForeignAgent,
  file: string,
  scratchDir: string,
): ForeignPositions {
  const savedMs = Math.max(...[file, `${file}-wal`].map(modifiedMs));
  const found = agent === 'fluentd' ? readPosFile(file) : readDatabase(file, scratchDir);
  return { ...found, savedMs };
}

type Found = Omit<ForeignPositions, 'savedMs'>;

function readPosFile(file: string): Found {
  const positions = new Map<string, ForeignPosition>();
  const unwatched = new Set<string>();
  let malformed = 0;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    // Versions before 1.0 wrote inodes of eight digits.
    const match = /^([^\t]+)\t([0-9a-f]{16})\t([0-9a-f]{8,16})\r?$/i.exec(line);
    const [, path = '', offset = '', inode = ''] = match ?? [];
    if (match === null) {
      malformed += 1;
      continue;
    }
    const key = `${path}\t${Number.parseInt(inode, 16)}`;
    positions.delete(key);
    unwatched.delete(key);
    if (/^f{16}$/i.test(offset)) unwatched.add(key);
    else {
      const position = {
        path,
        offset: Number.parseInt(offset, 16),
        inode: Number.parseInt(inode, 16),
      };
      positions.set(key, position);
    }
  }
  const isPosFile = malformed === 0 || positions.size + unwatched.size > 0;
  if (!isPosFile) throw new AgentError('CONFIG_INVALID', `${file} is no pos file of fluentd`);
  return { positions: [...positions.values()], unwatched: unwatched.size, malformed };
}

function readDatabase(file: string, scratchDir: string): Found {
  // What Fluent Bit wrote last may stand in the log beside the file alone, and SQLite reads a log
  // only where it may write: then a copy is read.
  const walBytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (walBytes === 0) return readRows(file, file);
  const directory = mkdtempSync(join(scratchDir, 'migrate-'));
  try {
    const copy = join(directory, 'positions.db');
    copyFileSync(file, copy);
    copyFileSync(`${file}-wal`, `${copy}-wal`);
    return readRows(copy, file);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readRows(path: string, file: string): Found {
  // It says ENOENT as the other agent's file does; SQLite would only say that it cannot open it.
  statSync(path);
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(url, { readOnly: path === file });
    const statement = database.prepare('SELECT name, offset, inode FROM in_tail_files');
    statement.setReadBigInts(true); // Inodes of some file systems are longer than a double.
    const positions: ForeignPosition[] = [];
    let malformed = 0;
    for (const { name, offset, inode } of statement.iterate()) {
      const position = { path: String(name), offset: Number(offset), inode: Number(inode) };
      if (position.offset >= 0 && position.inode > 0) positions.push(position);
      else malformed += 1;
    }
    return { positions, unwatched: 0, malformed };
  } catch (error) {
    if (!hasCode(error, 'ERR_SQLITE_ERROR')) throw error;
    const text = `${file} is no database of Fluent Bit's tail input`;
    throw new AgentError('CONFIG_INVALID', text, { cause: error });
  } finally {
    database?.close();
  }
}

function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
