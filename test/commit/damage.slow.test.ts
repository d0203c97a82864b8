import { expect, test } from 'vitest';

import { complaintsAbout, flip, makeImages } from './damage.ts';
import { temporaryDirectory } from './fixtures.ts';

test('a turned bit in every single byte gives old rows or none', { timeout: 1_800_000 }, () => {
  const directory = temporaryDirectory();
  const complaints: string[] = [];
  for (const image of makeImages(directory)) {
    for (const [file, bytes] of image.files) {
      for (let at = 0; at < bytes.length; at += 1) {
        const bit = (at * 5) % 8;
        complaints.push(
          ...complaintsAbout(directory, image, {
            file,
            bytes: flip(bytes, at, bit),
            what: `byte ${at}, bit ${bit}`,
          }),
        );
      }
    }
  }
  expect(complaints).toEqual([]);
});

test('a cut at every single length gives old rows or none', { timeout: 1_800_000 }, () => {
  const directory = temporaryDirectory();
  const complaints: string[] = [];
  for (const image of makeImages(directory)) {
    for (const [file, bytes] of image.files) {
      for (let length = 0; length < bytes.length; length += 1) {
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
