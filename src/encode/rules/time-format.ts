// Reads the times that rules name: RFC 3339, seconds since the epoch in several units, and formats
// as in strptime.
//
// Invariant: linear in the text, and no time is invented: a text that does not match its format to
// the end yields none.

import type { TimeAction } from '../../rules/rule.ts';
import { instantOf, parseInstant, type Instant } from '../rfc3339.ts';

/** The parts read so far. */
type Parts = {
  year: number | undefined;
  month: number | undefined;
  day: number | undefined;
  dayOfYear: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanos: number;
  isAfternoon: boolean | undefined;
  offsetMinutes: number | undefined;
  epochSeconds: number | undefined;
};

/** The offset after the match; -1: no match. */
type Step = (text: string, at: number, parts: Parts) => number;

const unitDigits: Readonly<Record<string, number>> = {
  unix: 0,
  unix_ms: 3,
  unix_us: 6,
  unix_ns: 9,
};
const monthNames = [
  'jan',
  'feb',
  'mar',
  'apr',
  'may',
  'jun',
  'jul',
  'aug',
  'sep',
  'oct',
  'nov',
  'dec',
];
const formatsKept = 64;
const compiledFormats = new Map<string, readonly Step[]>();

/**
 * The instant that `text` names; undefined if it is not a time. `lineTime` supplies the year or the
 * day for formats without one.
 */
export function readTime(text: string, action: TimeAction, lineTime: string): Instant | undefined {
  const { format, offsetMinutes } = action;
  if (text.length > 128) return undefined;
  if (format === 'rfc3339') return readRfc3339(text.trim(), offsetMinutes);
  const digits = unitDigits[format];
  if (digits !== undefined) return readUnix(text.trim(), digits);
  const parts: Parts = {
    year: undefined,
    month: undefined,
    day: undefined,
    dayOfYear: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanos: 0,
    isAfternoon: undefined,
    offsetMinutes: undefined,
    epochSeconds: undefined,
  };
  let at = 0;
  for (const step of compiled(format)) {
    at = step(text, at, parts);
    if (at === -1) return undefined;
  }
  return at === text.length ? instantOfParts(parts, offsetMinutes, lineTime) : undefined;
}

