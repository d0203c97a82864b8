// The SQLite file under the checkpoint store: opens, locks and checks it, reads all rows once,
// writes changes in one transaction.
//
// Invariants: a row that is returned is exactly a row that was written (each carries a checksum),
// though perhaps not the latest one, and a file is renamed but never deleted.
//
// WAL, and synchronous=OFF from the open to the close: nothing waits for the disk in between. An
// fsync here is the main thread's, and with 100 busy containers the log is moved into the file,
// with three of them, about each minute: fsyncs of 2 s, which a congested node disk takes, stalled
// the tick and discovery for 3.9 s (measured with strace's inject; 0.09 s without them). A death of
// the process costs nothing, a power cut at most the store: what is damaged is found by the checks
// at open, and an older offset, or none, only means that lines are read again, and a line sent
// twice is the same entry. An orderly stop syncs.
//
// locking_mode=EXCLUSIVE: the lock is taken at open, belongs to the process, and the kernel drops
// it when the process dies; it also spares the shared-memory file.

import { accessSync, constants, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';

import { AgentError, hasCode, isSystemError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Checkpoint, CheckpointKey, ReadTime } from './checkpoint.ts';
import { lockHolder } from './lock-holder.ts';

/** A change of one row: a checkpoint to write, or a key to forget. */
export type Change = { readonly put: Checkpoint } | { readonly forget: CheckpointKey };

const storeName = 'checkpoints.sqlite';
const schemaVersion = 2;
// "tail" in ASCII: tells our file from any other SQLite file.
const applicationId = 0x7461696c;
// Small pages, as each commit writes whole pages and its rows lie scattered.
const pageBytes = 1024;
const cacheBytes = 512 * 1024;
/** When the log has grown to this many pages it is moved into the file. */
const walPages = 1024;

// No second index and no rowid: one tree, so that a damaged page loses rows but cannot make two
// views of them disagree. device and inode are REAL because they are JavaScript numbers, which are
// doubles, and only hints.
// A size or hash of -1 is unknown.
const createTable = `CREATE TABLE checkpoint (
  pod_uid TEXT NOT NULL, container TEXT NOT NULL, restart_count INTEGER NOT NULL,
  fingerprint TEXT NOT NULL, instance TEXT NOT NULL, offset INTEGER NOT NULL,
  position_hash INTEGER NOT NULL, size INTEGER NOT NULL, device REAL NOT NULL,
  inode REAL NOT NULL, born_ms REAL NOT NULL, file_name TEXT NOT NULL, read_times TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pod_uid, container, restart_count, fingerprint, instance)
) STRICT, WITHOUT ROWID`;

/** Of stores that earlier versions wrote; they are read, and rewritten in place. */
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

  /**
   * Creates the directory and the file, or opens it and checks all of it; throws STATE_LOCKED at
   * once when another process has it.
   */
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

  /** Every row. */
  load(): Checkpoint[] {
    try {
      return readRows(this.#database, schemaVersion);
    } catch (error) {
      throw classify(error, this.#stateDir);
    }
  }

  /** Writes all changes or none. With no changes it writes one page, to prove that it can. */
  write(changes: Iterable<Change>): void {
    const database = this.#database;
    try {
      // SQLite goes on writing to a file that was removed, which would never be read again.
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
        // A full disk rolls back by itself, other errors do not.
        if (database.isTransaction) database.exec('ROLLBACK');
      } catch {
        // The first error is the one to tell.
      }
      throw classify(error, this.#stateDir);
    }
  }

  /** Ends the lock. The log is moved into the file and synced if that is possible. */
  close(): void {
    try {
      this.#database.exec('PRAGMA synchronous = NORMAL');
    } catch {
      // A file that is broken is closed as it is.
    }
    closeQuietly(this.#database);
  }
}

/**
 * Rows of a store that cannot be opened for writing, e.g. on a file system that was remounted
 * read-only; none if it cannot be read either. Commits that are only in the log are not seen: their
 * rows are older, which is safe.
 */
export function loadReadOnly(stateDir: string): Checkpoint[] {
  const path = join(stateDir, storeName);
  if (!existsSync(path)) return [];
  let database: DatabaseSync | undefined;
  try {
    const url = pathToFileURL(path);
    // Without it SQLite wants to create a log beside the file.
    url.searchParams.set('immutable', '1');
    database = new DatabaseSync(url, { readOnly: true });
    return readRows(database, checkSchema(database));
  } catch {
    // Whatever is wrong with it is found and reported when the file can be opened for writing.
    return [];
  } finally {
    closeQuietly(database);
  }
}

/** Renames a corrupt file with its log, and returns its new path; throws the system's error. */
export function setAside(stateDir: string): string {
  const path = join(stateDir, storeName);
  const time = new Date().toISOString().replaceAll(/[-:.]/g, '');
  let aside = `${path}.corrupt-${time}`;
  for (let count = 1; existsSync(aside); count += 1) aside = `${path}.corrupt-${time}-${count}`;
  // The log first: a log without its file is ignored, a new file with an old log would be damaged
  // by it.
  for (const suffix of ['-wal', '-journal', '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

function lock(database: DatabaseSync): void {
  // The order matters: exclusive before the first access, so that no shared memory is made; page
  // size before the file has pages.
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

/** All or nothing: a kill in between leaves the store as it was. */
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
  // One array and no other: with 300 busy containers rows were a seventh of all garbage.
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
  // SQLite has no checksums of its own: one flipped bit of an offset would pass over lines that
  // were never sent.
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

/** What every version of the store holds. */
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
    // Everything that was committed is on its way to the disk; what closing could not tidy up, the
    // next open does.
  }
}

/**
 * Turns what SQLite and the system throw into codes; anything else is a programmer's error and
 * stays. Source: sqlite.org/rescode.html.
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
  // The low byte is the primary code, the rest tells details.
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
    case 8: // READONLY: either the file system says so, or two damaged bytes of the file's header.
      return fail(isWritable(stateDir) ? 'STATE_CORRUPT' : 'STATE_UNWRITABLE', error.message);
    // CORRUPT, NOTADB, and whatever our fixed statements can only meet in a damaged schema.
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
