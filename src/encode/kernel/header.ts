// The header of a CRI line: `2024-03-05T14:07:21.104582937Z stdout F `. Loads may run past the end
// of the chunk; the caller notices, because the newline that it put there comes before the content.

import { cachedSecond, halfDayLater, readingSecond, stopNotCri, stopTag } from './layout';

export const stdoutWord: u64 = 0x2074756f64747320; // ' stdout '
export const stderrWord: u64 = 0x2072726564747320; // ' stderr '
const fullTag: u16 = 0x2046; // 'F '

/**
 * One past the time's last byte, and the stream (0 stdout, 1 stderr), of the header that
 * `parseHeader` read last.
 */
export let headerTimeEnd: usize = 0;
export let headerStream: u32 = 0;

/** Seconds since the epoch from which on a time is so far ahead that the reference decides. */
export let secondsLimit: i64 = 0;
/**
 * Of the second that was found valid last, as it is written, whatever its zone: whether it is after
 * the one of reading, and whether it is more than half a day after it. Instants are compared where
 * that is not enough, which no line of a correct clock needs.
 */
export let isAfterReading: bool = false;
let isFarAhead: bool = false;

/** Begins a source: the cached second is 1970-01-01T00:00:00, which is valid and not ahead. */
export function beginTimes(limit: i64, area: usize): void {
  secondsLimit = limit;
  store<u64>(area, 0x2d31302d30373931, cachedSecond);
  store<u64>(area, 0x30303a3030543130, cachedSecond + 8);
  store<u32>(area, 0x30303a30, cachedSecond + 15);
  isAfterReading = false;
  isFarAhead = false;
}

/** Whether the second written at `one` is after the one written at `other`. */
function isLaterSecond(one: usize, other: usize): bool {
  let left = bswap<u64>(load<u64>(one));
  let right = bswap<u64>(load<u64>(other));
  if (left != right) return left > right;
  left = bswap<u64>(load<u64>(one, 8));
  right = bswap<u64>(load<u64>(other, 8));
  if (left != right) return left > right;
  return bswap<u32>(load<u32>(one, 15)) > bswap<u32>(load<u32>(other, 15));
}

// @ts-ignore: decorator
@inline
function digitAt(at: usize): u32 {
  return <u32>load<u8>(at) - 0x30;
}

/** Two decimal digits, or a number over 99 if one of them is none. */
// @ts-ignore: decorator
@inline
function twoDigitsAt(at: usize): u32 {
  const tens = digitAt(at);
  const ones = digitAt(at + 1);
  return tens > 9 || ones > 9 ? 1000 : tens * 10 + ones;
}

