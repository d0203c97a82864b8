// Damages a store on disk and checks what the store promises about it. Used by the sampled test and
// by the one of every byte.

import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { openCheckpointStore } from '../../src/commit/checkpoint-store.ts';
import type { Checkpoint } from '../../src/commit/checkpoint.ts';
import { checkpoint, rememberingLog } from './fixtures.ts';

const rows = 24;
const fileNames = ['checkpoints.sqlite', 'checkpoints.sqlite-wal'] as const;

/**
 * The bytes of a store at rest, or as a killed process leaves it: half in the file, half in the
 * log.
 */
export type Image = { readonly name: string; readonly files: ReadonlyMap<string, Buffer> };

/** Both images, with every row written twice, at offsets 1000 + n and 2000 + n. */
export function makeImages(directory: string): Image[] {
  const stateDir = join(directory, 'whole');
  const copy = join(directory, 'copy');
  mkdirSync(copy);
  const writeAll = (offset: number): void => {
    const store = openCheckpointStore(stateDir, rememberingLog());
    for (let index = 0; index < rows; index += 1) store.put(checkpoint(index, offset + index));
    store.flush();
    // Copied while it is open, which is what a SIGKILL leaves.
    for (const name of fileNames) copyFileSync(join(stateDir, name), join(copy, name));
    store.close();
  };
  writeAll(1_000);
  writeAll(2_000);
  return [
    {
      name: 'at rest',
      files: new Map([[fileNames[0], readFileSync(join(stateDir, fileNames[0]))]]),
    },
    {
      name: 'killed',
      files: new Map(fileNames.map((name) => [name, readFileSync(join(copy, name))])),
    },
  ];
}

/** One file of an image, changed; `what` names the change. */
export type Damage = { readonly file: string; readonly bytes: Buffer; readonly what: string };

/**
 * Lays the image down with one file changed, and gives what is wrong with the store then: it must
 * give true rows only, work, and delete nothing. Empty when all is well.
 */
export function complaintsAbout(directory: string, image: Image, damage: Damage): string[] {
  const stateDir = join(directory, 'damaged');
  rmSync(stateDir, { recursive: true, force: true });
  mkdirSync(stateDir);
  for (const [name, bytes] of image.files) {
    writeFileSync(join(stateDir, name), name === damage.file ? damage.bytes : bytes);
  }
  const complaints: string[] = [];
  const demand = (holds: boolean, text: string): void => {
    if (!holds) complaints.push(`${image.name}, ${damage.file}, ${damage.what}: ${text}`);
  };
  const log = rememberingLog();
  const store = openCheckpointStore(stateDir, log);
  const asides = readdirSync(stateDir).filter((name) => /\.corrupt-\w+$/.test(name));
  demand(
    asides.length === log.lines.length,
    `${asides.length} set aside, ${log.lines.length} told`,
  );
  demand(store.healthy, 'unhealthy after opening');
  for (let index = 0; index < rows; index += 1) {
    const { podUid, container } = checkpoint(index, 0);
    demand(isTrue(store.lookup(podUid, container), index), `a wrong row ${index}`);
  }
  const fresh = Array.from({ length: rows * 2 }, (_, index) => checkpoint(index, 3_000 + index));
  for (const one of fresh) store.put(one);
  store.flush();
  demand(store.healthy, 'cannot flush');
  store.close();
  const again = openCheckpointStore(stateDir, rememberingLog());
  for (const one of fresh) {
    const found = again.lookup(one.podUid, one.container);
    demand(isDeepStrictEqual(found, [one]), `lost ${one.podUid}`);
  }
  again.close();
  return complaints;
}

/** Whether these are the rows of one file as they stood at some time, or none. */
function isTrue(found: readonly Checkpoint[], index: number): boolean {
  const stood = [[], [checkpoint(index, 1_000 + index)], [checkpoint(index, 2_000 + index)]];
  return stood.some((one) => isDeepStrictEqual(found, one));
}

/** The file with one bit of one byte turned. */
export function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
  return flipped;
}
