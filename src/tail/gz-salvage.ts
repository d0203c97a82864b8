// Unpacks what can be of a damaged `.gz`: a power loss cuts files off, and leaves zeros in them.
//
// Invariant: what is unpacked comes before the damage, as far as that can be found; the length of
// the rest is never guessed.

import { readSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createInflateRaw } from 'node:zlib';

import { limits } from '../config.ts';
import { closeDescriptor, readAt, writeAt } from '../descriptor.ts';
import { hasCode } from '../errors.ts';
import { dataStart, expansionMax, isBroken, lengthBytes, trailerBytes } from './gz-head.ts';
import { LastCall, type UnpackOptions } from './gz-spool.ts';
import { openLogFile } from './open-log-file.ts';
import { createNameless, filled, SpoolOverflow, type SpoolFile } from './spool-file.ts';

export type Salvaged = SpoolFile & {
  /** Of the whole log, if the trailer is there and plausible. */
  readonly total: number | undefined;
  /** Packed bytes that were not unpacked; undefined: nothing is missing. */
  readonly packedRest: number | undefined;
  readonly packedBytes: number;
};

type Packed = { readonly fd: number; readonly start: number; readonly end: number };

/** @throws SpoolOverflow; GzFault; the system's error; AgentError LINK_REFUSED. */
export async function salvageCompressed(
  path: string,
  { spoolDir, roots, bytesMax }: UnpackOptions,
): Promise<Salvaged> {
  const { fd: packed, stats } = openLogFile(path, roots);
  try {
    const packedBytes = stats.size;
    return await filled(createNameless(spoolDir), async (fd) => {
      const found = await salvage(packed, fd, { packedBytes, bytesMax });
      return { fd, storedBytes: found.size, packedBytes, ...found };
    });
  } finally {
    closeDescriptor(packed);
  }
}

async function salvage(
  packed: number,
  target: number,
  { packedBytes, bytesMax }: { readonly packedBytes: number; readonly bytesMax: number },
): Promise<Pick<Salvaged, 'size' | 'total' | 'packedRest'>> {
  const end = await intactEnd(packed, packedBytes);
  let size = 0;
  let position = 0;
  for (;;) {
    const start = position < end ? dataStart(packed, position) : undefined;
    if (start === undefined) break;
    const member = await findDamage({ fd: packed, start, end });
    const range = { fd: packed, start, end: start + member.intactBytes };
    const bytes = await store(range, target, { at: size, bytesMax });
    size += bytes;
    position = range.end;
    if (!member.isEnded) break;
    position += trailerBytes;
    if (position < end) continue;
    // Its checksum is wrong, or its trailer is missing.
    const total = position === packedBytes ? lengthAt(packed, packedBytes) : bytes;
    const isShort = total > bytes && total <= packedBytes * expansionMax;
    if (!isShort) return { size, total: undefined, packedRest: undefined };
    return { size, total: size - bytes + total, packedRest: 0 };
  }
  const packedRest = Math.max(0, packedBytes - position);
  // The last bytes of a file that was cut off are no trailer.
  const total = packedRest > trailerBytes ? lengthAt(packed, packedBytes) : 0;
  const isPlausible = total > size && total - size <= packedRest * expansionMax;
  return { size, total: isPlausible ? total : undefined, packedRest };
}

function lengthAt(packed: number, packedBytes: number): number {
  const length = Buffer.alloc(lengthBytes);
  readSync(packed, length, 0, length.length, packedBytes - length.length);
  return length.readUInt32LE(0);
}

/** Blocks that were not written in time are zeros, which would unpack to nonsense. */
async function intactEnd(packed: number, packedBytes: number): Promise<number> {
  const block = Buffer.alloc(limits.gzBlockBytes);
  let lastNonZero = -1;
  for (let position = 0; position < packedBytes;) {
    const bytes = await readAt(packed, block, position);
    if (bytes === 0) break;
    const last = block.subarray(0, bytes).findLastIndex((byte) => byte !== 0);
    if (last === -1 && bytes === block.length) break;
    if (last !== -1) lastNonZero = position + last;
    position += bytes;
  }
  // Of a length that is not 0, some bytes may be.
  const zeros = packedBytes - lastNonZero - 1;
  return zeros >= lengthBytes ? lastNonZero + 1 : packedBytes;
}

/** How many bytes of a member unpack without an error, and whether it ends with them. */
async function findDamage({
  fd,
  start,
  end,
}: Packed): Promise<{ intactBytes: number; isEnded: boolean }> {
  let intactBytes = 0;
  // In ever smaller pieces: one that fails yields nothing.
  for (const step of [limits.spoolPieceBytes, limits.gzBlockBytes, 1]) {
    const probe = await inflate({ fd, start, end }, { intactBytes, step, isPadded: true });
    intactBytes = Math.min(probe.consumed, end - start);
    if (!probe.isFailed) return { intactBytes, isEnded: probe.consumed <= end - start };
  }
  return { intactBytes, isEnded: false };
}

/** Returns how many bytes it has written. */
async function store(
  range: Packed,
  target: number,
  { at, bytesMax }: { readonly at: number; readonly bytesMax: number },
): Promise<number> {
  let size = 0;
  const step = limits.spoolPieceBytes;
  await inflate(range, { intactBytes: 0, step, isPadded: false }, async (piece) => {
    if (at + size + piece.length > bytesMax) {
      throw new SpoolOverflow(at + size + piece.length, bytesMax);
    }
    await writeAt(target, piece, at + size);
    size += piece.length;
  });
  return size;
}

type Steps = {
  /** Up to here it is known to unpack, and read in large pieces. */
  readonly intactBytes: number;
  readonly step: number;
  /** A byte follows the end, which is only consumed if the data does not end before it. */
  readonly isPadded: boolean;
};

async function inflate(
  { fd, start, end }: Packed,
  { intactBytes, step, isPadded }: Steps,
  use?: (piece: Uint8Array) => Promise<void>,
): Promise<{ consumed: number; isFailed: boolean }> {
  const calls = new LastCall();
  const inflater = createInflateRaw({
    chunkSize: limits.spoolPieceBytes,
    finishFlush: constants.Z_SYNC_FLUSH,
  });

  async function* pieces(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(limits.spoolPieceBytes);
    for (let position = start; position < end;) {
      const left = start + intactBytes - position;
      const length = Math.min(left > 0 ? left : step, buffer.length, end - position);
      const bytes = await calls.follow(readAt(fd, buffer.subarray(0, length), position));
      if (bytes === 0) return;
      position += bytes;
      yield Buffer.from(buffer.subarray(0, bytes));
    }
    if (isPadded) yield Buffer.alloc(1);
  }

  async function take(unpacked: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of unpacked) {
      if (use !== undefined) await calls.follow(use(piece));
    }
  }

  try {
    await pipeline(pieces, inflater, take);
    return { consumed: inflater.bytesWritten, isFailed: false };
  } catch (error) {
    // It closes when the data ends before the pieces do.
    const isEnded = hasCode(error, 'ERR_STREAM_PREMATURE_CLOSE');
    if (!isEnded && !isBroken(error)) throw error;
    return { consumed: inflater.bytesWritten, isFailed: !isEnded };
  } finally {
    // The number of a descriptor that is closed during a call may be reused before the call ends.
    await calls.settled();
  }
}
