// Reads dead letters: the files of a state directory, their lines, and what a line says.
//
// Invariants: at most one line is in memory. A line that is torn, too long or of another format is
// reported, and the others are read. The bytes of an entry are those that were refused: numbers and
// repeated members survive.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { limits } from '../config.ts';
import { hasCode } from '../errors.ts';
import { isObject, textOf } from '../json-value.ts';
import { rpcCodeNames } from './answer-json.ts';
import { memberSpan } from './body.ts';

/** What a line of a dead-letter file says. */
export type LetterSummary = {
  /** A hash of the line, so it is the same in every file. */
  readonly id: string;
  /** When it was refused, RFC 3339. */
  readonly time: string;
  /** `INVALID_ARGUMENT`, by google.rpc.Code. */
  readonly codeName: string;
  /** The API's message, which may quote the entry. */
  readonly reason: string;
  /** `namespace/pod/container`; '' when the entry does not say. */
  readonly container: string;
  readonly insertId: string;
  readonly entryBytes: number;
};

export type Letter = LetterSummary & {
  /** JSON as it was refused. */
  readonly entry: Buffer;
  /** Members that the request gave to all its entries. */
  readonly defaults: LetterDefaults;
};

export type LetterDefaults = {
  readonly logName?: string;
  readonly resource?: { readonly labels?: Readonly<Record<string, unknown>> };
  readonly labels?: Readonly<Record<string, unknown>>;
};

/** Bytes of a line, without its newline; undefined when it is too long to be a letter. */
export type LetterLine = Buffer | undefined;

/** An entry is part of one request; its reason adds little. */
const lineBytesMax = limits.requestBytesMax + 1024 * 1024;
const chunkBytes = 64 * 1024;
const newline = 0x0a;
const idLength = 10;
const activeName = 'dead-letter.ndjson';
const takenName = /^dead-letter\.taken-\d+-\d+\.ndjson$/;

/** The files with letters, oldest first: left by a command, rotated, current. */
export function letterFiles(stateDir: string): string[] {
  let names: string[];
  try {
    names = readdirSync(stateDir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  const taken = names.filter((name) => takenName.test(name)).toSorted();
  const own = [`${activeName}.1`, activeName].filter((name) => names.includes(name));
  return [...taken, ...own].map((name) => join(stateDir, name));
}

/** The lines of a file from `start` on, without empty ones; none when the file is gone. */
export function* letterLines(path: string, start = 0): Generator<LetterLine> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    yield* linesOf(fd, start);
  } finally {
    closeSync(fd);
  }
}

function* linesOf(fd: number, start: number): Generator<LetterLine> {
  let pieces: Buffer[] = [];
  let length = 0;
  let position = start;
  const take = (): LetterLine => {
    const line = length > lineBytesMax ? undefined : Buffer.concat(pieces);
    pieces = [];
    length = 0;
    return line;
  };
  const add = (piece: Buffer): void => {
    length += piece.length;
    if (length <= lineBytesMax) pieces.push(piece);
    else pieces = [];
  };
  for (;;) {
    const chunk = Buffer.alloc(chunkBytes);
    const count = readSync(fd, chunk, 0, chunkBytes, position);
    if (count === 0) break;
    position += count;
    let from = 0;
    for (
      let at = chunk.indexOf(newline);
      at >= 0 && at < count;
      at = chunk.indexOf(newline, from)
    ) {
      add(chunk.subarray(from, at));
      from = at + 1;
      if (length > 0) yield take();
    }
    if (from < count) add(chunk.subarray(from, count));
  }
  if (length > 0) yield take();
}

/** What a line says; undefined when it is not a letter. */
export function parseLetter(line: LetterLine): Letter | undefined {
  if (line === undefined) return undefined;
  let root: Readonly<Record<string, unknown>>;
  try {
    root = JSON.parse(line.toString('utf8')) as typeof root;
  } catch {
    return undefined; // Torn by a crash.
  }
  const span = memberSpan(line, 'entry');
  if (!isObject(root) || !isObject(root['entry']) || span === undefined) return undefined;
  const entry = root['entry'] as LetterDefaults & { readonly insertId?: unknown };
  const defaults = isObject(root['defaults']) ? (root['defaults'] as LetterDefaults) : {};
  const code = Number(root['code']);
  return {
    id: createHash('sha256').update(line).digest('hex').slice(0, idLength),
    time: textOf(root['time']),
    codeName: rpcCodeNames[code] ?? `code ${code}`,
    reason: textOf(root['reason']),
    container: containerOf(entry.resource ?? defaults.resource),
    insertId: textOf(entry.insertId),
    entryBytes: span.end - span.start,
    entry: line.subarray(span.start, span.end),
    defaults,
  };
}

/** The newest letters, newest first, from the last bytes of the files. */
export function newestLetters(stateDir: string, countMax: number, tailBytes: number): Letter[] {
  const letters: Letter[] = [];
  // Just after a rotation the newest letters are in the rotated file.
  for (const path of letterFiles(stateDir).toReversed()) {
    const found: Letter[] = [];
    for (const line of letterLines(path, Math.max(0, sizeOf(path) - tailBytes))) {
      const letter = parseLetter(line); // The first line may be the end of one.
      if (letter !== undefined) found.push(letter);
    }
    letters.push(...found.toReversed());
    if (letters.length >= countMax) break;
  }
  return letters.slice(0, countMax);
}

/** `namespace/pod/container` of a letter that is to be written; '' when it names none. */
export function containerOfLetter({
  entry,
  defaults = '{}',
}: {
  readonly entry: Uint8Array;
  readonly defaults?: string;
}): string {
  try {
    const own = JSON.parse(Buffer.from(entry).toString('utf8')) as LetterDefaults;
    return containerOf(own.resource ?? (JSON.parse(defaults) as LetterDefaults).resource);
  } catch {
    return ''; // It is written as it is.
  }
}

/** 0 when there is no file. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function containerOf(resource: LetterDefaults['resource']): string {
  const labels = isObject(resource?.labels) ? resource.labels : {};
  const names = ['namespace_name', 'pod_name', 'container_name'].map((key) => textOf(labels[key]));
  return names.every((name) => name === '') ? '' : names.join('/');
}
