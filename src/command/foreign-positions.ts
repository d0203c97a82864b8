// Reads how far another agent had come, from fluentd's pos file, Fluent Bit's database, or the
// configuration that names one. Invariant: nothing is changed, and what cannot be a position is
// counted.
//
//   fluentd      <path> TAB <offset, 16 hex digits> TAB <inode, 16 hex digits>
//                offset ffffffffffffffff: no longer watched. A later line of a file wins.
//   Fluent Bit   SQLite, in_tail_files(name, offset, inode, created, rotated, …)
//
// Sources: fluentd lib/fluent/plugin/in_tail/position_file.rb; Fluent Bit
// plugins/in_tail/tail_sql.h.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  fstatSync,
  globSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { limits } from '../config.ts';
import type { Control } from '../control.ts';
import { type AgentError, configError, hasCode } from '../errors.ts';
import { makeScratchDirectory } from '../scratch-directory.ts';
import type { Config } from '../options/options.ts';
import type { ForeignAgent, MigrationSource } from './command-words.ts';
import type { ReaderAnswer } from './position-reader.ts';

/** The bytes of one file that another agent has read. */
export type ForeignPosition = {
  /** As the other agent found it: a link or its target. */
  readonly path: string;
  readonly offset: number;
  readonly inode: number;
};

export type ForeignPositions = {
  readonly positions: readonly ForeignPosition[];
  /** When the file was last written, milliseconds since the epoch. */
  readonly savedMs: number;
  /** Files that the other agent no longer watched, without a position. */
  readonly unwatched: number;
  /** Lines or rows without a position. */
  readonly malformed: number;
};

/** Configurations have such names and files of positions do not. */
const configurationName = /\.(?:conf|config|cfg|ya?ml|json)$/;
const candidatesMax = 5;

/**
 * Undefined when no file exists, which --missing-ok allows: the node never had the other agent.
 * Throws CONFIG_INVALID otherwise, and as `readForeignPositions` does.
 */
export async function readPositions(
  config: Config,
  { log }: Control,
  { agent, file }: MigrationSource,
): Promise<ForeignPositions | undefined> {
  const files = configurationName.test(file) ? await namedFiles({ agent, file }) : [file];
  const found: ForeignPositions[] = [];
  for (const each of files) {
    try {
      found.push(await readForeignPositions(agent, each, config.stateDir));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      const text = `${each} does not exist${candidatesText(each)}`;
      if (!config.missingOk) throw configError(text, { cause: error });
      log.warn(undefined, `${text}: no position is taken over`);
    }
  }
  return found.length === 0 ? undefined : merged(found);
}

async function namedFiles({ agent, file }: MigrationSource): Promise<readonly string[]> {
  const { draftOf } = await import('../convert/convert.ts');
  const { positionFiles } = await draftOf(agent, [file]);
  if (positionFiles.length > 0) return [...new Set(positionFiles.map(({ path }) => path))];
  const key = agent === 'fluentd' ? 'pos_file' : 'DB';
  const text = `${file} names no ${key} of container logs, or one that is computed; give that file itself`;
  throw configError(text);
}

/** Files in the same directory that could be meant. */
function candidatesText(file: string): string {
  const names = globSync('*.{pos,db}', { cwd: dirname(file) }).toSorted();
  if (names.length === 0) return '';
  return `; ${dirname(file)} has ${names.slice(0, candidatesMax).join(', ')}`;
}

/** The oldest of the times: a file younger than any of them is read again. */
function merged(found: readonly ForeignPositions[]): ForeignPositions {
  const sum = (count: (each: ForeignPositions) => number): number =>
    found.reduce((total, each) => total + count(each), 0);
  return {
    positions: found.flatMap(({ positions }) => positions),
    savedMs: Math.min(...found.map(({ savedMs }) => savedMs)),
    unwatched: sum(({ unwatched }) => unwatched),
    malformed: sum(({ malformed }) => malformed),
  };
}

/**
 * All positions of a file. `scratchDir` briefly holds a copy of a database. Throws the system's
 * error when the file cannot be read, CONFIG_INVALID when it is of another kind, too long or too
 * slow to read.
 */
