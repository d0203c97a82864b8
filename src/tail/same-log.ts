// Whether two files, or a file and a stored position, are of one log.
//
// Invariant: every answer comes from bytes, inode and birth; a name alone proves nothing.

import { positionHashAt } from './file-peek.ts';
import type { LogFile } from './log-file.ts';
import type { KnownOffset } from './tail-setup.ts';

/** Whether both are one log: compressed, copied, or met again under another name. */
export function isSameIdentity(a: LogFile, b: LogFile): boolean {
  if (a.identity === undefined || b.identity === undefined) return false;
  return a.identity.idPrefix === b.identity.idPrefix;
}

/** Whether `file` holds the bytes before `known`; undefined when that cannot be known. */
export function holds(file: LogFile, known: KnownOffset): boolean | undefined {
  const { offset, positionHash } = known;
  if (file.fd === undefined) return undefined;
  if (offset > file.size) return false;
  return positionHash === undefined ? undefined : positionHashAt(file.fd, offset) === positionHash;
}

/** Whether `file` is the very one, by inode and birth, in which a position was stored. */
export function isFileOf(file: LogFile, { inode, bornMs }: KnownOffset): boolean {
  if (file.name.compressed || inode !== file.inode) return false;
  return bornMs === 0 || file.bornMs === 0 || bornMs === file.bornMs;
}

/** Whether `file`, just opened, is `known` under another name; both are the same inode. */
export function continues(file: LogFile, known: LogFile): boolean {
  if (known.head?.lineHash !== file.head?.lineHash || file.fd === undefined) return false;
  const { offset, hash } = known.position;
  return hash === undefined || positionHashAt(file.fd, offset) === hash;
}

/** Whether `other` holds the same bytes as far as `file` goes. */
export function isCopyOf(file: LogFile, other: LogFile): boolean {
  if (file.fd === undefined || other.fd === undefined || other.inode === file.inode) return false;
  const hash = positionHashAt(file.fd, file.size);
  return hash !== undefined && positionHashAt(other.fd, file.size) === hash;
}
