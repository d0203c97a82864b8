// Damages a store on disk and checks what the store promises about it. Used by the sampled test and by the one of every byte.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

import { openCheckpointStore } from '../../src/commit/checkpoint-store.ts';
import type { Checkpoint } from '../../src/commit/checkpoint-store.ts';
import { checkpoint, rememberingHooks } from './fixtures.ts';

const rows = 24;
const fileNames = ['checkpoints.sqlite', 'checkpoints.sqlite-wal'] as const;

/** The bytes of a store at rest, or as a killed process leaves it: half in the file, half in the log. */
export type Image = { readonly name: string; readonly files: ReadonlyMap<string, Buffer> };

/** Both images, with every row written twice, at offsets 1000 + n and 2000 + n. */
export function makeImages(directory: string): Image[] {
  const stateDir = join(directory, 'whole');
  const copy = join(directory, 'copy');
  mkdirSync(copy);
  const writeAll = (offset: number): void => {
    const store = openCheckpointStore(stateDir, rememberingHooks());
    for (let index = 0; index < rows; index += 1) store.put(checkpoint(index, offset + index));
    store.flush();
    // Copied while it is open, which is what a SIGKILL leaves.
    for (const name of fileNames) copyFileSync(join(stateDir, name), join(copy, name));
    store.close();
  };
  writeAll(1_000);
  writeAll(2_000);
  return [
    { name: 'at rest', files: new Map([[fileNames[0], readFileSync(join(stateDir, fileNames[0]))]]) },
    { name: 'killed', files: new Map(fileNames.map((name) => [name, readFileSync(join(copy, name))])) },
  ];
}

/** Lays the image down with one file changed, and checks that the store gives true rows only, works, and deletes nothing. */
export function expectSound(directory: string, image: Image, change: { file: string; bytes: Buffer; what: string }): void {
  const stateDir = join(directory, 'damaged');
  rmSync(stateDir, { recursive: true, force: true });
  mkdirSync(stateDir);
  for (const [name, bytes] of image.files) writeFileSync(join(stateDir, name), name === change.file ? change.bytes : bytes);
  const text = `${image.name}, ${change.file}, ${change.what}`;
  const hooks = rememberingHooks();
  const store = openCheckpointStore(stateDir, hooks);
  const asides = readdirSync(stateDir).filter((name) => name.includes('.corrupt-') && !name.endsWith('-wal'));
  expect(asides.length, text).toBe(hooks.lines.length);
  expect(store.healthy, text).toBe(true);
  for (let index = 0; index < rows; index += 1) expectTrue(store.lookup(checkpoint(index, 0).podUid, checkpoint(index, 0).container), index, text);
  const fresh = Array.from({ length: rows * 2 }, (_, index) => checkpoint(index, 3_000 + index));
  for (const one of fresh) store.put(one);
  store.flush();
  expect(store.healthy, text).toBe(true);
  expect(store.dirtyCount, text).toBe(0);
  store.close();
  const again = openCheckpointStore(stateDir, rememberingHooks());
  for (const one of fresh) expect(again.lookup(one.podUid, one.container), text).toEqual([one]);
  again.close();
}

function expectTrue(found: readonly Checkpoint[], index: number, text: string): void {
  expect(found.length, text).toBeLessThanOrEqual(1);
  const [one] = found;
  if (one !== undefined) expect([checkpoint(index, 1_000 + index), checkpoint(index, 2_000 + index)], text).toContainEqual(one);
}

/** The file with one bit of one byte turned. */
export function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
  return flipped;
}