/** Also accepts a space for the `T`, lower case, and no zone. */
function readRfc3339(text: string, offsetMinutes: number): Instant | undefined {
  const upper = text
    .toUpperCase()
    .replace(/^(\d{4}-\d\d-\d\d) /, '$1T')
    .replace(',', '.');
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(upper.slice(19))
    ? upper
    : upper + zoneText(offsetMinutes);
  return parseInstant(zoned.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
}

function zoneText(offsetMinutes: number): string {
  if (offsetMinutes === 0) return 'Z';
  const minutes = Math.abs(offsetMinutes);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** A number in units of 10^-`unit` seconds, without rounding. */
function readUnix(text: string, unit: number): Instant | undefined {
  const [, sign = '', whole = '', fraction = ''] =
    /^(-?)(\d{1,20})(?:\.(\d{1,20}))?$/.exec(text) ?? [];
  if (whole === '') return undefined;
  const digits = whole.padStart(unit + 1, '0');
  const seconds = Number(digits.slice(0, digits.length - unit));
  const below = `${digits.slice(digits.length - unit)}${fraction}`.padEnd(9, '0').slice(0, 9);
  const nanos = Number(below);
  if (sign === '') return instantOf(seconds, nanos);
  return nanos === 0 ? instantOf(-seconds, 0) : instantOf(-seconds - 1, 1e9 - nanos);
}

function compiled(format: string): readonly Step[] {
  const known = compiledFormats.get(format);
  if (known !== undefined) return known;
  if (compiledFormats.size >= formatsKept) compiledFormats.clear();
  const steps = compile(format);
  compiledFormats.set(format, steps);
  return steps;
}

const shorthands: Readonly<Record<string, string>> = {
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  D: '%m/%d/%y',
  R: '%H:%M',
};

function compile(format: string): Step[] {
  const whole = format.replaceAll(/%([FTDR])/g, (_, letter: string) => shorthands[letter] ?? '');
  return [...whole.matchAll(/%[-0_^]?\d?(.)|\s+|[^%\s]+/g)].map(([text, letter]) => {
    if (letter !== undefined) return steps[letter] ?? literal(text);
    return text.trim() === '' ? spaces : literal(text);
  });
}

function literal(wanted: string): Step {
  return (text, at) => (text.startsWith(wanted, at) ? at + wanted.length : -1);
}

const spaces: Step = (text, at) => {
  let end = at;
  while (end < text.length && text.charCodeAt(end) <= 0x20) end++;
  return end;
};

/** A number of one to `digitsMax` digits, optionally padded with a space. */
function number(
  digitsMax: number,
  take: (value: number, parts: Parts, digits: number) => boolean,
): Step {
  return (text, at, parts) => {
    const start = text[at] === ' ' ? at + 1 : at;
    let end = start;
    while (end < text.length && end - start < digitsMax && isDigit(text, end)) end++;
    if (end === start) return -1;
    return take(Number(text.slice(start, end)), parts, end - start) ? end : -1;
  };
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

/** A number within a range, stored under a name. */
function ranged(
  digitsMax: number,
  name: 'year' | 'month' | 'day' | 'dayOfYear' | 'hour' | 'minute' | 'second',
  [min, max]: readonly [number, number],
): Step {
  return number(digitsMax, (value, parts) => {
    parts[name] = value;
    return value >= min && value <= max;
  });
}

const letters = /[A-Za-z]+\.?/y;

function word(text: string, at: number): string {
  letters.lastIndex = at;
  return letters.exec(text)?.[0] ?? '';
}

const monthName: Step = (text, at, parts) => {
  const found = word(text, at);
  const month = monthNames.indexOf(found.slice(0, 3).toLowerCase());
  parts.month = month + 1;
  return month === -1 ? -1 : at + found.length;
};

const fraction: Step = (text, at, parts) => {
  let end = at;
  while (end < text.length && isDigit(text, end)) end++;
  parts.nanos = Number(text.slice(at, end).padEnd(9, '0').slice(0, 9));
  return end === at ? -1 : end;
};

const zonePattern = /Z|UTC|GMT|([+-])(\d\d):?(\d\d)?/y;

const zone: Step = (text, at, parts) => {
  zonePattern.lastIndex = at;
  const match = zonePattern.exec(text);
  if (match === null) return -1;
  const [, sign, hours = '0', minutes = '0'] = match;
  parts.offsetMinutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  return zonePattern.lastIndex;
};

const steps: Readonly<Record<string, Step>> = {
  Y: ranged(4, 'year', [1, 9_999]),
  y: number(2, (value, parts) => {
    parts.year = value < 69 ? 2_000 + value : 1_900 + value;
    return true;
  }),
  m: ranged(2, 'month', [1, 12]),
  b: monthName,
  B: monthName,
  h: monthName,
  d: ranged(2, 'day', [1, 31]),
  e: ranged(2, 'day', [1, 31]),
  j: ranged(3, 'dayOfYear', [1, 366]),
  H: ranged(2, 'hour', [0, 23]),
  I: ranged(2, 'hour', [1, 12]),
  M: ranged(2, 'minute', [0, 59]),
  S: ranged(2, 'second', [0, 60]),
  L: fraction,
  N: fraction,
  f: fraction,
  p: (text, at, parts) => {
    const found = word(text, at).toLowerCase();
    parts.isAfternoon = found === 'pm';
    return found === 'am' || found === 'pm' ? at + 2 : -1;
  },
  a: (text, at) => at + word(text, at).length,
  A: (text, at) => at + word(text, at).length,
  z: zone,
  Z: zone,
  s: (text, at, parts) => {
    const match = /^\d{1,12}/.exec(text.slice(at, at + 12));
    parts.epochSeconds = Number(match?.[0]);
    return match === null ? -1 : at + match[0].length;
  },
  n: spaces,
  t: spaces,
  C: number(2, () => true),
  '%': literal('%'),
};

const daySeconds = 86_400;

function instantOfParts(
  parts: Parts,
  offsetMinutes: number,
  lineTime: string,
): Instant | undefined {
  const { epochSeconds, nanos } = parts;
  if (epochSeconds !== undefined) return instantOf(epochSeconds, nanos);
  const line = parseInstant(lineTime);
  const isDayGiven = parts.month !== undefined || parts.dayOfYear !== undefined;
  if (parts.year !== undefined || line === undefined) {
    return inYear(parts, parts.year, offsetMinutes);
  }
  const ahead = (parts.offsetMinutes ?? offsetMinutes) * 60_000;
  const local = new Date(line.seconds * 1_000 + ahead);
  const year = local.getUTCFullYear();
  if (!isDayGiven) {
    const day = { ...parts, month: local.getUTCMonth() + 1, day: local.getUTCDate() };
    return inYear(day, year, offsetMinutes);
  }
  const instant = inYear(parts, year, offsetMinutes);
  // The last of December, read in January.
  const isAhead = instant === undefined || instant.seconds > line.seconds + daySeconds;
  return isAhead ? inYear(parts, year - 1, offsetMinutes) : instant;
}

function inYear(
  parts: Parts,
  year: number | undefined,
  offsetMinutes: number,
): Instant | undefined {
  if (year === undefined) return undefined;
  const { month = 1, day = 1, dayOfYear, minute, nanos, isAfternoon } = parts;
  const second = Math.min(parts.second, 59); // A leap second is no Timestamp.
  const hour = isAfternoon === undefined ? parts.hour : (parts.hour % 12) + (isAfternoon ? 12 : 0);
  const date = new Date(0);
  date.setUTCFullYear(year, dayOfYear === undefined ? month - 1 : 0, dayOfYear ?? day);
  if (dayOfYear === undefined && date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  const ahead = (parts.offsetMinutes ?? offsetMinutes) * 60;
  return instantOf(date.getTime() / 1_000 - ahead, nanos);
}
