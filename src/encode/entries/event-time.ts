// When the event of a JSON record happened. The search order is that of Google's "Configure the
// Logging agent": timestamp object, timestampSeconds and timestampNanos, time. The invariant: the
// API accepts the result. It depends on the record alone, so that a line that is sent again is the
// same entry, unless the line itself is from the future.

import { scanObject } from '../json/object-scan.ts';
import { integerValue, rawValue, stringValue } from '../json/json-text.ts';
import { instantOf, isMoreThanADayAfter, parseInstant } from '../rfc3339.ts';
import type { Instant } from '../rfc3339.ts';

/** The raw values of fields with a time. */
export type TimeFields = {
  readonly timestamp: string | undefined;
  readonly timestampSeconds: string | undefined;
  readonly timestampNanos: string | undefined;
  readonly time: string | undefined;
};

/** Fields with only `time`. */
export function ofTime(time: string): TimeFields {
  return { timestamp: undefined, timestampSeconds: undefined, timestampNanos: undefined, time };
}

export type EventTime = {
  /** The entry's timestamp. */
  readonly text: string;
  /** The fields that leave the payload, used or unusable. */
  readonly consumed: ReadonlyArray<keyof TimeFields>;
  /**
   * The record's own time if the API would refuse it: more than a day after the line was written,
   * or after it is read.
   */
  readonly refused: string | undefined;
};

/** An integer from a number or digit string, without its fraction; NaN for others. */
function wholeNumber(raw: string): number {
  const integer = integerValue(raw);
  if (integer !== undefined) return Number(integer);
  return /^-?[0-9]/.test(raw) ? Math.trunc(Number(raw)) : NaN;
}

/** The `seconds` and `nanos` of a timestamp object; undefined without both. */
function readTimestampObject(raw: string): { seconds: string; nanos: string } | undefined {
  const object = raw[0] === '{' ? scanObject(raw) : undefined;
  if (object === undefined) return undefined;
  const seconds = object.members.find((member) => member.key === 'seconds');
  const nanos = object.members.find((member) => member.key === 'nanos');
  if (seconds === undefined || nanos === undefined) return undefined;
  return { seconds: rawValue(object, seconds), nanos: rawValue(object, nanos) };
}

/** The instant of a raw `time`. RFC 3339 allows lower-case `t` and `z`, protobuf does not. */
function readTimeString(raw: string): { instant: Instant; written: string } | undefined {
  const written = stringValue(raw);
  const instant = written === undefined ? undefined : parseInstant(written.toUpperCase());
  return written === undefined || instant === undefined ? undefined : { instant, written };
}

/** The instant of the fields, and the fields that gave it. */
function findInstant(fields: TimeFields): {
  instant: Instant | undefined;
  written: string | undefined;
  consumed: ReadonlyArray<keyof TimeFields>;
} {
  const { timestamp, timestampSeconds: seconds, timestampNanos: nanos, time } = fields;
  const pair = timestamp === undefined ? undefined : readTimestampObject(timestamp);
  if (pair !== undefined) {
    const instant = instantOf(wholeNumber(pair.seconds), wholeNumber(pair.nanos));
    return { instant, written: instant?.text, consumed: ['timestamp'] };
  }
  if (seconds !== undefined && nanos !== undefined) {
    const instant = instantOf(wholeNumber(seconds), wholeNumber(nanos));
    return { instant, written: instant?.text, consumed: ['timestampSeconds', 'timestampNanos'] };
  }
  const found = time === undefined ? undefined : readTimeString(time);
  if (found === undefined) return { instant: undefined, written: undefined, consumed: [] };
  return { ...found, consumed: ['time'] };
}

/** A time that the API accepts, and the one that it would refuse. */
type AcceptedTime = Pick<EventTime, 'text' | 'refused'>;

/**
 * `time` (RFC 3339), or the time of reading if it is more than a day later because the node's clock
 * was wrong.
 */
export function acceptedTime(time: string, readAt: Instant): AcceptedTime {
  // No zone is a day ahead, so a local time up to that of reading needs no closer look.
  if (time <= readAt.text) return { text: time, refused: undefined };
  const instant = parseInstant(time);
  const isRefused = instant !== undefined && isMoreThanADayAfter(instant, readAt);
  return isRefused ? { text: readAt.text, refused: time } : { text: time, refused: undefined };
}

/** The time of the fields, or `lineTime` (RFC 3339, when the line was written). */
export function readEventTime(fields: TimeFields, lineTime: string, readAt: Instant): EventTime {
  const { instant, written, consumed } = findInstant(fields);
  if (instant === undefined) return { ...acceptedTime(lineTime, readAt), consumed };
  const line = parseInstant(lineTime);
  const isAfterLine = line !== undefined && isMoreThanADayAfter(instant, line);
  if (isAfterLine || isMoreThanADayAfter(instant, readAt)) {
    return { text: acceptedTime(lineTime, readAt).text, consumed, refused: written };
  }
  return { text: instant.text, consumed, refused: undefined };
}
