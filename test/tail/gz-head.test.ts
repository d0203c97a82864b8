// A `.gz` tells its first line in bounded memory and time, whatever its header and its data hold.

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib, { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { peekCompressed } from '../../src/tail/gz-head.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'gz-head-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const text = '2024-03-05T14:07:00.000000001Z stdout F hello\nsecond line\n';

function peek(bytes: Uint8Array): { head: string; bytes: number } {
  const path = join(root, 'x.gz');
  writeFileSync(path, bytes);
  const { head, bytes: length } = peekCompressed(path, [root]);
  return { head: Buffer.from(head).toString('latin1'), bytes: length };
}

/** Of deflate: stored, not the last, of no bytes. */
const emptyBlock = Buffer.from([0, 0, 0, 0xff, 0xff]);

type Header = { extra?: number; name?: number; comment?: number; hasCrc?: boolean };

/** A member whose header holds texts of these lengths. */
function member(content: string | Uint8Array, header: Header = {}): Buffer {
  const { extra, name, comment, hasCrc = false } = header;
  const plain = gzipSync(content, { level: 9 });
  const head = Buffer.from(plain.subarray(0, 10));
  const parts: Buffer[] = [head];
  let flags = 0;
  if (extra !== undefined) {
    flags |= 4;
    const length = Buffer.alloc(2);
    length.writeUInt16LE(extra);
    parts.push(length, Buffer.alloc(extra, 0));
  }
  for (const [flag, length] of [
    [8, name],
    [16, comment],
  ] as const) {
    if (length === undefined) continue;
    flags |= flag;
    parts.push(Buffer.alloc(length, 'n'), Buffer.alloc(1));
  }
  if (hasCrc) {
    flags |= 2;
    parts.push(Buffer.alloc(2));
  }
  head[3] = flags;
  return Buffer.concat([...parts, plain.subarray(10)]);
}

describe('the head of a .gz', () => {
  test.each<[string, Header]>([
    ['plain', {}],
    ['with a name', { name: 12 }],
    ['with a name of 73 kB', { name: 73_000 }],
    ['with a comment of 300 kB', { comment: 300_000 }],
    ['with 65,535 bytes of extra', { extra: 65_535 }],
    ['with everything', { extra: 1_013, name: 8_191, comment: 8_192, hasCrc: true }],
    ['with an empty name', { name: 0, hasCrc: true }],
  ])('is found behind a header %s', (_, header) => {
    expect(peek(member(text, header))).toEqual({ head: text, bytes: text.length });
  });

  test('is found behind headers of every length around a piece', () => {
    for (let name = limits.gzPeekBytes - 40; name < limits.gzPeekBytes + 40; name += 1) {
      expect(peek(member(text, { name, comment: limits.gzPeekBytesMin })).head).toBe(text);
    }
  });

  test('goes on in the next member, and is less than all where that is shorter', () => {
    const members = [member(''), member('2024-03-05T14'), member(text.slice(13))];
    expect(peek(Buffer.concat(members)).head).toBe(text);
    // ISIZE is of the last member only.
    const ends = Buffer.concat([member(text), member('')]);
    expect(peek(ends)).toEqual({ head: text, bytes: text.length + 1 });
  });

  test('of a file that was cut off is no longer than its bytes can unpack to', () => {
    const random = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (i * i * 7_919) % 251));
    const whole = gzipSync(Buffer.concat([Buffer.from(text), random]));
    for (let end = 120; end < whole.length; end += 7) {
      expect(peek(whole.subarray(0, end)).bytes).toBeLessThanOrEqual(end * 1_032);
    }
    const bomb = gzipSync(Buffer.concat([Buffer.from(text), Buffer.alloc(50_000_000)]));
    expect(peek(bomb).bytes).toBe(50_000_000 + text.length);
  });

  test('does not take padding for a member', () => {
    const short = 'no end of a line';
    expect(peek(Buffer.concat([member(short), Buffer.alloc(512)])).head).toBe(short);
  });

  test('that barely packs is found, as is one that was flushed after each byte', () => {
    const random = Buffer.from(
      Array.from({ length: 4_000 }, (_, index) => ((index * 7919) % 251) | 1),
    );
    const first = random.map((byte) => (byte === 0x0a ? 0x0b : byte));
    expect(peek(gzipSync(first)).head).toBe(
      Buffer.from(first.subarray(0, limits.fingerprintBytes)).toString('latin1'),
    );
  });

  test.each<[string, Uint8Array]>([
    ['empty', Buffer.alloc(0)],
    ['no .gz', Buffer.from('some text that is no gzip')],
    ['cut within its header', member(text).subarray(0, 7)],
    ['cut within its name', member(text, { name: 5_000 }).subarray(0, 4_000)],
    ['nothing but a name of 2 MB', member(text, { name: 2_000_000 })],
    ['1,000 empty members', Buffer.concat(Array.from({ length: 1_000 }, () => member('')))],
  ])('that is %s is broken', (_, bytes) => {
    expect(() => peek(bytes)).toThrow(expect.objectContaining({ code: 'GZ_BROKEN' }));
  });

  test('of nothing but empty blocks is broken, and is found behind some of them', () => {
    const { length } = emptyBlock;
    const blocks = (bytes: number) => Buffer.alloc(bytes - (bytes % length), emptyBlock);
    const behind = (bytes: number) =>
      Buffer.concat([gzipSync('').subarray(0, 10), blocks(bytes), gzipSync(text).subarray(10)]);
    expect(peek(behind(limits.gzPeekBytes / 2)).head).toBe(text);
    const broken = expect.objectContaining({ code: 'GZ_BROKEN' });
    for (const bytes of [limits.gzPeekBytes, 10 * limits.gzPeekBytes]) {
      expect(() => peek(behind(bytes))).toThrow(broken);
    }
  });

  test('of a bomb unpacks little of it', () => {
    const real = zlib.inflateRawSync;
    let unpackedMax = 0;
    zlib.inflateRawSync = ((...given: Parameters<typeof real>) => {
      const result = real(...given) as unknown as { buffer: Buffer };
      unpackedMax = Math.max(unpackedMax, result.buffer.length);
      return result;
    }) as unknown as typeof real;
    syncBuiltinESMExports();
    try {
      peek(member(Buffer.alloc(16 * 1024 * 1024), { name: 1_200 }));
    } finally {
      zlib.inflateRawSync = real;
      syncBuiltinESMExports();
    }
    // No byte of it packs more than 1,032.
    expect(unpackedMax).toBeGreaterThan(limits.fingerprintBytes);
    expect(unpackedMax).toBeLessThanOrEqual(1_032 * limits.gzPeekBytesMin);
  });

  test('of a bomb costs little memory', () => {
    const bombBytes = 64 * 1024 * 1024;
    const bomb = member(Buffer.alloc(bombBytes), { name: 1_200 });
    const before = process.memoryUsage().rss;
    for (let times = 0; times < 40; times += 1) {
      expect(peek(bomb).head).toHaveLength(limits.fingerprintBytes);
    }
    // All of them together cost less than one that is unpacked.
    expect(process.memoryUsage().rss - before).toBeLessThan(bombBytes);
  });
});
