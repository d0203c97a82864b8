import { expect, test } from 'vitest';

import { complaintsAbout, flip, makeImages } from './damage.ts';
import { temporaryDirectory } from './fixtures.ts';

test('the images hold rows in the file and in the log', () => {
  const [rest, killed] = makeImages(temporaryDirectory());
  expect(rest?.files.get('checkpoints.sqlite')?.length).toBeGreaterThan(4_096);
  expect(killed?.files.get('checkpoints.sqlite-wal')?.length).toBeGreaterThan(4_096);
});

test('a turned bit anywhere gives old rows or none, never a wrong one, and a store that works', () => {
  const directory = temporaryDirectory();
  const complaints: string[] = [];
  for (const image of makeImages(directory)) {
    for (const [file, bytes] of image.files) {
      // Each byte of the header, which decides how the rest is read, and then some of every page.
      for (let at = 0; at < bytes.length; at += at < 100 ? 3 : 211) {
        complaints.push(
          ...complaintsAbout(directory, image, {
            file,
            bytes: flip(bytes, at, at % 8),
            what: `byte ${at}, bit ${at % 8}`,
          }),
        );
      }
    }
  }
  expect(complaints).toEqual([]);
});

test('a store that was cut at any length gives old rows or none, never a wrong one, and works', () => {
  const directory = temporaryDirectory();
  const complaints: string[] = [];
  for (const image of makeImages(directory)) {
    for (const [file, bytes] of image.files) {
      for (let length = 0; length < bytes.length; length += length < 100 ? 9 : 509) {
        complaints.push(
          ...complaintsAbout(directory, image, {
            file,
            bytes: bytes.subarray(0, length),
            what: `cut to ${length}`,
          }),
        );
      }
    }
  }
  expect(complaints).toEqual([]);
});

test('a page of zeros or of noise, and noise at the end, harm nothing', () => {
  const directory = temporaryDirectory();
  const complaints: string[] = [];
  for (const image of makeImages(directory)) {
    for (const [file, bytes] of image.files) {
      for (let at = 0; at + 1_024 <= bytes.length; at += 1_024) {
        for (const fill of [0, 0xff, 0x0d]) {
          complaints.push(
            ...complaintsAbout(directory, image, {
              file,
              bytes: Buffer.from(bytes).fill(fill, at, at + 1_024),
              what: `page at ${at} is ${fill}`,
            }),
          );
        }
      }
      complaints.push(
        ...complaintsAbout(directory, image, {
          file,
          bytes: Buffer.concat([bytes, Buffer.alloc(3_333, 0x5a)]),
          what: 'longer',
        }),
      );
    }
  }
  expect(complaints).toEqual([]);
});
