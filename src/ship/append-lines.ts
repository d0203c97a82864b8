// Appends to a file of lines that several processes write to, on a disk that may be full.
//
// Invariant: a line torn by a crash or a full disk spoils no other: the next text begins on a line
// of its own.

import { appendFileSync, openSync, readSync, statSync } from 'node:fs';

import { closeDescriptor } from '../descriptor.ts';

const newline = 0x0a;

/**
 * Appends whole lines, each with its newline; a new file is readable by its owner only.
 * @throws the system's error; some of the lines may have been written.
 */
export function appendLines(path: string, lines: Buffer): void {
  const whole = endsWithinLine(path) ? Buffer.concat([Buffer.from('\n'), lines]) : lines;
  appendFileSync(path, whole, { mode: 0o600 });
}

/** A file that cannot be read counts as torn. */
function endsWithinLine(path: string): boolean {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes === 0) return false;
  const last = Buffer.alloc(1);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, last, 0, 1, bytes - 1);
    } finally {
      closeDescriptor(fd);
    }
  } catch {
    return true; // One more empty line does no harm to a reader of NDJSON.
  }
  return last[0] !== newline;
}
