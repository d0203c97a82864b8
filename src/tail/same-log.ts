// Whether two files, or a file and a stored position, belong to one log.
//
// Invariant: bytes, inode and birth decide; a name alone proves nothing.

import { fstatSync } from 'node:fs';

import type { ReadTime } from '../commit/checkpoint.ts';
import { limits } from '../config.ts';
import { isHashOfZeros } from '../position-hash.ts';
import { mayBecome, type FileHead } from './file-identity.ts';
import { peekFile, positionHashAt } from './file-peek.ts';
import { isBornAt } from './inode-facts.ts';
import type { LogFile } from './log-file.ts';
import type { KnownOffset } from './tail-setup.ts';

export function isSameIdentity(a: LogFile, b: LogFile): boolean {
  if (a.identity === undefined || b.identity === undefined) return false;
  return a.identity.idPrefix === b.identity.idPrefix;
}

/**
 * Whether the position of `file` is the one to store: a copy, from which reading continues when the
 * original was truncated, has the same key.
 */
export function ownsPosition(files: readonly LogFile[], file: LogFile): boolean {
  return !files.some((other) => {
    if (other === file || other.replaced || !isSameIdentity(other, file)) return false;
    return file.replaced || other.offset > file.offset;
  });
}

/**
 * Whether `file` holds the bytes before `known`, and those after it that may have been sent;
 * undefined: not known. If the latter have changed, their ids must not be used again, because with
 * the same time of reading another line would be taken for the one that was sent.
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

/** The bytes before it are known by their hashes. */
export function provenEnd({ offset, readTimes }: KnownOffset): number {
  return Math.max(offset, readTimes.findLast(({ hash }) => hash !== undefined)?.end ?? 0);
}

/** The end of the last proof that is not a hash of zeros, which any hole contains. */
function tellingEnd({ offset, positionHash, readTimes }: KnownOffset): number {
  const proofs = [{ end: offset, hash: positionHash }, ...readTimes];
  const telling = proofs.filter(({ end, hash }) => hash !== undefined && !isHashOfZeros(hash, end));
  return Math.max(0, ...telling.map(({ end }) => end));
}

/** Whether `one` fits a file of `size` bytes at least as well: by its size, then by its proofs. */
export function fitsAsWell(size: number, one: KnownOffset, other: KnownOffset): boolean {
  const bySize = Number(one.size === size) - Number(other.size === size);
  const byBytes = tellingEnd(one) - tellingEnd(other) || provenEnd(one) - provenEnd(other);
  return (bySize || byBytes) >= 0;
}

/**
 * Whether `other` holds the unread bytes of `file`. Of a log that was truncated before it was read
 * nothing is left to compare: a younger file that begins alike, and is as long, is its copy.
 */
export function holdsRestOf(file: LogFile, other: LogFile): boolean {
  if (isSameIdentity(other, file)) return true;
  const { firstSeenMs } = file.inodeFacts;
  const isYounger = firstSeenMs > 0 && other.bornMs >= firstSeenMs;
  if (!file.replaced || !isYounger || other.name.rotation === '') return false;
  return other.size >= file.size && mayBecome(file.head?.lineHash, other.head);
}

/** Whether a position was stored for this very file, by inode and birth. */
export function isFileOf(file: LogFile, known: KnownOffset): boolean {
  return !file.name.compressed && file.inodeFacts.isOfStored(known);
}

/** Whether `file`, just opened, is `known` under another name; both have the same inode. */
export function continues(file: LogFile, known: LogFile): boolean {
  // It was empty when it was closed: nothing was read.
  if (known.head === undefined) return isBornAt(known.bornMs, file.bornMs);
  if (!mayBecome(known.head.lineHash, file.head) || file.fd === undefined) return false;
  const { offset, hash } = known.position;
  return hash === undefined || positionHashAt(file.fd, offset) === hash;
}

