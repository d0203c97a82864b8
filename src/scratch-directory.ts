// Directories that a process makes for as long as it runs, beside those of others.
//
// Invariant: the next process that makes one removes what a killed one left, and never one of a
// process that runs, nor of another user.

import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isSystemError } from './errors.ts';

/** Processes of other containers cannot be seen, so their directories are kept this long. */
const unknownKeptMs = 24 * 3_600_000;

/** For live tails; in the image the agent's own directory may be the only writable one. */
export function tailPlaces(
  stateDir: string,
): readonly (readonly [parent: string, prefix: string])[] {
  return [
    [tmpdir(), 'tailship-tail-'],
    [stateDir, 'tail-'],
  ];
}

/** Makes `parent/<prefix>…` for this user only; its name identifies the process. */
export function makeScratchDirectory(parent: string, prefix: string): string {
  removeAbandoned(parent, prefix);
  return mkdtempSync(join(parent, `${prefix}${processOf('self')}-${ownNamespace()}-`));
}

/** Removes the directories of ended processes, if possible. */
export function removeAbandoned(parent: string, prefix: string): void {
  for (const name of namesIn(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    try {
      const status = lstatSync(path);
      const isOwn = status.isDirectory() && status.uid === statSync('/proc/self').uid;
      if (!isOwn || !isAbandoned(name.slice(prefix.length), status.mtimeMs)) continue;
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}

/** `rest` of the name is `<pid>-<start>-<namespace>-<random>`, in old versions `<random>`. */
function isAbandoned(rest: string, mtimeMs: number): boolean {
  const match = /^(?:((\d+)-\d+)-(\d*)-)?[A-Za-z0-9]{6}$/.exec(rest);
  if (match === null) return false;
  const [, maker, pid = '', namespace] = match;
  if (maker !== undefined && namespace === ownNamespace()) return processOf(pid) !== maker;
  return Date.now() - mtimeMs > unknownKeptMs;
}

/** Process ids are reused; with its start time one is unique in its namespace. */
function processOf(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const [, start = '0'] = /^.*\) (?:\S+ ){19}(\d+) /s.exec(stat) ?? [];
    return `${Number.parseInt(stat, 10)}-${start}`;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return '0-0';
  }
}

/** '' where it cannot be read. */
function ownNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return '';
  }
}
