// Reads and writes RFC 3339 times to the nanosecond. The invariant: what this accepts, a strict
// protobuf Timestamp parser accepts too, and no time passes through a `Date`, which would lose
// nanoseconds.

import assert from 'node:assert';

/** An instant, and its text in a request. */
export type Instant = {
  /** Since the epoch, within years 0001 to 9999; negative before 1970. */
  readonly seconds: number;
  /** 0 to 999,999,999, counted forward even before 1970. */
  readonly nanos: number;
  /** RFC 3339 with at most nine fraction digits. */
  readonly text: string;
};

// The range of google.protobuf.Timestamp.
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;
const daySeconds = 86_400;

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The number that the digits of `[start, end)` make; -1 when one is no digit or there is none. */
function digits(text: string, start: number, end: number): number {
  if (start >= end || end > text.length) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at) - 0x30;
    if (code < 0 || code > 9) return -1;
    value = value * 10 + code;
  }
  return value;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** Days from 1970-01-01, for years 1 to 9999. */
function epochDays(year: number, month: number, day: number): number {
  const before = year - 1;
  let days = before * 365 + Math.floor(before / 4) - Math.floor(before / 100);
  days += Math.floor(before / 400) + day - 1;
  for (let past = 1; past < month; past++) days += monthDays[past - 1] ?? 0;
  if (month > 2 && isLeapYear(year)) days += 1;
  return days - 719_162;
}

/**
 * Seconds of the part before the fraction, as if it were UTC; undefined when it is no calendar
 * time.
 */
function localSeconds(text: string): number | undefined {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  if (text[4] !== '-' || text[7] !== '-' || text[13] !== ':' || text[16] !== ':') return undefined;
  if (year < 1 || month < 1 || month > 12 || day < 1) return undefined;
  const leapDay = month === 2 && isLeapYear(year) ? 1 : 0;
  if (day > (monthDays[month - 1] ?? 0) + leapDay) return undefined;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return undefined;
  // A leap second (60) is RFC 3339, but no protobuf Timestamp.
  if (second < 0 || second > 59) return undefined;
  return epochDays(year, month, day) * daySeconds + hour * 3600 + minute * 60 + second;
}

/** Seconds that the zone is ahead of UTC, of exactly `Z` or `±hh:mm`. */
function zoneSeconds(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  if (zone.length !== 6 || zone[3] !== ':' || (zone[0] !== '+' && zone[0] !== '-')) {
    return undefined;
  }
  const hour = digits(zone, 1, 3);
  const minute = digits(zone, 4, 6);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return undefined;
  return (hour * 3600 + minute * 60) * (zone[0] === '-' ? -1 : 1);
}

/**
 * The instant of a text; undefined when it is no RFC 3339 time (upper-case `T` and `Z`, a zone, no
 * leap second) or outside the years 0001 to 9999. Fraction digits after the ninth are cut off.
 */
export function parseInstant(text: string): Instant | undefined {
  if (text[10] !== 'T') return undefined;
  const local = localSeconds(text);
  if (local === undefined) return undefined;
  let zoneStart = 19;
  let nanos = 0;
  let kept = text;
  if (text[19] === '.') {
    zoneStart = 20;
    while (digits(text, zoneStart, zoneStart + 1) >= 0) zoneStart++;
    if (zoneStart === 20) return undefined;
    const fractionEnd = Math.min(zoneStart, 29);
    nanos = digits(text, 20, fractionEnd) * 10 ** (29 - fractionEnd);
    if (zoneStart > 29) kept = text.slice(0, 29) + text.slice(zoneStart);
  }
  const ahead = zoneSeconds(text.slice(zoneStart));
  if (ahead === undefined) return undefined;
  const seconds = local - ahead;
  if (seconds < secondsMin || seconds > secondsMax) return undefined;
  return { seconds, nanos, text: kept };
}

/** The instant of these numbers, in UTC; undefined when they are no protobuf Timestamp. */
export function instantOf(seconds: number, nanos: number): Instant | undefined {
  if (!Number.isInteger(seconds) || seconds < secondsMin || seconds > secondsMax) return undefined;
  if (!Number.isInteger(nanos) || nanos < 0 || nanos > 999_999_999) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return { seconds, nanos, text: `${whole}${fraction}Z` };
}

/** The instant of milliseconds since the epoch, which may have a fraction. */
export function instantOfClock(milliseconds: number): Instant {
  const seconds = Math.floor(milliseconds / 1_000);
  const instant = instantOf(seconds, Math.floor(milliseconds - seconds * 1_000) * 1_000_000);
  assert(instant !== undefined);
  return instant;
}

/** Whether `later` is more than a day after `earlier`. */
export function isMoreThanADayAfter(later: Instant, earlier: Instant): boolean {
  const ahead = later.seconds - earlier.seconds - daySeconds;
  return ahead > 0 || (ahead === 0 && later.nanos > earlier.nanos);
}
