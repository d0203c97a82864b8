// Unpacks a raw LZ4 block, without a frame, as systemd before 246 compresses fields. Invariant:
// never writes past `length`, never reads outside the block.

import { JournalCorrupt } from './journal-bytes.ts';

/** @throws JournalCorrupt when the block is torn or does not unpack to exactly `length` bytes. */
export function unpackLz4Block(packed: Uint8Array, length: number): Buffer {
  const out = Buffer.allocUnsafeSlow(length);
  let read = 0;
  let written = 0;
  const torn = () => new JournalCorrupt('an LZ4 block is torn');
  const extend = (base: number): number => {
    let count = base;
    if (base !== 15) return count;
    for (;;) {
      const byte = packed[read];
      if (byte === undefined || count > length) throw torn();
      read += 1;
      count += byte;
      if (byte !== 255) return count;
    }
  };
  while (read < packed.length) {
    const token = packed[read] ?? 0;
    read += 1;
    const literals = extend(token >> 4);
    if (read + literals > packed.length || written + literals > length) throw torn();
    out.set(packed.subarray(read, read + literals), written);
    read += literals;
    written += literals;
    if (read === packed.length) break; // The last sequence has literals only.
    const distance = (packed[read] ?? 0) | ((packed[read + 1] ?? 0) << 8);
    read += 2;
    if (read > packed.length || distance === 0 || distance > written) throw torn();
    const matched = extend(token & 15) + 4;
    if (written + matched > length) throw torn();
    // A match may overlap what it writes, so it is copied in the order of its bytes.
    const end = written + matched;
    for (; written < end; written += 1) {
      out[written] = out[written - distance] ?? 0;
    }
  }
  if (written !== length) throw torn();
  return out;
}
