// The store of `--data FILE`: entries in SQLite, readable with any SQLite tool, there again after a
// restart.
//
// Rows are kept in the order of the key, so a page is a range of the table. Invariant: as in
// MemoryStore, an identity is there once.

import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import type { EntryStore, PageRequest, StoredEntry } from './entry-store.ts';

const layout = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = OFF;
  CREATE TABLE IF NOT EXISTS defaults (id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS entries (
    seconds INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    insert_id TEXT NOT NULL,
    parent TEXT NOT NULL,
    log_name TEXT NOT NULL,
    received_seconds INTEGER NOT NULL,
    received_nanos INTEGER NOT NULL,
    defaults_id INTEGER NOT NULL REFERENCES defaults (id),
    json TEXT NOT NULL,
    PRIMARY KEY (seconds, nanos, insert_id, parent)
  ) WITHOUT ROWID;`;

const columns = `seconds, nanos, insert_id, parent, log_name, received_seconds, received_nanos,
  entries.json AS json, defaults.json AS defaults`;
const source = `entries JOIN defaults ON defaults.id = defaults_id`;
const key = '(seconds, nanos, insert_id, parent)';

type Row = {
  readonly seconds: number;
  readonly nanos: number;
  readonly insert_id: string;
  readonly parent: string;
  readonly log_name: string;
  readonly received_seconds: number;
  readonly received_nanos: number;
  readonly json: string;
  readonly defaults: string;
};

/** Entries in a file, which two emulators must not share. */
export class SqliteStore implements EntryStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #defaultsIds = new Map<string, number>();
  #count: number;

  /** Opens or creates the file; throws node:sqlite's error. */
  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(layout);
    this.#insert = this.#database.prepare(
      'INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#count = this.#countRows();
  }

  get count(): number {
    return this.#count;
  }

  transaction(work: () => void): void {
    this.#database.exec('BEGIN');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      this.#defaultsIds.clear();
      this.#count = this.#countRows();
      throw error;
    }
  }

  add(entry: StoredEntry): boolean {
    const { changes } = this.#insert.run(
      entry.timestamp.seconds,
      entry.timestamp.nanos,
      entry.insertId,
      entry.parent,
      entry.logName,
      entry.receiveTime.seconds,
      entry.receiveTime.nanos,
      this.#defaultsId(entry.defaults),
      entry.json.toString('utf8'),
    );
    if (changes === 0) return false;
    this.#count += 1;
    return true;
  }

  page({ after, descending = false, countMax }: PageRequest): StoredEntry[] {
    const direction = descending ? 'DESC' : 'ASC';
    const order = ['seconds', 'nanos', 'insert_id', 'parent']
      .map((column) => `${column} ${direction}`)
      .join();
    const past = after === undefined ? '' : `WHERE ${key} ${descending ? '<' : '>'} (?, ?, ?, ?)`;
    const bounds =
      after === undefined
        ? []
        : [after.timestamp.seconds, after.timestamp.nanos, after.insertId, after.parent];
    const statement = this.#database.prepare(
      `SELECT ${columns} FROM ${source} ${past} ORDER BY ${order} LIMIT ?`,
    );
    return (statement.all(...bounds, countMax) as Row[]).map(entryOf);
  }

  logNames(): string[] {
    const rows = this.#database
      .prepare('SELECT DISTINCT log_name FROM entries ORDER BY log_name')
      .all();
    return rows.map((row) => String(row['log_name']));
  }

  deleteLog(logName: string): number {
    const { changes } = this.#database
      .prepare('DELETE FROM entries WHERE log_name = ?')
      .run(logName);
    this.#count -= Number(changes);
    return Number(changes);
  }

  clear(): void {
    this.#database.exec('DELETE FROM entries; DELETE FROM defaults;');
    this.#defaultsIds.clear();
    this.#count = 0;
  }

  close(): void {
    this.#database.close();
  }

  #countRows(): number {
    return Number(this.#database.prepare('SELECT count(*) AS count FROM entries').get()?.['count']);
  }

  #defaultsId(defaults: string): number {
    let id = this.#defaultsIds.get(defaults);
    if (id === undefined) {
      this.#database.prepare('INSERT OR IGNORE INTO defaults (json) VALUES (?)').run(defaults);
      const row = this.#database.prepare('SELECT id FROM defaults WHERE json = ?').get(defaults);
      id = Number(row?.['id']);
      this.#defaultsIds.set(defaults, id);
    }
    return id;
  }
}

function entryOf(row: Row): StoredEntry {
  return {
    parent: row.parent,
    logName: row.log_name,
    timestamp: { seconds: row.seconds, nanos: row.nanos },
    insertId: row.insert_id,
    receiveTime: { seconds: row.received_seconds, nanos: row.received_nanos },
    defaults: row.defaults,
    json: Buffer.from(row.json),
  };
}