export async function readForeignPositions(
  agent: ForeignAgent,
  file: string,
  scratchDir: string,
): Promise<ForeignPositions> {
  const main = readRegularFile(file);
  if (agent === 'fluentd') return { ...parsePosFile(file, main.bytes), savedMs: main.savedMs };
  const wal = readRegularFileIfAny(`${file}-wal`);
  const found = await readDatabase(file, { main, wal, scratchDir });
  return { ...found, savedMs: Math.max(main.savedMs, wal?.savedMs ?? 0) };
}

type Content = { readonly bytes: Buffer; readonly savedMs: number };

/**
 * The bytes of a regular file. Whoever may write to the other agent's directory must not make this
 * process, which is root, read another file or a device, or wait for a FIFO.
 */
function readRegularFile(file: string): Content {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (!hasCode(error, 'ELOOP', 'ENXIO')) throw error;
    const text = `${file} is a link or a socket; name the file itself`;
    throw configError(text, { cause: error });
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw configError(`${file} is no regular file`);
    if (stats.size > limits.migrateBytesMax) {
      const most = `at most ${limits.migrateBytesMax} can be positions`;
      throw configError(`${file} has ${stats.size} bytes; ${most}`);
    }
    const bytes = Buffer.alloc(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length);
      if (count === 0) break; // The file became shorter.
      length += count;
    }
    return { bytes: bytes.subarray(0, length), savedMs: stats.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function readRegularFileIfAny(file: string): Content | undefined {
  try {
    return readRegularFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

type Found = Omit<ForeignPositions, 'savedMs'>;

function parsePosFile(file: string, bytes: Buffer): Found {
  const positions = new Map<string, ForeignPosition>();
  const unwatched = new Set<string>();
  let malformed = 0;
  for (const line of bytes.toString('utf8').split('\n')) {
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
  if (!isPosFile) throw configError(`${file} is no pos file of fluentd`);
  if (positions.size > limits.migratePositionsMax) throw tooMany(file);
  return { positions: [...positions.values()], unwatched: unwatched.size, malformed };
}

function tooMany(file: string): AgentError {
  const text = `${file} has more than ${limits.migratePositionsMax} positions`;
  return configError(text);
}

type Database = {
  readonly main: Content;
  /** The latest writes of Fluent Bit may be only in the log beside the file. */
  readonly wal: Content | undefined;
  readonly scratchDir: string;
};

/** Reads a private copy: SQLite would create files beside the original, and follow links there. */
async function readDatabase(file: string, { main, wal, scratchDir }: Database): Promise<Found> {
  const directory = makeScratchDirectory(scratchDir, 'migrate-');
  try {
    const copy = join(directory, 'positions.db');
    writeFileSync(copy, main.bytes, { mode: 0o600 });
    if (wal !== undefined) writeFileSync(`${copy}-wal`, wal.bytes, { mode: 0o600 });
    const answer = await askReader(copy);
    if ('error' in answer) {
      throw configError(`${file} is no database of Fluent Bit's tail input: ${answer.error}`);
    }
    if (answer.rows.length > limits.migratePositionsMax) throw tooMany(file);
    const positions: ForeignPosition[] = [];
    for (const [path, offset, inode] of answer.rows) {
      if (offset >= 0 && inode > 0) positions.push({ path, offset, inode });
    }
    const malformed = answer.rows.length - positions.length + answer.malformed;
    return { positions, unwatched: 0, malformed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Reads the rows of the copy in a process of its own: pages that point at each other keep SQLite
 * busy without end, and only a process can be stopped then.
 */
async function askReader(copy: string): Promise<ReaderAnswer> {
  const reader = fork(new URL('position-reader.ts', import.meta.url), [], {
    silent: true,
    execArgv: [`--max-old-space-size=${limits.migrateHeapMiB}`],
    timeout: limits.migrateReadMs,
    killSignal: 'SIGKILL',
  });
  let text = '';
  reader.stdout?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  reader.stderr?.resume();
  reader.stdin?.on('error', () => undefined).end(copy);
  const [code, signal] = (await once(reader, 'close')) as [number | null, string | null];
  if (signal !== null) {
    return { error: `it was not read within ${limits.migrateReadMs / 1_000} s` };
  }
  if (code !== 0) return { error: `its reader ended with ${code}` };
  return JSON.parse(text) as ReaderAnswer;
}
