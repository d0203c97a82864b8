// Rewrites a journal's zstd fields as LZ4 in place, as systemd before 246 would have written them:
// today's systemd reads LZ4 but cannot be told to write it.

import { readFileSync, writeFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';

const flags = { lz4: 2, zstd: 8, compact: 16 } as const;
const objectFlags = { lz4: 2, zstd: 4 } as const;

/** A valid LZ4 block: runs of one byte become matches at distance 1, the rest literals. */
function packLz4(plain: Buffer): Buffer {
  const out: number[] = [];
  const writeLength = (value: number) => {
    let left = value - 15;
    for (; left >= 255; left -= 255) out.push(255);
    out.push(left);
  };
  const writeSequence = (literals: Buffer, matched: number) => {
    const low = matched === 0 ? 0 : Math.min(15, matched - 4);
    out.push((Math.min(15, literals.length) << 4) | low);
    if (literals.length >= 15) writeLength(literals.length);
    out.push(...literals);
    if (matched === 0) return;
    out.push(1, 0);
    if (low === 15) writeLength(matched - 4);
  };
  let start = 0;
  let at = 1;
  while (at < plain.length - 12) {
    let end = at;
    while (end < plain.length - 5 && plain[end] === plain[at - 1]) end += 1;
    if (end - at >= 8) {
      writeSequence(plain.subarray(start, at), end - at);
      start = end;
    }
    at = Math.max(end, at) + 1;
  }
  writeSequence(plain.subarray(start), 0);
  return Buffer.from(out);
}

/** How many fields were rewritten; those whose LZ4 form has no room in their object stay. */
export function repackWithLz4(path: string): number {
  const bytes = readFileSync(path);
  const isCompact = (bytes.readUInt32LE(12) & flags.compact) !== 0;
  const payloadAt = isCompact ? 72 : 64;
  let count = 0;
  let offset = Number(bytes.readBigUInt64LE(88));
  const tail = Number(bytes.readBigUInt64LE(136));
  while (offset <= tail) {
    const size = Number(bytes.readBigUInt64LE(offset + 8));
    if (bytes[offset] === 1 && bytes[offset + 1] === objectFlags.zstd) {
      const plain = zstdDecompressSync(bytes.subarray(offset + payloadAt, offset + size));
      const packed = packLz4(plain);
      // Readers follow offsets, so an object may become shorter, but not longer than its room.
      if (packed.length + 8 + payloadAt > Math.ceil(size / 8) * 8) {
        offset += Math.ceil(size / 8) * 8;
        continue;
      }
      packed.copy(bytes, offset + payloadAt + 8);
      bytes.writeBigUInt64LE(BigInt(packed.length + 8 + payloadAt), offset + 8);
      bytes.writeBigUInt64LE(BigInt(plain.length), offset + payloadAt);
      bytes[offset + 1] = objectFlags.lz4;
      count += 1;
    }
    offset += Math.ceil(size / 8) * 8;
  }
  bytes.writeUInt32LE(bytes.readUInt32LE(12) | flags.lz4, 12);
  writeFileSync(path, bytes);
  return count;
}
