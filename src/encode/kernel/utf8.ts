// Checks UTF-8 sixteen bytes at a time, by the lookup algorithm of Keiser and Lemire ("Validating
// UTF-8 in less than one instruction per byte", 2021): nearly every error shows in two neighbouring
// bytes. Three tables say which errors the high nibble of the first, its low nibble and the high
// nibble of the second allow; an error is what all three allow. The rest, whether a sequence has
// its third and fourth byte, follows from the bytes two and three before.

const tooShort: u8 = 1 << 0; // a lead without its continuation
const tooLong: u8 = 1 << 1; // a continuation after ASCII
const overlong3: u8 = 1 << 2;
const tooLarge: u8 = 1 << 3; // from U+110000 up, second byte from 0x90
const surrogate: u8 = 1 << 4;
const overlong2: u8 = 1 << 5;
const tooLarge1000: u8 = 1 << 6; // the same, second byte 0x80 to 0x8f; shares its bit with the next
const overlong4: u8 = 1 << 6;
const twoContinuations: u8 = 1 << 7; // an error, unless a third or fourth byte has to be here

const any: u8 = tooShort | tooLong | twoContinuations;
const large: u8 = any | tooLarge | tooLarge1000;
const continuation: u8 = tooLong | overlong2 | twoContinuations;

/**
 * A bit for each of the 16 bytes at `at` that cannot follow the bytes before it. The three
 * bytes before `at` must be in order, and no sequence may be cut off by reading on at `at`.
 */
export function utf8Errors(at: usize): u32 {
  const bytes = v128.load(at);
  const before = v128.load(at - 1);
  const low = i8x16.splat(0x0f);
  // oxfmt-ignore
  const byFirstHigh = i8x16.swizzle(
    i8x16(
      tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong,
      twoContinuations, twoContinuations, twoContinuations, twoContinuations,
      tooShort | overlong2, tooShort, tooShort | overlong3 | surrogate,
      tooShort | tooLarge | tooLarge1000 | overlong4,
    ),
    i8x16.shr_u(before, 4),
  );
  // oxfmt-ignore
  const byFirstLow = i8x16.swizzle(
    i8x16(
      any | overlong3 | overlong2 | overlong4, any | overlong2, any, any, any | tooLarge,
      large, large, large, large, large, large, large, large, large | surrogate, large, large,
    ),
    v128.and(before, low),
  );
  // oxfmt-ignore
  const bySecondHigh = i8x16.swizzle(
    i8x16(
      tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort,
      continuation | overlong3 | tooLarge1000 | overlong4, continuation | overlong3 | tooLarge,
      continuation | surrogate | tooLarge, continuation | surrogate | tooLarge,
      tooShort, tooShort, tooShort, tooShort,
    ),
    i8x16.shr_u(bytes, 4),
  );
  const pairs = v128.and(v128.and(byFirstHigh, byFirstLow), bySecondHigh);
  const third = i8x16.sub_sat_u(v128.load(at - 2), i8x16.splat(<i8>(0xe0 - 0x80)));
  const fourth = i8x16.sub_sat_u(v128.load(at - 3), i8x16.splat(<i8>(0xf0 - 0x80)));
  const expected = v128.and(v128.or(third, fourth), i8x16.splat(<i8>0x80));
  return <u32>(~i8x16.bitmask(i8x16.eq(expected, pairs)) & 0xffff);
}
