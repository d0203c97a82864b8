// Makes the PNG of a screenshot a quarter as long: 256 colours are enough for a page of text, and a
// palette compresses well.
//
// It reads what Chromium writes, 8 bits of RGB or RGBA without interlacing. Format: the PNG
// specification, third edition, of W3C.

import assert from 'node:assert/strict';
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const coloursMax = 256;

type Picture = {
  readonly width: number;
  readonly height: number;
  /** Three bytes a pixel. */
  readonly pixels: Uint8Array;
};

/** The same picture with at most 256 colours. */
export function shrinkPng(image: Buffer): Buffer {
  const picture = readPng(image);
  const { width, height } = picture;
  const { palette, indexes } = choosePalette(picture);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) {
    rows.set(indexes.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits, palette.
  return Buffer.concat([
    signature,
    chunkOf('IHDR', header),
    chunkOf(
      'PLTE',
      Buffer.from(palette.flatMap((rgb) => [rgb >> 16, (rgb >> 8) & 255, rgb & 255])),
    ),
    chunkOf('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunkOf('IEND', Buffer.alloc(0)),
  ]);
}

function chunkOf(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const chunk = Buffer.alloc(named.length + 8);
  chunk.writeUInt32BE(body.length, 0);
  named.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(named), named.length + 4);
  return chunk;
}

function readPng(image: Buffer): Picture {
  assert(image.subarray(0, 8).equals(signature), 'a PNG');
  const bodies: Buffer[] = [];
  for (let at = 8; at < image.length;) {
    const length = image.readUInt32BE(at);
    if (image.toString('latin1', at + 4, at + 8) === 'IDAT') {
      bodies.push(image.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const [width, height] = [image.readUInt32BE(16), image.readUInt32BE(20)];
  const [depth, kind, , , interlace] = image.subarray(24, 29);
  assert(depth === 8 && (kind === 2 || kind === 6) && interlace === 0, 'as Chromium writes it');
  const channels = kind === 2 ? 3 : 4;
  const bytes = unfilter(inflateSync(Buffer.concat(bodies)), width * channels, channels);
  const pixels = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      pixels[at * 3 + channel] = bytes[at * channels + channel] ?? 0;
    }
  }
  return { width, height, pixels };
}

/** Undoes the filters of the rows. */
function unfilter(filtered: Buffer, rowBytes: number, step: number): Uint8Array {
  const height = filtered.length / (rowBytes + 1);
  const bytes = new Uint8Array(height * rowBytes);
  for (let y = 0; y < height; y += 1) {
    const filter = filtered[y * (rowBytes + 1)];
    for (let x = 0; x < rowBytes; x += 1) {
      const at = y * rowBytes + x;
      const left = x < step ? 0 : (bytes[at - step] ?? 0);
      const above = y === 0 ? 0 : (bytes[at - rowBytes] ?? 0);
      const corner = x < step || y === 0 ? 0 : (bytes[at - rowBytes - step] ?? 0);
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter ?? 0];
      bytes[at] = (filtered[at + y + 1] ?? 0) + (guess ?? 0);
    }
  }
  return bytes;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((value) => Math.abs(guess - value));
  if ((toLeft ?? 0) <= (toAbove ?? 0) && (toLeft ?? 0) <= (toCorner ?? 0)) return left;
  return (toAbove ?? 0) <= (toCorner ?? 0) ? above : corner;
}

/** The commonest colours; every other one becomes the nearest of them. */
function choosePalette({ pixels }: Picture): { palette: number[]; indexes: Uint8Array } {
  const counts = new Map<number, number>();
  const colourAt = (at: number): number =>
    ((pixels[at] ?? 0) << 16) | ((pixels[at + 1] ?? 0) << 8) | (pixels[at + 2] ?? 0);
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = colourAt(at);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const order = [...counts].toSorted(([, left], [, right]) => right - left);
  const palette = order.slice(0, coloursMax).map(([colour]) => colour);
  const indexOf = new Map(palette.map((colour, index) => [colour, index]));
  const indexes = new Uint8Array(pixels.length / 3);
  for (let at = 0; at < indexes.length; at += 1) {
    const colour = colourAt(at * 3);
    let index = indexOf.get(colour);
    if (index === undefined) {
      index = nearest(palette, colour);
      indexOf.set(colour, index);
    }
    indexes[at] = index;
  }
  return { palette, indexes };
}

function nearest(palette: readonly number[], colour: number): number {
  let best = 0;
  let bestDistance = Infinity;
  for (const [index, known] of palette.entries()) {
    const red = (known >> 16) - (colour >> 16);
    const green = ((known >> 8) & 255) - ((colour >> 8) & 255);
    const blue = (known & 255) - (colour & 255);
    const distance = red * red + green * green + blue * blue;
    if (distance < bestDistance) [best, bestDistance] = [index, distance];
  }
  return best;
}
