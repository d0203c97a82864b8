// The identity of a file, whatever its name: its fingerprint, the fixed part of its insertIds, and
// the time for lines without one.
//
//   insertId = │ hash of (pod uid, container, restart count) │ place of the file │ offset of the line │
//              │ 10 characters                               │ 12 characters     │ 8 characters       │   base 36
//
// The place is the time of the file's first record in nanoseconds, so it follows from the bytes.
// Where no record near the beginning has a time, many files may begin alike. The place is then made
// of the file's birth and inode, and stored with the checkpoint as its instance.

import { createHash } from 'node:crypto';

import { limits } from '../config.ts';
import type { LineFormat } from '../encode/drain-task.ts';

export type FileOwner = {
  readonly podUid: string;
  readonly container: string;
  readonly restartCount: number;
};

export type FileIdentity = {
  /**
   * Hash of the first line, up to `limits.fingerprintBytes`, and of the first record's time if that
   * is in a later line; 16 hexadecimal digits.
   */
  readonly fingerprint: string;
  /** The place, 12 characters; '' where it follows from the bytes. */
  readonly instance: string;
  /** The first 22 characters of each insertId. */
  readonly idPrefix: string;
  /** RFC 3339, for lines before the first one with a time. */
  readonly fallbackTime: string;
};

/** What a file's first bytes tell. */
export type FileHead = {
  /** Hash of the first line alone. */
  readonly lineHash: string;
  /** As in `FileIdentity`. */
  readonly fingerprint: string;
  /** Of the first record that has one, near the beginning. */
  readonly time: RecordTime | undefined;
  /** Bytes of the first line that were hashed, without its end. */
  readonly lineBytes: number;
  /** Bytes that distinguish it from files that begin alike: to its first time or second line. */
  readonly tellingBytes: number;
  /** The place in earlier versions of a file without a time in its first line. */
  readonly formerPlace: string;
};

type RecordTime = {
  readonly text: string;
  readonly nanoseconds: bigint;
  /** Offset of the end of the record's time. */
  readonly endsAt: number;
};

/** What distinguishes files without a time. Milliseconds since the epoch. */
export type FileBirth = {
  /** 0: the file system does not know it. */
  readonly bornMs: number;
  readonly changedMs: number;
  readonly inode: number;
};

const placeDigits = 12;
const nanosPerMs = 1_000_000n;
/** The end of the year 9999, the last Timestamp of the API. */
const lastNanosecond = 253_402_300_799_999_999_999n;

/** Without its end, up to `limits.fingerprintBytes`; undefined while it is incomplete. */
export function firstLine(head: Uint8Array, complete: boolean): Uint8Array | undefined {
  const newline = head.indexOf(0x0a);
  if (newline !== -1) return head.subarray(0, Math.min(newline, limits.fingerprintBytes));
  if (head.length >= limits.fingerprintBytes) return head.subarray(0, limits.fingerprintBytes);
  return complete ? head : undefined;
}

/** The hash of a first line that is still a hole: its writer may have reserved the space. */
const holeHash = hashOf(Buffer.alloc(limits.fingerprintBytes)).toString('hex', 0, 8);

/** Whether a file with that first line may now have this head: a hole may have been filled. */
export function mayBecome(lineHash: string | undefined, head: FileHead | undefined): boolean {
  return lineHash === head?.lineHash || lineHash === holeHash;
}

/** Undefined while the first line is still being written; `complete` when nothing follows. */
export function readFileHead(
  head: Uint8Array,
  format: LineFormat,
  complete: boolean,
): FileHead | undefined {
  const line = firstLine(head, complete);
  if (line === undefined) return undefined;
  const digest = hashOf(line);
  const lineHash = digest.toString('hex', 0, 8);
  const formerPlace = base36(digest.readBigUInt64BE(8));
  const ofLine = timeIn(latin1(line), [criLineTime, dockerLineTime]);
  const facts = { lineHash, lineBytes: line.length, formerPlace };
  if (ofLine !== undefined) {
    return { ...facts, tellingBytes: line.length, fingerprint: lineHash, time: ofLine };
  }
  const time = timeIn(latin1(head), recordTimes[format]);
  if (time === undefined) {
    return { ...facts, tellingBytes: line.length + 2, fingerprint: lineHash, time };
  }
  const hash = hashOf(line, `\0${time.text}`);
  const fingerprint = hash.toString('hex', 0, 8);
  return { ...facts, tellingBytes: time.endsAt, fingerprint, time };
}

