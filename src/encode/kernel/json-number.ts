// Numbers, words and empty containers of JSON.

import { isFinite } from './numbers';

/** The number's syntax is wrong. */
export const valueInvalid: usize = 0;
/** Valid, but no double holds it. */
export const valueHuge: usize = 1;

/**
 * An integer part of fewer digits is a finite double, and so is one with an exponent of at most two
 * digits.
 */
const digitsMax: usize = 200;

/** Where the last number ends that was `valueHuge`. */
export let hugeEnd: usize = 0;

/** Past the digits at `at`. */
// @ts-ignore: decorator
@inline
function pastDigits(at: usize): usize {
  let position = at;
  while (true) {
    const digits = i8x16.sub(v128.load(position), i8x16.splat(0x30));
    const others = ~i8x16.bitmask(i8x16.lt_u(digits, i8x16.splat(10))) & 0xffff;
    if (others != 0) return position + ctz(others);
    position += 16;
  }
}

/** Past the number at `at`, or `valueInvalid`, or `valueHuge`. */
// @ts-ignore: decorator
@inline
function pastNumber(at: usize): usize {
  const whole = load<u8>(at) == 0x2d ? at + 1 : at;
  let end = pastDigits(whole);
  if (end == whole || (load<u8>(whole) == 0x30 && end != whole + 1)) return valueInvalid;
  const wholeDigits = end - whole;
  let byte = load<u8>(end);
  if (byte == 0x2e) {
    const fraction = end + 1;
    end = pastDigits(fraction);
    if (end == fraction) return valueInvalid;
    byte = load<u8>(end);
  }
  let exponentDigits: usize = 0;
  if ((byte | 0x20) == 0x65) {
    const sign = load<u8>(end, 1);
    const exponent = sign == 0x2b || sign == 0x2d ? end + 2 : end + 1;
    end = pastDigits(exponent);
    if (end == exponent) return valueInvalid;
    exponentDigits = end - exponent;
  }
  if (wholeDigits <= digitsMax && exponentDigits <= 2) return end;
  if (isFinite(at, end)) return end;
  hugeEnd = end;
  return valueHuge;
}

/** Past `true`, `false` or `null` at `at`, or `valueInvalid`. */
// @ts-ignore: decorator
@inline
function pastWord(at: usize): usize {
  const word = load<u32>(at);
  if (word == 0x65757274 || word == 0x6c6c756e) return at + 4;
  return word == 0x736c6166 && load<u8>(at, 4) == 0x65 ? at + 5 : valueInvalid;
}

/** Whether `[]` or `{}` is at `at`: a value without parts, as good as a scalar. */
// @ts-ignore: decorator
@inline
export function isEmptyAt(at: usize): bool {
  const both = load<u16>(at);
  return both == 0x5d5b || both == 0x7d7b;
}

/** Past the number or word at `at`, or `valueInvalid`, or `valueHuge`. */
// @ts-ignore: decorator
@inline
export function pastScalar(at: usize): usize {
  const byte = <u32>load<u8>(at);
  return byte - 0x30 < 10 || byte == 0x2d ? pastNumber(at) : pastWord(at);
}
