// What numbers and texts of digits mean, as the reference reads them: integers, and decimals whose
// double is certain.

import { infiniteDigits, infiniteNumber } from './layout';

/** What `wholeOf` returns for what is no number, or larger than any that is asked for. */
export const wholeNone: i64 = i64.MAX_VALUE;
/** The reference has to say. */
export const wholeUnknown: i64 = i64.MIN_VALUE;

/** Larger than any number that has a meaning here. */
const wholeMax: i64 = 1_000_000_000_000_000;
/** Powers of ten up to this one, and as many digits, are exact in a double. */
const exactPower: i32 = 22;
const exactDigits: u32 = 15;
/** More than a line has digits. */
const exponentMax: i32 = 100_000_000;

// @ts-ignore: decorator
@inline
function digitAt(at: usize): u32 {
  return <u32>load<u8>(at) - 0x30;
}

/** Past the digits at `at`, before `end`. */
function pastDigits(at: usize, end: usize): usize {
  let position = at;
  while (position < end && digitAt(position) < 10) position++;
  return position;
}

/** Whether [start, end) is digits, with or without a minus before them. */
export function isInteger(start: usize, end: usize): bool {
  const digits = load<u8>(start) == 0x2d ? start + 1 : start;
  return digits < end && pastDigits(digits, end) == end;
}

// The parts of the JSON number that `readNumber` read last.
let mantissa: usize = 0;
let mantissaEnd: usize = 0;
/** How many digits come before the point, were there no exponent. */
let integerDigits: i32 = 0;
let exponent: i32 = 0;

function readNumber(start: usize, end: usize): void {
  mantissa = load<u8>(start) == 0x2d ? start + 1 : start;
  let at = pastDigits(mantissa, end);
  integerDigits = <i32>(at - mantissa);
  if (at < end && load<u8>(at) == 0x2e) at = pastDigits(at + 1, end);
  mantissaEnd = at;
  exponent = 0;
  if (at == end) return;
  const sign = <u32>load<u8>(at, 1);
  for (at += sign == 0x2b || sign == 0x2d ? 2 : 1; at < end; at++) {
    if (exponent < exponentMax) exponent = exponent * 10 + <i32>digitAt(at);
  }
  if (sign == 0x2d) exponent = -exponent;
}

/** The whole part of the JSON number or the integer in [start, end). */
export function wholeOf(start: usize, end: usize): i64 {
  readNumber(start, end);
  const places = integerDigits + exponent;
  let value: i64 = 0;
  let index: i32 = 0;
  let nines = 0;
  for (let at = mantissa; at < mantissaEnd; at++) {
    const digit = digitAt(at);
    if (digit > 9) continue;
    if (index < places && value < wholeMax) value = value * 10 + <i64>digit;
    // A double may be the next whole number.
    if (index >= places && index < places + 4 && places >= 0 && digit == 9) nines++;
    index++;
  }
  if (nines == 4) return wholeUnknown;
  for (; index < places && value != 0 && value < wholeMax; index++) value *= 10;
  return load<u8>(start) == 0x2d ? -value : value;
}

/** Half of the least double, below which a number is zero: its place, and its first digits. */
const leastPlaces: i32 = -323;
const leastStart: u64 = 24_703_282_292_062_327;
const leastStartDigits: i32 = 17;

/** Whether the double of `digits`, of which there are `count`, times a power of ten is zero. */
function isZero(digits: u64, count: i32, power: i32): bool {
  if (count + power != leastPlaces) return count + power < leastPlaces;
  let start = digits;
  for (let index = count; index < leastStartDigits; index++) start *= 10;
  return start < leastStart;
}

/** The double of the JSON number in [start, end); NaN if it is not certain. */
export function doubleOf(start: usize, end: usize): f64 {
  readNumber(start, end);
  let digits: u64 = 0;
  let count: u32 = 0;
  let zeros: u32 = 0;
  let power = exponent;
  let isFraction = false;
  for (let at = mantissa; at < mantissaEnd; at++) {
    const digit = digitAt(at);
    if (digit > 9) {
      isFraction = true;
      continue;
    }
    if (isFraction) power--;
    zeros++;
    if (digit == 0) {
      if (count == 0) zeros = 0;
      continue;
    }
    count += zeros;
    if (count > exactDigits) return NaN;
    for (; zeros > 1; zeros--) digits *= 10;
    digits = digits * 10 + <u64>digit;
    zeros = 0;
  }
  // Those at its end are no digits of it.
  power += <i32>zeros;
  if (digits == 0) return 0;
  if (power > exactPower) return Infinity;
  if (power < -exactPower) return isZero(digits, <i32>count, power) ? 0 : 0.5; // Or a fraction.
  let scale: f64 = 1;
  for (let step = power < 0 ? -power : power; step > 0; step--) scale *= 10;
  const value = power < 0 ? <f64>digits / scale : <f64>digits * scale;
  return load<u8>(start) == 0x2d ? -value : value;
}

/** Where the digits of the least number are that no double holds. */
let infinite: usize = 0;

export function prepareNumbers(area: usize): void {
  infinite = area + infiniteNumber;
}

/** Whether a double holds the JSON number in [start, end). */
export function isFinite(start: usize, end: usize): bool {
  readNumber(start, end);
  let places = integerDigits + exponent;
  let count: i32 = 0;
  // Where it differs from that number first: below zero if it is less.
  let order: i32 = 0;
  for (let at = mantissa; at < mantissaEnd; at++) {
    const digit = <i32>digitAt(at);
    if (digit > 9 || digit < 0) continue;
    if (count == 0 && digit == 0) {
      places--;
      continue;
    }
    if (order == 0 && count < infiniteDigits) {
      order = digit + 0x30 - <i32>load<u8>(infinite + count);
    }
    count++;
  }
  if (count == 0 || places < infiniteDigits) return true;
  // The last digit of that number is not zero.
  return places == infiniteDigits && (order < 0 || (order == 0 && count < infiniteDigits));
}

/** Writes a number; returns where it ends. */
export function writeInteger(to: usize, value: i64): usize {
  let out = to;
  if (value < 0) store<u8>(out++, 0x2d);
  // The least number is its own negative, and right without its sign.
  const magnitude = <u64>(value < 0 ? -value : value);
  let digits = 1;
  for (let rest = magnitude / 10; rest != 0; rest /= 10) digits++;
  writeDigits(out, magnitude, digits);
  return out + digits;
}

/** Writes the last `count` digits of a number. */
export function writeDigits(to: usize, value: u64, count: i32): void {
  let rest = value;
  for (let at = to + count; at > to; rest /= 10) store<u8>(--at, <u8>(0x30 + (rest % 10)));
}
