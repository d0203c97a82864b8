// The SQLite file under the checkpoint store: opens, locks and checks it, reads all rows once,
// writes changes in one transaction.
//
// Invariants: each row that is returned was written like this (it has a checksum), though it may
// not be the latest one; a file is renamed but never deleted.
//
// WAL, with synchronous=OFF between open and close, so that the main thread never waits for the
// disk: with 100 busy containers the log is moved into the file about once a minute, with three
// fsyncs, and on a congested disk with fsyncs of 2 s that stalled the tick and discovery for 3.9 s
// (measured with strace's inject; 0.09 s without). A killed process loses nothing; a power cut
// loses at most the store, which the checks at open find: then lines are read again, and sent as
// the same entries. An orderly stop syncs.
//
// locking_mode=EXCLUSIVE: the lock belongs to the process, and the kernel drops it when the process
// dies; there is no shared-memory file.

import { accessSync, constants, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';

import { AgentError, hasCode, isSystemError, type ErrorCode } from '../errors.ts';
import type { Checkpoint, CheckpointKey, ReadTime } from './checkpoint.ts';
import { lockHolder } from './lock-holder.ts';

export type Change = { readonly put: Checkpoint } | { readonly forget: CheckpointKey };

const storeName = 'checkpoints.sqlite';
const schemaVersion = 2;
// "tail" in ASCII: tells our file from any other SQLite file.
const applicationId = 0x7461696c;
// Small, because each commit writes whole pages, and its rows are scattered.
const pageBytes = 1024;
const cacheBytes = 512 * 1024;
/** At this size the log is moved into the file. */
const walPages = 1024;

// One tree, without a second index or rowid, so that a damaged page loses rows but cannot make two
// views disagree. device and inode are REAL because they are JavaScript numbers, and only hints. A
// size or hash of -1 is unknown.
const createTable = `CREATE TABLE checkpoint (
  pod_uid TEXT NOT NULL, container TEXT NOT NULL, restart_count INTEGER NOT NULL,
  fingerprint TEXT NOT NULL, instance TEXT NOT NULL, offset INTEGER NOT NULL,
  position_hash INTEGER NOT NULL, size INTEGER NOT NULL, device REAL NOT NULL,
  inode REAL NOT NULL, born_ms REAL NOT NULL, file_name TEXT NOT NULL, read_times TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pod_uid, container, restart_count, fingerprint, instance)
) STRICT, WITHOUT ROWID`;

/** Stores of earlier versions are rewritten in place. */
const createTableVersion1 = `CREATE TABLE checkpoint (
  pod_uid TEXT NOT NULL, container TEXT NOT NULL, restart_count INTEGER NOT NULL,
  fingerprint TEXT NOT NULL, offset INTEGER NOT NULL, device REAL NOT NULL, inode REAL NOT NULL,
  file_name TEXT NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (pod_uid, container, restart_count, fingerprint)
) STRICT, WITHOUT ROWID`;

const insertRow =
  'INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

/** An open and locked file; every method throws STATE_CORRUPT or STATE_UNWRITABLE. */
export class CheckpointFile {
  readonly #stateDir: string;
  readonly #database: DatabaseSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #inode: bigint;

  /** Creates, or opens and checks, the file; throws STATE_LOCKED when another process has it. */
  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    const path = join(stateDir, storeName);
    let database: DatabaseSync | undefined;
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      database = new DatabaseSync(path, { timeout: 0 });
      lock(database);
      if (isNew(database)) createSchema(database);
      else if (checkSchema(database) === 1) upgradeFromVersion1(database);
      database.exec('PRAGMA synchronous = OFF');
      this.#upsert = database.prepare(insertRow);
      this.#delete = database.prepare(
        `DELETE FROM checkpoint
         WHERE pod_uid = ? AND container = ? AND restart_count = ? AND fingerprint = ?
           AND instance = ?`,
      );
      this.#inode = statSync(path, { bigint: true }).ino;
    } catch (error) {
      closeQuietly(database);
      throw classify(error, stateDir);
    }
    this.#database = database;
  }

  load(): Checkpoint[] {
    try {
      return readRows(this.#database, schemaVersion);
    } catch (error) {
      throw classify(error, this.#stateDir);
    }
  }

  /** Writes all changes or none. Without changes it writes one page, to prove that it can. */
  write(changes: Iterable<Change>): void {
    const database = this.#database;
    try {
      // SQLite would go on writing to a file that was removed.
      const inode = statSync(join(this.#stateDir, storeName), { bigint: true }).ino;
      if (inode !== this.#inode) {
        throw new AgentError('STATE_UNWRITABLE', 'the store was replaced by another file');
      }
      database.exec('BEGIN IMMEDIATE');
      let count = 0;
      for (const change of changes) {
        count += 1;
        if ('put' in change) this.#upsert.run(...encodeRow(change.put));
        else this.#delete.run(...columnsOf(change.forget));
      }
      if (count === 0) database.exec(`PRAGMA user_version = ${schemaVersion}`);
      database.exec('COMMIT');
    } catch (error) {
      try {
        // A full disk rolls back by itself, unlike other errors.
        if (database.isTransaction) database.exec('ROLLBACK');
      } catch {
        // The first error is reported.
      }
      throw classify(error, this.#stateDir);
    }
  }

  /** Moves the log into the file and syncs it if possible, and unlocks it. */
  close(): void {
    try {
      this.#database.exec('PRAGMA synchronous = NORMAL');
    } catch {
      // A broken file is closed as it is.
    }
    closeQuietly(this.#database);
  }
}

/**
 * Rows of a store that cannot be opened for writing, e.g. on a read-only file system; none if it
 * cannot be read either. Commits that are only in the log are not seen: older rows are safe.
 */
export function loadReadOnly(stateDir: string): Checkpoint[] {
  const path = join(stateDir, storeName);
  if (!existsSync(path)) return [];
  let database: DatabaseSync | undefined;
  try {
    const url = pathToFileURL(path);
    // Otherwise SQLite would create a log beside the file.
    url.searchParams.set('immutable', '1');
    database = new DatabaseSync(url, { readOnly: true });
    return readRows(database, checkSchema(database));
  } catch {
    // The error is reported when the file can be opened for writing.
    return [];
  } finally {
    closeQuietly(database);
  }
}

/** Renames a corrupt file and its log; returns its new path. @throws the system's error. */
export function setAside(stateDir: string): string {
  const path = join(stateDir, storeName);
  const time = new Date().toISOString().replaceAll(/[-:.]/g, '');
  let aside = `${path}.corrupt-${time}`;
  for (let count = 1; existsSync(aside); count += 1) aside = `${path}.corrupt-${time}-${count}`;
  // The log first: a log without a file is ignored, but an old log would damage a new file.
  for (const suffix of ['-wal', '-journal', '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

function lock(database: DatabaseSync): void {
  // Exclusive before the first access, which would create shared memory; page size before the file
  // has pages.
  database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${pageBytes}`);
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
  if (mode !== 'wal') {
    throw new AgentError(
      'STATE_UNWRITABLE',
      `the store cannot be switched to write-ahead logging: ${String(mode)}`,
    );
  }
  database.exec(`
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${walPages};
    PRAGMA cache_size = -${cacheBytes / 1024};
    PRAGMA temp_store = MEMORY;
    BEGIN IMMEDIATE;
    COMMIT`);
}

function isNew(database: DatabaseSync): boolean {
  return pragma(database, 'schema_version') === 0 && pragma(database, 'page_count') <= 1;
}

function createSchema(database: DatabaseSync): void {
  database.exec(`
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${schemaVersion};
    ${createTable};
    COMMIT`);
}

/** Returns the schema's version: 1 or `schemaVersion`. */
function checkSchema(database: DatabaseSync): number {
  const tables = database.prepare('SELECT sql FROM sqlite_schema').all();
  const version = pragma(database, 'user_version');
  const table = version === 1 ? createTableVersion1 : createTable;
  const ours =
    pragma(database, 'application_id') === applicationId &&
    (version === 1 || version === schemaVersion) &&
    tables.length === 1 &&
    tables[0]?.['sql'] === table;
  if (!ours) throw new AgentError('STATE_CORRUPT', 'the store has another schema');
  const complaint = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (complaint !== 'ok') {
    throw new AgentError('STATE_CORRUPT', `the store is damaged: ${String(complaint)}`);
  }
  return version;
}

/** In one transaction: a kill leaves the store unchanged. */
function upgradeFromVersion1(database: DatabaseSync): void {
  const checkpoints = readRows(database, 1);
  database.exec(`BEGIN IMMEDIATE; DROP TABLE checkpoint; ${createTable}`);
  const insert = database.prepare(insertRow);
  for (const checkpoint of checkpoints) insert.run(...encodeRow(checkpoint));
  database.exec(`PRAGMA user_version = ${schemaVersion}; COMMIT`);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function readRows(database: DatabaseSync, version: number): Checkpoint[] {
  const checkpoints: Checkpoint[] = [];
  for (const row of database.prepare('SELECT * FROM checkpoint').iterate()) {
    checkpoints.push(version === 1 ? decodeRowOfVersion1(row) : decodeRow(row));
  }
  return checkpoints;
}

function columnsOf(key: CheckpointKey): [string, string, number, string, string] {
  const { podUid, container, restartCount, fingerprint, instance } = key;
  return [podUid, container, restartCount, fingerprint, instance];
}

function encodeRow(checkpoint: Checkpoint): (string | number)[] {
  const { podUid, container, restartCount, fingerprint, instance } = checkpoint;
  const { offset, positionHash = -1, size = -1, device, inode, bornMs, fileName } = checkpoint;
  const { readTimes } = checkpoint;
  // A single array: with 300 busy containers rows were a seventh of all garbage.
  const row = [podUid, container, restartCount, fingerprint, instance, offset, positionHash, size];
  row.push(device, inode, bornMs, fileName, readTimes.map(encodeReadTime).join());
  row.push(checksumOf(row));
  return row;
}

function decodeRow(row: Readonly<Record<string, unknown>>): Checkpoint {
  const known = (name: string) => (row[name] === -1 ? undefined : Number(row[name]));
  const checkpoint: Checkpoint = {
    ...decodeColumns(row),
    instance: String(row['instance']),
    positionHash: known('position_hash'),
    size: known('size'),
    bornMs: Number(row['born_ms']),
    readTimes: decodeReadTimes(String(row['read_times'])),
  };
  // SQLite has no checksums: one flipped bit of an offset would skip lines that were never sent.
  demandChecksum(row, encodeRow(checkpoint).at(-1));
  return checkpoint;
}

function decodeRowOfVersion1(row: Readonly<Record<string, unknown>>): Checkpoint {
  const columns = decodeColumns(row);
  const { podUid, container, restartCount, fingerprint } = columns;
  const { offset, device, inode, fileName } = columns;
  const identity = [podUid, container, restartCount, fingerprint];
  demandChecksum(row, checksumOf([...identity, offset, device, inode, fileName]));
  const unknown = { positionHash: undefined, size: undefined, bornMs: 0, readTimes: [] };
  return { ...columns, ...unknown, instance: '' };
}

/** The columns of every version. */
function decodeColumns(row: Readonly<Record<string, unknown>>) {
  return {
    podUid: String(row['pod_uid']),
    container: String(row['container']),
    restartCount: Number(row['restart_count']),
    fingerprint: String(row['fingerprint']),
    offset: Number(row['offset']),
    device: Number(row['device']),
    inode: Number(row['inode']),
    fileName: String(row['file_name']),
  };
}

function encodeReadTime({ end, atMs, hash, isFlushed }: ReadTime): string {
  const words = [end, atMs, hash ?? '', isFlushed ? 'flushed' : ''];
  return words.join(':').replace(/:{1,2}$/, '');
}

function decodeReadTimes(text: string): Checkpoint['readTimes'] {
  if (text === '') return [];
  return text.split(',').map((pair) => {
    const [end, atMs, hash = '', flushed] = pair.split(':');
    const known = hash === '' ? undefined : Number(hash);
    return { end: Number(end), atMs: Number(atMs), hash: known, isFlushed: flushed === 'flushed' };
  });
}

function demandChecksum(row: Readonly<Record<string, unknown>>, checksum: unknown): void {
  if (checksum === row['checksum']) return;
  throw new AgentError('STATE_CORRUPT', 'a row of the store is damaged');
}

function checksumOf(columns: readonly (string | number)[]): number {
  return crc32(columns.join('\0'));
}

function closeQuietly(database: DatabaseSync | undefined): void {
  try {
    database?.close();
  } catch {
    // Nothing that was committed is lost; the next open cleans up.
  }
}

/**
 * Turns errors of SQLite and the system into codes; others are programmers' errors and stay as they
 * are. Source: sqlite.org/rescode.html.
 */
function classify(error: unknown, stateDir: string): unknown {
  if (error instanceof AgentError || !(error instanceof Error)) return error;
  const fail = (code: ErrorCode, text: string): AgentError =>
    new AgentError(code, `${stateDir}: ${text}`, { cause: error });
  if (isSystemError(error)) return fail('STATE_UNWRITABLE', error.message);
  if (hasCode(error, 'ERR_OUT_OF_RANGE')) {
    return fail('STATE_CORRUPT', 'a number of the store is damaged');
  }
  if (!('errcode' in error) || typeof error.errcode !== 'number') return error;
  // The low byte is the primary code.
  switch (error.errcode & 0xff) {
    case 5: // BUSY
    case 6: {
      // LOCKED
      const pid = lockHolder(join(stateDir, storeName));
      return fail(
        'STATE_LOCKED',
        pid === undefined ? 'in use by another agent' : `in use by process ${pid}`,
      );
    }
    case 3: // PERM
    case 4: // ABORT
    case 7: // NOMEM
    case 10: // IOERR
    case 13: // FULL
    case 14: // CANTOPEN
    case 15: // PROTOCOL
      return fail('STATE_UNWRITABLE', error.message);
    case 8: // READONLY: the file system is, or two bytes of the file's header are damaged.
      return fail(isWritable(stateDir) ? 'STATE_CORRUPT' : 'STATE_UNWRITABLE', error.message);
    // CORRUPT, NOTADB, and errors that our statements can only meet in a damaged schema.
    default:
      return fail('STATE_CORRUPT', error.message);
  }
}

function isWritable(stateDir: string): boolean {
  try {
    accessSync(stateDir, constants.W_OK);
    accessSync(join(stateDir, storeName), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