/** `instance`: where it is known already. */
export function identifyFile(
  head: FileHead,
  owner: FileOwner,
  birth: FileBirth,
  instance = head.time === undefined ? instanceOf(head, birth) : '',
): FileIdentity {
  const { time } = head;
  const timeText = instance === '' && time !== undefined ? base36(time.nanoseconds) : instance;
  const ownerHash = hashOf(JSON.stringify([owner.podUid, owner.container, owner.restartCount]));
  return {
    fingerprint: instance === '' ? head.fingerprint : head.lineHash,
    instance,
    idPrefix: base36(ownerHash.readBigUInt64BE(0), 10) + timeText,
    fallbackTime:
      time !== undefined && isOnCalendar(time)
        ? time.text
        : new Date(birth.bornMs || birth.changedMs).toISOString(),
  };
}

/** The instance of the log that follows in the same file, or that must differ from this one. */
export function instanceAfter({ idPrefix }: Pick<FileIdentity, 'idPrefix'>): string {
  let value = 0n;
  for (const digit of idPrefix.slice(-placeDigits)) {
    value = value * 36n + BigInt(Number.parseInt(digit, 36));
  }
  return base36(value + 1n);
}

/** In the place of a fingerprint, for packed files that were given up. */
export const packMark = hashOf('a packed file that was given up').toString('hex', 0, 8);

export function instanceOfPack(birth: Pick<FileBirth, 'bornMs' | 'inode'>): string {
  return instanceOf({ lineHash: packMark }, birth);
}

/** Sorts by birth; a hash separates files of one millisecond, or of unknown birth. */
function instanceOf(
  head: Pick<FileHead, 'lineHash'>,
  { bornMs, inode }: Pick<FileBirth, 'bornMs' | 'inode'>,
): string {
  const salt = hashOf(`${head.lineHash}/${inode}`).readBigUInt64BE(0);
  if (bornMs <= 0) return base36(salt);
  return base36(BigInt(Math.floor(bornMs)) * nanosPerMs + (salt % nanosPerMs));
}

function hashOf(...parts: (Uint8Array | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** The last `width` digits of `value` in base 36, padded with zeros. */
function base36(value: bigint, width = placeDigits): string {
  return (value % 36n ** BigInt(width)).toString(36).padStart(width, '0');
}

const rfc3339 = String.raw`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)`;
const criLineTime = new RegExp(`^${rfc3339} `);
const dockerLineTime = new RegExp(`,"time":"${rfc3339}"\\}$`);
/** A record may follow a hole of zeros without a line end. */
const recordTimes: Record<LineFormat, readonly RegExp[]> = {
  cri: [new RegExp(String.raw`(?:^|[\n\0])${rfc3339} std(?:out|err) `)],
  docker: [new RegExp(String.raw`,"time":"${rfc3339}"\}\r?(?:\n|$)`)],
  raw: [],
};

/**
 * Whether the API accepts the time. `Date` moves February 30 and 24:00 to the next day, and a zone
 * may lead past the year 9999: such a time is fit for the identity, but not for other lines.
 */
function isOnCalendar({ text, nanoseconds }: RecordTime): boolean {
  if (nanoseconds > lastNanosecond) return false;
  const local = text.slice(0, 19);
  return new Date(`${local}Z`).toISOString().slice(0, 19) === local;
}

function timeIn(text: string, patterns: readonly RegExp[]): RecordTime | undefined {
  for (const pattern of patterns) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const [, seconds = '', fraction = '', zone = ''] = match;
    const milliseconds = Date.parse(seconds + zone);
    if (Number.isNaN(milliseconds) || milliseconds < 0) continue;
    return {
      text: fraction === '' ? seconds + zone : `${seconds}.${fraction}${zone}`,
      nanoseconds: BigInt(milliseconds) * nanosPerMs + BigInt(fraction.padEnd(9, '0')),
      endsAt: match.index + match[0].trimEnd().length,
    };
  }
  return undefined;
}
