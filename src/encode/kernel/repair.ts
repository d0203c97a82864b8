// Text that is not UTF-8: each maximal part of an incomplete sequence becomes U+FFFD, as in
// TextDecoder. Repair goes on up to where blocks can be checked again.

/** Where `repairText` stopped writing. */
export let repairedOut: usize = 0;
/** How often a text was repaired. */
export let repairCount: u32 = 0;

/** As many plain ASCII bytes, and the check of the next block sees nothing of what was repaired. */
const plainBytesMin: u32 = 3;

// @ts-ignore: decorator
@inline
function isContinuation(byte: u32): bool {
  return (byte & 0xc0) == 0x80;
}

/** Whether `second` may follow the lead byte `lead` of a sequence. */
function isSecond(lead: u32, second: u32): bool {
  if (lead == 0xe0) return second - 0xa0 < 0x20;
  if (lead == 0xed) return second - 0x80 < 0x20;
  if (lead == 0xf0) return second - 0x90 < 0x30;
  if (lead == 0xf4) return second - 0x80 < 0x10;
  return isContinuation(second);
}

/** Bytes of the sequence at `at`, or minus those of the part that becomes U+FFFD. */
export function sequenceBytes(at: usize): i32 {
  const lead = <u32>load<u8>(at);
  if (lead < 0x80) return 1;
  if (lead - 0xc2 > 0x32 || !isSecond(lead, <u32>load<u8>(at, 1))) return -1;
  if (lead < 0xe0) return 2;
  if (!isContinuation(<u32>load<u8>(at, 2))) return -2;
  if (lead < 0xf0) return 3;
  return isContinuation(<u32>load<u8>(at, 3)) ? 4 : -3;
}

/**
 * Copies and repairs the text from `at` on, up to a byte that is escaped or past some that are
 * plain; returns where it stopped. A sequence may have begun before `at`, but not before `floor`.
 */
export function repairText(at: usize, to: usize, floor: usize): usize {
  repairCount++;
  let position = at;
  let out = to;
  let start = at;
  while (start > floor && at - start < 3 && isContinuation(<u32>load<u8>(start))) start--;
  const begun = sequenceBytes(start);
  if (begun > 1 && start + <usize>begun > at) {
    // It was whole where its beginning was checked.
    store<u32>(out, load<u32>(at));
    position = start + <usize>begun;
    out += position - at;
  }
  let plain: u32 = 0;
  while (plain < plainBytesMin) {
    const byte = <u32>load<u8>(position);
    if (byte < 0x20 || byte == 0x22 || byte == 0x5c) break;
    const bytes = sequenceBytes(position);
    plain = byte < 0x80 ? plain + 1 : 0;
    if (bytes > 0) {
      store<u32>(out, load<u32>(position));
      out += <usize>bytes;
      position += <usize>bytes;
    } else {
      store<u32>(out, 0xbdbfef); // U+FFFD
      out += 3;
      position += <usize>-bytes;
    }
  }
  repairedOut = out;
  return position;
}
