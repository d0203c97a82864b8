// The time that a record names (entries/event-time.ts): a `timestamp` object, the members
// `timestampSeconds` and `timestampNanos`, or `time`, in this order. One that is more than a day
// ahead is not the entry's, but a label of it.

import { instantSeconds, isAfterReading, isSecond, secondsLimit, zoneEnd } from './header';
import { firstMember, meantEnd, meantStart, readMeant, readMember } from './members';
import { keyEnd, keyStart, valueEnd, valueStart } from './members';
import { isInteger, wholeNone, wholeOf, wholeUnknown, writeDigits } from './numbers';
import { keepScratch, scratchEnd } from './scratch';

// Of the record that is read; 0 if it has none.
export let timeStart: usize = 0;
export let timeEnd: usize = 0;
/** The time that the API would refuse, as it is in the label. */
export let refusedStart: usize = 0;
export let refusedEnd: usize = 0;

/** Of the time of reading. */
let readingNanos: u32 = 0;

/** Says when the source is read. */
export function setReadingNanos(nanos: u32): void {
  readingNanos = nanos;
}

/** Forgets the time of the line before. */
// @ts-ignore: decorator
@inline
export function resetTime(): void {
  timeStart = 0;
  refusedStart = 0;
}

const daySeconds: i64 = 86_400;
const secondsMin: i64 = -62_135_596_800;
const secondsMax: i64 = 253_402_300_799;
const nanosDigits: i32 = 9;

/** Nanoseconds of the fraction that may be at `at`. */
function nanosAt(at: usize): u32 {
  if (load<u8>(at) != 0x2e) return 0;
  let nanos: u32 = 0;
  let isOver = false;
  for (let index: usize = 1; index <= <usize>nanosDigits; index++) {
    const digit = <u32>load<u8>(at + index) - 0x30;
    isOver = isOver || digit > 9;
    nanos = nanos * 10 + (isOver ? 0 : digit);
  }
  return nanos;
}

/** Takes the instant in [start, end), written as [written, writtenEnd); refuses what is ahead. */
function takeInstant(
  start: usize,
  end: usize,
  written: usize,
  writtenEnd: usize,
  line: usize,
  lineEnd: usize,
): void {
  const nanos = nanosAt(start + 19);
  const seconds = instantSeconds(start, end);
  const ahead = seconds - instantSeconds(line, lineEnd) - daySeconds;
  const isAfterLine = ahead > 0 || (ahead == 0 && nanos > nanosAt(line + 19));
  const isAfterLimit = seconds > secondsLimit || (seconds == secondsLimit && nanos > readingNanos);
  if (isAfterLine || isAfterLimit) {
    refusedStart = written;
    refusedEnd = writtenEnd;
  } else {
    timeStart = start;
    timeEnd = end;
  }
}

/**
 * Writes the time [start, end) as the API takes it: with capital letters, at most nine digits of
 * fraction. Returns where it ends; 0 if it is no RFC 3339 time from year 1 to 9999.
 */
function writeTime(start: usize, end: usize, to: usize): usize {
  v128.store(to, v128.load(start));
  store<u32>(to, load<u32>(start, 16), 16);
  store<u8>(to, 0x54, 10);
  if (!isSecond(to, 1)) return 0;
  let at = start + 19;
  let out = to + 19;
  if (load<u8>(at) == 0x2e) {
    store<u8>(out, 0x2e);
    const fraction = ++at;
    while (<u32>load<u8>(at) - 0x30 < 10) at++;
    if (at == fraction) return 0;
    const digits = at - fraction > <usize>nanosDigits ? <usize>nanosDigits : at - fraction;
    v128.store(out, v128.load(fraction), 1);
    out += 1 + digits;
  }
  if (at >= end) return 0;
  const zone = <u32>load<u8>(at);
  if ((zone | 0x20) == 0x7a) {
    store<u8>(out, 0x5a);
    return at + 1 == end ? out + 1 : 0;
  }
  const hours = <u32>load<u16>(at, 1);
  if ((zone != 0x2b && zone != 0x2d) || at + 6 != end || load<u8>(at, 3) != 0x3a) return 0;
  // As the hours and minutes of a second.
  store<u64>(out, load<u64>(at));
  if (!isBelow(hours, 24) || !isBelow(<u32>load<u16>(at, 4), 60)) return 0;
  const seconds = instantSeconds(to, out + 6);
  return seconds < secondsMin || seconds > secondsMax ? 0 : out + 6;
}

/** Whether two digits, as they are in memory, are a number below `limit`. */
function isBelow(digits: u32, limit: u32): bool {
  const tens = (digits & 0xff) - 0x30;
  const ones = (digits >> 8) - 0x30;
  return tens < 10 && ones < 10 && tens * 10 + ones < limit;
}

