// Snappy's block format, read only: what promtail pushes to Loki is compressed with it, always. The
// invariant: a block that is damaged throws, and never yields other bytes.
// https://github.com/google/snappy/blob/main/format_description.txt

/** More than any agent puts into one push; a larger claim is damage. */
const plainBytesMax = 2 ** 27;

function fail(why: string): never {
  throw new Error(`this is no block of snappy: ${why}`);
}

/** The length of the content, and where the elements begin. */
function readLength(block: Buffer): { length: number; at: number } {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = block[at] ?? fail('it ends within its length');
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return length > plainBytesMax ? fail('too long') : { length, at: at + 1 };
  }
  return fail('its length has no end');
}

/** A little-endian number of one to four bytes. */
function readNumber(block: Buffer, at: number, bytes: number): number {
  return at + bytes > block.length ? fail('it is cut off') : block.readUIntLE(at, bytes);
}

/** The content of a block. Throws when the block is damaged. */
export function decodeSnappy(block: Buffer): Buffer {
  const { length, at: first } = readLength(block);
  const plain = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let at = first; at < block.length;) {
    const tag = block[at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      // A literal of up to 60 bytes has its length in the tag, a longer one behind it.
      const code = tag >> 2;
      const lengthBytes = code < 60 ? 0 : code - 59;
      const bytes = (lengthBytes === 0 ? code : readNumber(block, at, lengthBytes)) + 1;
      at += lengthBytes;
      if (at + bytes > block.length || filled + bytes > length) fail('a literal is too long');
      block.copy(plain, filled, at, at + bytes);
      at += bytes;
      filled += bytes;
      continue;
    }
    const bytes = kind === 1 ? 4 + ((tag >> 2) & 7) : (tag >> 2) + 1;
    const offsetBytes = kind === 3 ? 4 : kind;
    const high = kind === 1 ? (tag >> 5) << 8 : 0;
    const offset = high + readNumber(block, at, offsetBytes);
    at += offsetBytes;
    if (offset === 0 || offset > filled || filled + bytes > length) fail('a copy is out of range');
    // Byte by byte: a copy may overlap what it writes.
    for (const end = filled + bytes; filled < end; filled++) {
      plain[filled] = plain[filled - offset] ?? 0;
    }
  }
  return filled === length ? plain : fail('it is shorter than it says');
}