function daysIn(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/**
 * Whether the bytes at `at` are `YYYY-MM-DDTHH:MM:SS` and name a second of the calendar, in a year
 * from the first to the last but as many: a zone can move only years 1 and 9999 out of the range of
 * Timestamp.
 */
export function isSecond(at: usize, firstYear: u32): bool {
  const separators =
    load<u8>(at, 4) == 0x2d &&
    load<u8>(at, 7) == 0x2d &&
    load<u8>(at, 10) == 0x54 && // - - T
    load<u8>(at, 13) == 0x3a &&
    load<u8>(at, 16) == 0x3a; // : :
  if (!separators) return false;
  const century = twoDigitsAt(at);
  const yearOfCentury = twoDigitsAt(at + 2);
  if (century > 99 || yearOfCentury > 99) return false;
  const year = century * 100 + yearOfCentury;
  const month = twoDigitsAt(at + 5);
  if (year - firstYear > 10_000 - 2 * firstYear || month - 1 > 11) return false;
  if (twoDigitsAt(at + 8) - 1 >= daysIn(year, month)) return false;
  return twoDigitsAt(at + 11) < 24 && twoDigitsAt(at + 14) < 60 && twoDigitsAt(at + 17) < 60;
}

/** `isSecond` with a memory of one: neighbouring lines nearly always share their second. */
// @ts-ignore: decorator
@inline
function isSecondCached(at: usize, area: usize): bool {
  const same =
    i8x16.all_true(i8x16.eq(v128.load(at), v128.load(area, cachedSecond))) &&
    load<u32>(at, 15) == load<u32>(area, cachedSecond + 15);
  if (same) return true;
  if (!isSecond(at, 2)) return false;
  v128.store(area, v128.load(at), cachedSecond);
  store<u32>(area, load<u32>(at, 15), cachedSecond + 15);
  isAfterReading = isLaterSecond(at, area + readingSecond);
  isFarAhead = isAfterReading && isLaterSecond(at, area + halfDayLater);
  return true;
}

/**
 * One past the fraction and zone that follow a second, or 0 if they are not RFC 3339. So are zones
 * twelve hours and more behind UTC, where no one lives: no other time that is not written as half a
 * day ahead can be a whole day ahead.
 */
// @ts-ignore: decorator
@inline
export function zoneEnd(at: usize): usize {
  let end = at;
  if (load<u8>(end) == 0x2e) {
    const digits = i8x16.sub(v128.load(end, 1), i8x16.splat(0x30));
    const count = ctz(~i8x16.bitmask(i8x16.lt_u(digits, i8x16.splat(10))));
    if (<u32>count - 1 > 8) return 0;
    end += 1 + count;
  }
  const zone = load<u8>(end);
  if (zone == 0x5a) return end + 1; // Z
  if (zone != 0x2b && zone != 0x2d) return 0;
  const hours: u32 = zone == 0x2b ? 24 : 12;
  const valid =
    twoDigitsAt(end + 1) < hours && load<u8>(end, 3) == 0x3a && twoDigitsAt(end + 4) < 60;
  return valid ? end + 6 : 0;
}

/**
 * Address of the content of the line at `at`, or a stop reason, which is smaller than any address.
 */
// @ts-ignore: decorator
@inline
export function parseHeader(at: usize, area: usize): usize {
  if (!isSecondCached(at, area)) return stopNotCri;
  const timeEnd = zoneEnd(at + 19);
  if (timeEnd == 0) return stopNotCri;
  if (isFarAhead && instantSeconds(at, timeEnd) >= secondsLimit) return stopNotCri;
  const word = load<u64>(timeEnd);
  if (word != stdoutWord && word != stderrWord) return stopNotCri;
  headerTimeEnd = timeEnd;
  headerStream = word == stderrWord ? 1 : 0;
  return load<u16>(timeEnd, 8) == fullTag ? timeEnd + 10 : stopTag;
}

/** Days from the epoch to a date of the Gregorian calendar. */
function epochDays(year: i64, month: i64, day: i64): i64 {
  // Years that begin in March have their leap day last.
  const shifted = month > 2 ? year : year - 1;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const leapDays = shifted / 4 - shifted / 100 + shifted / 400;
  return shifted * 365 + leapDays + (monthFromMarch * 153 + 2) / 5 + day - 719_469;
}

/** Seconds since the epoch of the valid time in [at, end), its fraction left out. */
export function instantSeconds(at: usize, end: usize): i64 {
  const year = <i64>(twoDigitsAt(at) * 100 + twoDigitsAt(at + 2));
  const days = epochDays(year, <i64>twoDigitsAt(at + 5), <i64>twoDigitsAt(at + 8));
  const seconds = <i64>(
    (twoDigitsAt(at + 11) * 3600 + twoDigitsAt(at + 14) * 60 + twoDigitsAt(at + 17))
  );
  const local = days * 86_400 + seconds;
  if (load<u8>(end - 1) == 0x5a) return local;
  const zone = <i64>(twoDigitsAt(end - 5) * 3600 + twoDigitsAt(end - 2) * 60);
  return load<u8>(end - 6) == 0x2d ? local + zone : local - zone;
}
