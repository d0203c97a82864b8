// Appends to a file of lines that several processes write to, on a disk that may be full.
//
// Invariant: a line that was torn, by a crash or by a full disk, costs no other one: what comes
// next begins on a line of its own.

import { appendFileSync, openSync, readSync, statSync } from 'node:fs';

import { closeDescriptor } from '../descriptor.ts';

const newline = 0x0a;

/**
 * Appends whole lines, each with its end; the file is made for its owner only.
 * @throws the system's error; a part of them may be there then.
 */
export function appendLines(path: string, lines: Buffer): void {
  const whole = endsWithinLine(path) ? Buffer.concat([Buffer.from('\n'), lines]) : lines;
  appendFileSync(path, whole, { mode: 0o600 });
}

/** A file that cannot be read is taken for torn. */
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
    return true; // An empty line more does no harm to a reader of NDJSON.
  }
  return last[0] !== newline;
}
