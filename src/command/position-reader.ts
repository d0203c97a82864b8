// A process of its own that reads the rows of Fluent Bit's table from a database file, whose path
// comes on stdin, and writes them to stdout as one line of JSON.
//
// Who may write the file decides what SQLite runs when it is read: a view, a generated column or a
// virtual table in place of the table would be code. So only a plain table is read, nothing but its
// three columns is authorised, and the parent ends this process when it takes too long.

import { readFileSync, writeSync } from 'node:fs';
import { constants, DatabaseSync } from 'node:sqlite';

import { errorText } from '../errors.ts';
import { limits } from '../config.ts';

/** Path, offset, inode. */
export type PositionRow = readonly [string, number, number];
export type ReaderAnswer =
  | { readonly rows: readonly PositionRow[]; readonly malformed: number }
  | { readonly error: string };

const table = 'in_tail_files';
const columns: ReadonlySet<string | null> = new Set(['name', 'offset', 'inode']);

function readRows(database: DatabaseSync): ReaderAnswer {
  database.exec('PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
  const schema = database
    .prepare('SELECT type, substr(sql, 1, 20) AS sql FROM sqlite_schema WHERE name = ?')
    .get(table);
  const isPlain = schema?.['type'] === 'table' && /^CREATE TABLE\b/i.test(String(schema['sql']));
  if (!isPlain) return { error: `it has no table ${table}` };
  const hidden = database
    .prepare('SELECT count(*) AS count FROM pragma_table_xinfo(?) WHERE hidden <> 0')
    .get(table);
  if (hidden?.['count'] !== 0) return { error: `its table ${table} has computed columns` };
  database.setAuthorizer((action, first, column, _database, source) => {
    const isRead = action === constants.SQLITE_READ && first === table && columns.has(column);
    const isOurs = source === null && (isRead || action === constants.SQLITE_SELECT);
    return isOurs ? constants.SQLITE_OK : constants.SQLITE_DENY;
  });
  const statement = database.prepare(`SELECT name, offset, inode FROM ${table}`);
  statement.setReadBigInts(true); // Inodes of some file systems exceed a double.
  const rows: PositionRow[] = [];
  let malformed = 0;
  for (const { name, offset, inode } of statement.iterate()) {
    const isName = typeof name === 'string' && name.length <= limits.migratePathCharactersMax;
    if (!isName) malformed += 1;
    else rows.push([name, Number(offset), Number(inode)]);
    if (rows.length + malformed > limits.migratePositionsMax) break; // The parent refuses it.
  }
  return { rows, malformed };
}

function answerFor(path: string): ReaderAnswer {
  let database: DatabaseSync | undefined;
  try {
    const { migrateRowBytesMax: length } = limits;
    database = new DatabaseSync(path, { readOnly: true, limits: { length, attach: 0 } });
    return readRows(database);
  } catch (error) {
    return { error: errorText(error) };
  } finally {
    database?.close();
  }
}

const answer = Buffer.from(JSON.stringify(answerFor(readFileSync(0, 'utf8'))));
for (let at = 0; at < answer.length;) at += writeSync(1, answer, at);
