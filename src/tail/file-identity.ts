// What a file is, whatever it is called: its fingerprint, the fixed part of its insertIds, and the
// time of lines without one.
//
//   insertId = │ hash of (pod uid, container, restart count) │ place of the file │ offset of the line │
//              │ 10 characters                               │ 12 characters     │ 8 characters       │   base 36
//
// The place is the time of the file's first record, in nanoseconds: then it follows from the bytes
// alone. Where no record near the beginning has a time, many files may begin alike. The place is
// then made of the file's birth and inode, and kept with the checkpoint as its instance.

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
   * Hash of the first line, up to `limits.fingerprintBytes`, and of the time of the first record
   * where that comes further on; 16 hexadecimal digits.
   */
  readonly fingerprint: string;
  /** The place where the bytes do not tell it, 12 characters; '' where they do. */
  readonly instance: string;
  /** The first 22 characters of each insertId. */
  readonly idPrefix: string;
  /** RFC 3339: what a line without a time gets when no line before it has one. */
  readonly fallbackTime: string;
};

/** What a file's first bytes say of it. */
export type FileHead = {
  /** Hash of the first line alone. */
  readonly lineHash: string;
  /** As in `FileIdentity`. */
  readonly fingerprint: string;
  /** Of the first record that has one, near the beginning. */
  readonly time: RecordTime | undefined;
  /** Bytes of the first line that were hashed, without its end. */
  readonly lineBytes: number;
  /** So many tell it from files that begin alike: up to its first time, or past its first line. */
  readonly tellingBytes: number;
  /** The place that earlier versions gave a file without a time in its first line. */
  readonly formerPlace: string;
};

type RecordTime = {
  readonly text: string;
  readonly nanoseconds: bigint;
  /** Where it was found, up to its end. */
  readonly endsAt: number;
};

/** What tells a file apart that no time tells apart. Milliseconds since the epoch. */
export type FileBirth = {
  /** 0: the file system does not know it. */
  readonly bornMs: number;
  readonly changedMs: number;
  readonly inode: number;
};

const placeDigits = 12;
const nanosPerMs = 1_000_000n;
/** Of the year 9999, which no Timestamp of the API is after. */
const lastNanosecond = 253_402_300_799_999_999_999n;

/**
 * The first line without its end, up to `limits.fingerprintBytes`; undefined while it is still
 * being written.
 */
export function firstLine(head: Uint8Array, complete: boolean): Uint8Array | undefined {
  const newline = head.indexOf(0x0a);
  if (newline !== -1) return head.subarray(0, Math.min(newline, limits.fingerprintBytes));
  if (head.length >= limits.fingerprintBytes) return head.subarray(0, limits.fingerprintBytes);
  return complete ? head : undefined;
}

/** The hash of a first line that is a hole so far: its writer may have reserved the place. */
const holeHash = hashOf(Buffer.alloc(limits.fingerprintBytes)).toString('hex', 0, 8);

/** Whether what began so may begin so now: a hole may be filled. */
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

/** Identity from a file's first bytes; `instance` where it is known from before. */
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

/** The instance of the log that follows in the same file, or beside one that has this place. */
export function instanceAfter({ idPrefix }: Pick<FileIdentity, 'idPrefix'>): string {
  let value = 0n;
  for (const digit of idPrefix.slice(-placeDigits)) {
    value = value * 36n + BigInt(Number.parseInt(digit, 36));
  }
  return base36(value + 1n);
}

/** Births sort; within a millisecond, and where none is known, a hash keeps the files apart. */
function instanceOf(head: FileHead, { bornMs, inode }: FileBirth): string {
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
/** Where the first record with a time is looked for; a hole of zeros has no end of its own. */
const recordTimes: Record<LineFormat, readonly RegExp[]> = {
  cri: [new RegExp(String.raw`(?:^|[\n\0])${rfc3339} std(?:out|err) `)],
  docker: [new RegExp(String.raw`,"time":"${rfc3339}"\}\r?(?:\n|$)`)],
  raw: [],
};

/**
 * Whether the API takes the time. `Date` moves February 30 and 24:00 to the next day, and a zone
 * may lead past the year 9999: such a line has an identity as ever, but no time to lend.
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
