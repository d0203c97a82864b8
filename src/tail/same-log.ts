// Whether two files, or a file and a stored position, are of one log.
//
// Invariant: every answer comes from bytes, inode and birth; a name alone proves nothing.

import { fstatSync } from 'node:fs';

import type { ReadTime } from '../commit/checkpoint.ts';
import { limits } from '../config.ts';
import { isHashOfZeros } from '../position-hash.ts';
import { mayBecome } from './file-identity.ts';
import { peekFile, positionHashAt } from './file-peek.ts';
import { isBornAt } from './inode-facts.ts';
import type { LogFile } from './log-file.ts';
import type { KnownOffset } from './tail-setup.ts';

/** Whether both are one log: compressed, copied, or met again under another name. */
export function isSameIdentity(a: LogFile, b: LogFile): boolean {
  if (a.identity === undefined || b.identity === undefined) return false;
  return a.identity.idPrefix === b.identity.idPrefix;
}

/**
 * Whether the position of `file` is what is to be stored of its log: a copy of it, which goes on
 * when it was truncated, has the same place in the store.
 */
export function ownsPosition(files: readonly LogFile[], file: LogFile): boolean {
  return !files.some((other) => {
    if (other === file || other.replaced || !isSameIdentity(other, file)) return false;
    return file.replaced || other.offset > file.offset;
  });
}

/**
 * Whether `file` holds the bytes before `known`, and those behind it that may have been sent;
 * undefined when that cannot be known. Where the latter are others, their ids must not be used
 * again: at the same time of reading, another line would be taken for the one that was sent.
 */
export function holds(file: LogFile, known: KnownOffset): boolean | undefined {
  const { offset, positionHash, readTimes } = known;
  const { fd } = file;
  if (fd === undefined) return undefined;
  if (provenEnd(known) > file.size) return false;
  const isSent = ({ end, hash }: ReadTime) =>
    hash === undefined || positionHashAt(fd, end) === hash;
  if (!readTimes.every(isSent)) return false;
  return positionHash === undefined ? undefined : positionHashAt(fd, offset) === positionHash;
}

/** The bytes up to here are known, by their hashes. */
export function provenEnd({ offset, readTimes }: KnownOffset): number {
  return Math.max(offset, readTimes.findLast(({ hash }) => hash !== undefined)?.end ?? 0);
}

/** Where the last proof ends that is not a hash of zeros, which are in any hole. */
function tellingEnd({ offset, positionHash, readTimes }: KnownOffset): number {
  const proofs = [{ end: offset, hash: positionHash }, ...readTimes];
  const telling = proofs.filter(({ end, hash }) => hash !== undefined && !isHashOfZeros(hash, end));
  return Math.max(0, ...telling.map(({ end }) => end));
}

/**
 * Whether the first of two positions fits a file of `size` bytes at least as well: by the length at
 * the last look, then by the bytes that tell.
 */
export function fitsAsWell(size: number, one: KnownOffset, other: KnownOffset): boolean {
  const bySize = Number(one.size === size) - Number(other.size === size);
  const byBytes = tellingEnd(one) - tellingEnd(other) || provenEnd(one) - provenEnd(other);
  return (bySize || byBytes) >= 0;
}

/** Whether `file` is the very one, by inode and birth, in which a position was stored. */
export function isFileOf(file: LogFile, { inode, bornMs }: KnownOffset): boolean {
  return !file.name.compressed && inode === file.inode && isBornAt(bornMs, file.bornMs);
}

/** Whether `file`, just opened, is `known` under another name; both are the same inode. */
export function continues(file: LogFile, known: LogFile): boolean {
  // Of what was empty when it was closed nothing was read.
  if (known.head === undefined) return isBornAt(known.bornMs, file.bornMs);
  if (!mayBecome(known.head.lineHash, file.head) || file.fd === undefined) return false;
  const { offset, hash } = known.position;
  return hash === undefined || positionHashAt(file.fd, offset) === hash;
}

/** Whether `known`, closed, was found again as `file`, and no other file has got its number. */
export function isMoved(known: LogFile, file: LogFile): boolean {
  const sameInode = known.inode === file.inode && known.device === file.device;
  if (!sameInode || known.name.compressed || !isBornAt(known.bornMs, file.bornMs)) return false;
  return continues(file, known);
}

/** What is known of a file that was truncated, in words. */
export function truncation(
  { path, size, offset }: Pick<LogFile, 'path' | 'size' | 'offset'>,
  left: number,
): string {
  const read = `${offset} bytes had been read`;
  if (left < size) return `${path} has ${left} bytes, and had ${size}: ${read}`;
  return `${path} holds other bytes than those that it had: ${read}`;
}

/** Whether `other` begins as `file` does, and holds the same bytes where that ends. */
export function isCopyOf(file: LogFile, other: LogFile): boolean {
  const [fd, otherFd] = [file.fd, other.fd];
  if (fd === undefined || otherFd === undefined || other.inode === file.inode) return false;
  // Both: either may be zeros, in the hole of one that is no copy.
  return [file.size, Math.min(file.size, limits.fingerprintBytes)].every((offset) => {
    const hash = positionHashAt(fd, offset);
    return hash !== undefined && positionHashAt(otherFd, offset) === hash;
  });
}

/** Whether a file holds more than at the last look, or when it was opened. */
export function hasGrown({ fd, size }: LogFile): boolean {
  return fd !== undefined && fstatSync(fd).size > size;
}

/** Whether a first line is all that there is of it. */
export function isOneLine({ fd, size }: LogFile): boolean {
  if (fd === undefined || size > limits.identityBytes) return false;
  const end = peekFile(fd, 0, size).indexOf(0x0a);
  return end === -1 || end >= size - 1;
}

/** Whether `pack`, which is not unpacked yet, may be what `original` was packed to. */
export function mayBePackOf(pack: LogFile, original: LogFile): boolean {
  if (!pack.name.compressed || pack.identity !== undefined || original.name.compressed) {
    return false;
  }
  return pack.size === original.size && mayBecome(original.head?.lineHash, pack.head);
}
