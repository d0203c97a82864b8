// Whether a line may be the first one of a stack trace (stack-trace.ts). The invariant: it says so
// of each that is, and of few others. All of them hold one of a few words, and each of those a pair
// of letters that is rare in other text.

/** Whether an exception's name may end at `at`: before a colon or the line's end. */
// @ts-ignore: decorator
@inline
function isNameEnd(at: usize): bool {
  const byte = <u32>load<u8>(at);
  return byte == 0x3a || byte == 10 || byte == 13;
}

/** Whether the pair of letters at `at` belongs to such a word. */
function isTraceWord(at: usize): bool {
  const word = load<u32>(at);
  const rest = load<u32>(at, 4);
  if (word == 0x696e6170) return (rest & 0xff) == 0x63; // pani c
  if (word == 0x20504850 || word == 0x65203856) return true; // PHP and a space, V8 e
  // .rb:
  if ((word & 0xffffff) == 0x3a6272) return load<u8>(at - 1) == 0x2e;
  // Erro r: or (
  if (word == 0x6f727245) {
    return (rest & 0xff) == 0x72 && (isNameEnd(at + 5) || load<u16>(at, 5) == 0x2820);
  }
  // Thro wabl e
  if (word == 0x6f726854) return rest == 0x6c626177 && load<u8>(at, 8) == 0x65 && isNameEnd(at + 9);
  // xcep tion
  if (word != 0x70656378 || rest != 0x6e6f6974 || (load<u8>(at - 1) | 0x20) != 0x65) return false;
  return isNameEnd(at + 8) || load<u16>(at, 8) == 0x2720;
}

/** A bit for each place in `bytes` where `first` is, and `second` in `next`. */
// @ts-ignore: decorator
@inline
function pairs(bytes: v128, next: v128, first: i8, second: i8): v128 {
  return v128.and(i8x16.eq(bytes, i8x16.splat(first)), i8x16.eq(next, i8x16.splat(second)));
}

/** Whether the text at `content`, which a newline ends, may begin a stack trace. */
export function mayBeginTrace(content: usize): bool {
  const first = load<u64>(content);
  if (first == 0x7265206c61746166 || first == 0x6361626563617254) return true; // fatal er, Tracebac
  let at = content;
  while (true) {
    const bytes = v128.load(at);
    const next = v128.load(at, 1);
    let found = v128.or(pairs(bytes, next, 0x70, 0x61), pairs(bytes, next, 0x45, 0x72)); // pa Er
    found = v128.or(found, pairs(bytes, next, 0x54, 0x68)); // Th
    found = v128.or(found, pairs(bytes, next, 0x50, 0x48)); // PH
    found = v128.or(found, pairs(bytes, next, 0x56, 0x38)); // V8
    found = v128.or(found, pairs(bytes, next, 0x78, 0x63)); // xc
    found = v128.or(found, pairs(bytes, next, 0x72, 0x62)); // rb
    const newlines = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(10)));
    let bits = i8x16.bitmask(found);
    if (newlines != 0) bits &= (newlines & -newlines) - 1;
    while (bits != 0) {
      if (isTraceWord(at + ctz(bits))) return true;
      bits &= bits - 1;
    }
    if (newlines != 0) return false;
    at += 16;
  }
}