/** Whether `file` is `known`, which was renamed or compressed while it was closed. */
export function isRenamed(known: LogFile, file: LogFile): boolean {
  if (file.name.compressed) return isSameIdentity(known, file);
  if (known.fd !== undefined || known.spool.isBusy || known.name.compressed) return false;
  // The inode number may have been reused.
  const isSameInode =
    known.inode === file.inode && known.inodeFacts.device === file.inodeFacts.device;
  return isSameInode && isBornAt(known.bornMs, file.bornMs) && continues(file, known);
}

export function truncation(
  { path, size, offset }: Pick<LogFile, 'path' | 'size' | 'offset'>,
  left: number,
): string {
  const read = `${offset} bytes had been read`;
  if (left < size) return `${path} has ${left} bytes, and had ${size}: ${read}`;
  return `${path} holds other bytes than those that it had: ${read}`;
}

/** Whether `other` has the same bytes at the beginning and at the end of `file`. */
export function isCopyOf(file: LogFile, other: LogFile): boolean {
  const [fd, otherFd] = [file.fd, other.fd];
  if (fd === undefined || otherFd === undefined || other.inode === file.inode) return false;
  // Both places, because one of them may be in a hole of zeros.
  return [file.size, Math.min(file.size, limits.fingerprintBytes)].every((offset) => {
    const hash = positionHashAt(fd, offset);
    return hash !== undefined && positionHashAt(otherFd, offset) === hash;
  });
}

export function hasGrown({ fd, size }: LogFile): boolean {
  return fd !== undefined && fstatSync(fd).size > size;
}

export function isOneLine({ fd, size }: LogFile): boolean {
  if (fd === undefined || size > limits.identityBytes) return false;
  const end = peekFile(fd, 0, size).indexOf(0x0a);
  return end === -1 || end >= size - 1;
}

/** Whether `pack`, which is still packed, may be the `.gz` of `original`. */
export function mayBePackOf(pack: LogFile, original: LogFile): boolean {
  if (!pack.name.compressed || pack.identity !== undefined || original.name.compressed) {
    return false;
  }
  return pack.size === original.size && mayBecome(original.head?.lineHash, pack.head);
}

/** Whether the bytes alone prove that both are one log. */
export function isByContent(head: FileHead, known: KnownOffset): boolean {
  return head.time !== undefined && known.instance === '' && known.fingerprint === head.fingerprint;
}

/** Whether a file is, by its bytes, the beginning of a copy of the log of `known`. */
export function isPartOf(file: LogFile, head: FileHead, known: KnownOffset): boolean {
  if (known.restartCount !== file.owner.restartCount || isFileOf(file, known)) return false;
  return isByContent(head, known) && file.size < provenEnd(known);
}

export function hasKey({ identity }: LogFile, known: KnownOffset): boolean {
  return identity?.fingerprint === known.fingerprint && identity.instance === known.instance;
}

/** The beginning of `known` may have been a hole. */
export function goesOnFrom({ identity }: LogFile, { instance }: KnownOffset): boolean {
  return instance !== '' && identity?.instance === instance;
}

export function isSameKey(a: KnownOffset, b: KnownOffset): boolean {
  return (
    a.restartCount === b.restartCount &&
    a.fingerprint === b.fingerprint &&
    a.instance === b.instance
  );
}

/** Whether `file` begins as the log of `known` did, and has as many bytes. */
export function isAsLong({ head, size }: LogFile, known: KnownOffset): boolean {
  return (
    size === known.size &&
    (known.fingerprint === head?.fingerprint || mayBecome(known.fingerprint, head))
  );
}

/** A `.gz` that must be unpacked to be identified. */
export function isUnknownPack(file: LogFile): boolean {
  return file.name.compressed && file.identity === undefined && file.unread > 0;
}

/** Merges a known file with the same log found again. */
export function joinTwins(known: LogFile, found: LogFile): void {
  if (known.fd === undefined && !known.spool.isBusy) {
    known.moveTo(found);
    known.life.noteLinked();
  } else {
    // It is still read through its descriptor, under its new name: a live file may be rotated and
    // compressed between two looks.
    known.noteFound({ ...found.name, compressed: known.name.compressed });
    found.close();
  }
}
