// The severity that a text names (entries/severity.ts), by its index.

/** No severity. */
export const severityNone: u32 = 255;

/** Longer texts name none. */
const textBytesMax: usize = 256;

/** That of an upper-case word of at most eight letters. */
function severityOfWord(word: u64): u32 {
  if (word == 0x4f464e49 || word == 0x49) return 2; // INFO I
  if (word == 0x4e524157 || word == 0x474e494e524157 || word == 0x57) return 4; // WARN WARNING W
  // ERROR SEVERE ERR E
  if (word == 0x524f525245 || word == 0x455245564553 || word == 0x525245 || word == 0x45) return 5;
  if (word == 0x4755424544 || word == 0x44 || word == 0x4543415254) return 1; // DEBUG D TRACE
  if (word == 0x454349544f4e || word == 0x4e) return 3; // NOTICE N
  // FATAL CRITICAL CRIT
  if (word == 0x4c41544146 || word == 0x4c41434954495243 || word == 0x54495243) return 6;
  if (word == 0x43 || word == 0x46) return 6; // C F
  if (word == 0x5452454c41 || word == 0x41) return 7; // ALERT A
  if (word == 0x4752454d45) return 8; // EMERG
  if (word == 0x544c5541464544) return 0; // DEFAULT
  // FINE FINER FINEST CONFIG
  if (
    word == 0x454e4946 ||
    word == 0x52454e4946 ||
    word == 0x5453454e4946 ||
    word == 0x4749464e4f43
  ) {
    return 1;
  }
  return severityNone;
}

const upperCase: u64 = 0xdfdfdfdfdfdfdfdf;

// @ts-ignore: decorator
@inline
function severityOfShortWord(start: usize, length: usize): u32 {
  const mask = <u64>-1 >> <u64>(64 - (length << 3));
  return severityOfWord(load<u64>(start) & upperCase & mask);
}

// @ts-ignore: decorator
@inline
function isLetter(byte: u32): bool {
  return (byte | 0x20) - 0x61 < 26;
}

/** Whether the text begins and ends with a letter and has at most eight bytes. */
// @ts-ignore: decorator
@inline
function isShortWord(start: usize, end: usize): bool {
  const isShort = end - start - 1 < 8;
  return isShort && isLetter(<u32>load<u8>(start)) && isLetter(<u32>load<u8>(end - 1));
}

/** That of a word of more letters. */
function severityOfLongWord(start: usize, length: usize): u32 {
  const first = load<u64>(start) & upperCase;
  const last = load<u64>(start + length - 8) & upperCase;
  // INFORMAT ORMATION
  if (length == 11) {
    return first == 0x54414d524f464e49 && last == 0x4e4f4954414d524f ? 2 : severityNone;
  }
  if (length != 9) return severityNone;
  if (first == 0x434e454752454d45 && last == 0x59434e454752454d) return 8; // EMERGENC MERGENCY
  // TRACE_IN RACE_INT
  const isTrace = first == 0x4e495f4543415254 && last == 0x544e495f45434152;
  return isTrace && load<u8>(start, 5) == 0x5f ? 1 : severityNone;
}

/** That of digits: rounded down to hundreds, at most 800; `small` of a number below 100. */
function severityOfDigits(start: usize, end: usize, small: u32): u32 {
  let value: u32 = 0;
  for (let at = start; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) return severityNone;
    value = value > 99 ? 1_000 : value * 10 + digit;
  }
  if (value < 100) return small;
  return value > 899 ? 8 : value / 100;
}

// @ts-ignore: decorator
@inline
function isSpace(byte: u32): bool {
  return byte == 0x20 || byte - 9 < 5;
}

/**
 * The severity that the text in [start, end) names; `severityNone` if it is none, `small` if it is
 * a number below 100.
 */
export function severityOfText(start: usize, end: usize, small: u32): u32 {
  // Most are words without space around them.
  if (isShortWord(start, end)) return severityOfShortWord(start, end - start);
  if (end - start > textBytesMax) return severityNone;
  let from = start;
  let to = end;
  while (from < to && isSpace(<u32>load<u8>(from))) from++;
  while (to > from && isSpace(<u32>load<u8>(to - 1))) to--;
  const length = to - from;
  if (length == 0) return severityNone;
  if (<u32>load<u8>(from) - 0x30 < 10) return severityOfDigits(from, to, small);
  return length > 8 ? severityOfLongWord(from, length) : severityOfShortWord(from, length);
}
