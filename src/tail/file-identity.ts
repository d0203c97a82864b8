// What a file is, whatever it is called: its fingerprint, the fixed part of its insertIds, and the
// time of lines without one. Called by log-file.ts once a file's first line (or its first 256
// bytes) is there; a pure function of those bytes.
//
//   insertId = │ hash of (pod uid, container, restart count) │ time of the first line │ offset of the line │
//              │ 10 characters                               │ 12 characters          │ 8 characters       │   base 36

import { createHash } from 'node:crypto';

import { limits } from '../config.ts';

export type FileOwner = {
  readonly podUid: string;
  readonly container: string;
  readonly restartCount: number;
};

export type FileIdentity = {
  /** Hash of the first line, up to `limits.fingerprintBytes`; 16 hexadecimal digits. */
  readonly fingerprint: string;
  /** The first 22 characters of each insertId. */
  readonly idPrefix: string;
  /** RFC 3339: what a line without a time gets when no line before it has one. */
  readonly fallbackTime: string;
};

/**
 * The first line without its end, up to `limits.fingerprintBytes`; undefined while it is still
 * being written.
 */
export function firstLine(head: Uint8Array, complete: boolean): Uint8Array | undefined {
  const newline = head.indexOf(0x0a);
  if (newline !== -1) return head.subarray(0, newline);
  return complete || head.length >= limits.fingerprintBytes ? head : undefined;
}

/**
 * Identity from a file's first line. `bornMs` (milliseconds since the epoch) stands in for the time
 * of a line that has none.
 */
export function identifyFile(line: Uint8Array, owner: FileOwner, bornMs: number): FileIdentity {
  const hash = createHash('sha256').update(line).digest();
  const time = timeOfLine(Buffer.from(line).toString('latin1'));
  const ownerHash = createHash('sha256')
    .update(JSON.stringify([owner.podUid, owner.container, owner.restartCount]))
    .digest();
  // A first line without a time cannot place the file among its rotations; its hash at least keeps
  // the ids apart.
  const place = time === undefined ? hash.readBigUInt64BE(8) % 36n ** 12n : time.nanoseconds;
  return {
    fingerprint: hash.toString('hex', 0, 8),
    idPrefix: base36(ownerHash.readBigUInt64BE(0), 10) + base36(place, 12),
    fallbackTime: time?.text ?? new Date(bornMs).toISOString(),
  };
}

/** The last `width` digits of `value` in base 36, padded with zeros. */
function base36(value: bigint, width: number): string {
  return (value % 36n ** BigInt(width)).toString(36).padStart(width, '0');
}

const rfc3339 = String.raw`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)`;
const criTime = new RegExp(`^${rfc3339} `);
const dockerTime = new RegExp(`,"time":"${rfc3339}"\\}$`);

/** The time a CRI line starts with, or that a docker line ends with. */
function timeOfLine(line: string): { text: string; nanoseconds: bigint } | undefined {
  const match = criTime.exec(line) ?? dockerTime.exec(line);
  if (match === null) return undefined;
  const [, seconds = '', fraction = '', zone = ''] = match;
  const milliseconds = Date.parse(seconds + zone);
  if (Number.isNaN(milliseconds) || milliseconds < 0) return undefined;
  return {
    text: fraction === '' ? seconds + zone : `${seconds}.${fraction}${zone}`,
    nanoseconds: BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0')),
  };
}