/** Takes the text of a `time`; false if it is no time. */
export function takeTime(start: usize, end: usize, line: usize, lineEnd: usize): bool {
  // Shorter than a second and a zone, or without the T between date and time.
  if (end - start < 20 || (load<u8>(start, 10) | 0x20) != 0x74) return false;
  let at = start;
  let atEnd = end;
  if (!isSecond(start, 2) || zoneEnd(start + 19) != end) {
    at = scratchEnd;
    atEnd = writeTime(start, end, at);
    if (atEnd == 0) return false;
    keepScratch(atEnd);
  }
  const isSameDay = load<u64>(at) == load<u64>(line) && load<u16>(at, 8) == load<u16>(line, 8);
  const areUtc = load<u8>(atEnd - 1) == 0x5a && load<u8>(lineEnd - 1) == 0x5a;
  if (!isSameDay || !areUtc || isAfterReading) {
    takeInstant(at, atEnd, start, end, line, lineEnd);
  } else {
    timeStart = at;
    timeEnd = atEnd;
  }
  return true;
}

/** The integer that the raw value [start, end) means, a fraction cut off. */
function wholeValue(start: usize, end: usize): i64 {
  const first = <u32>load<u8>(start);
  if (first == 0x22) {
    readMeant(start, end);
    return isInteger(meantStart, meantEnd) ? wholeOf(meantStart, meantEnd) : wholeNone;
  }
  return first == 0x2d || first - 0x30 < 10 ? wholeOf(start, end) : wholeNone;
}

/** Writes an instant in UTC; returns where it ends. */
function writeInstant(to: usize, seconds: i64, nanos: u32): usize {
  const fromZero = seconds - secondsMin;
  const second = <u64>(fromZero % daySeconds);
  // Days of a calendar whose years begin in March, from the year 0 on.
  const days = <u64>(fromZero / daySeconds) + 306;
  const era = days / 146_097;
  const ofEra = days % 146_097;
  const yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365;
  const day = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const monthFromMarch = (5 * day + 2) / 153;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + u64(month < 3);
  store<u64>(to, 0x2d00002d00000000); // ____-__-
  store<u64>(to, 0x00003a0000540000, 8); // __T__:__
  store<u8>(to, 0x3a, 16);
  writeDigits(to, year, 4);
  writeDigits(to + 5, month, 2);
  writeDigits(to + 8, day - (153 * monthFromMarch + 2) / 5 + 1, 2);
  writeDigits(to + 11, second / 3_600, 2);
  writeDigits(to + 14, (second / 60) % 60, 2);
  writeDigits(to + 17, second % 60, 2);
  let out = to + 19;
  if (nanos != 0) {
    store<u8>(out, 0x2e);
    writeDigits(out + 1, nanos, nanosDigits);
    out += 1 + nanosDigits;
    while (load<u8>(out - 1) == 0x30) out--;
  }
  store<u8>(out, 0x5a);
  return out + 1;
}

/**
 * Takes the instant of two raw values; it is none if they are out of the range of a Timestamp.
 * Returns false if the reference has to read them.
 */
export function takeSecondsAndNanos(
  secondsStart: usize,
  secondsEnd: usize,
  nanosStart: usize,
  nanosEnd: usize,
  line: usize,
  lineEnd: usize,
): bool {
  const seconds = wholeValue(secondsStart, secondsEnd);
  const nanos = wholeValue(nanosStart, nanosEnd);
  if (seconds == wholeUnknown || nanos == wholeUnknown) return false;
  resetTime();
  if (seconds < secondsMin || seconds > secondsMax || nanos < 0 || nanos > 999_999_999) return true;
  const to = scratchEnd;
  const end = writeInstant(to, seconds, <u32>nanos);
  keepScratch(end);
  takeInstant(to, end, to, end, line, lineEnd);
  return true;
}

// The members that `findPair` found.
export let pairSeconds: usize = 0;
export let pairSecondsEnd: usize = 0;
export let pairNanos: usize = 0;
export let pairNanosEnd: usize = 0;

function isKey(seven: u64, length: usize): bool {
  return (
    meantEnd - meantStart == length &&
    (load<u64>(meantStart) & (<u64>-1 >> <u64>((8 - length) << 3))) == seven
  );
}

/** Finds `seconds` and `nanos` of the object at `brace`; false if one of them is not there. */
export function findPair(brace: usize): bool {
  pairSeconds = 0;
  pairNanos = 0;
  for (let at = firstMember(brace); at != 0;) {
    at = readMember(at);
    readMeant(keyStart, keyEnd);
    if (isKey(0x73646e6f636573, 7)) {
      pairSeconds = valueStart;
      pairSecondsEnd = valueEnd;
    } else if (isKey(0x736f6e616e, 5)) {
      pairNanos = valueStart;
      pairNanosEnd = valueEnd;
    }
  }
  return pairSeconds != 0 && pairNanos != 0;
}
