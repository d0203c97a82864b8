// What a power loss leaves of a `.gz` in the walk over one log, and what may be lost of it then.
//
// Invariant: what unpacks before the damage must be shown, its last line perhaps torn; the rest may
// be missing, and is told as lost if it is.

import fs from 'node:fs';
import { constants, gunzipSync, gzipSync } from 'node:zlib';

import { pack, textOf, type Log, type Scene } from './walk-log.ts';

export type DamagedPack = {
  readonly lines: readonly number[];
  /** Numbers of those that cannot be unpacked. */
  readonly lacking: readonly number[];
  /** All its lines were read and stored before. */
  readonly isSafe: boolean;
  /** Its last line, if that is torn. */
  readonly torn: string;
};

const kinds = ['cut off', 'zeros', 'no trailer', 'empty', 'only zeros'] as const;

/** Packs a rotation as a power loss leaves it; undefined: there is none to pack. */
export async function packDamaged(
  scene: Scene,
  log: Log,
  isRead: (lines: readonly number[]) => boolean,
): Promise<DamagedPack | undefined> {
  const each = log.rotated.find(({ suffix }) => !suffix.endsWith('.gz'));
  if (each === undefined) return undefined;
  const isSafe = isRead(each.lines);
  const text = fs.readFileSync(log.live + each.suffix);
  const packed = gzipSync(text);
  const kind = scene.random.pick(kinds);
  // Behind the header, and before the end of the data.
  const at = 10 + scene.random.below(Math.max(1, packed.length - 20));
  const intact = {
    'cut off': at,
    zeros: at,
    'no trailer': packed.length,
    empty: 0,
    'only zeros': 0,
  };
  scene.note(`damaged: ${kind}, ${intact[kind]} of ${packed.length} bytes`);
  await pack(scene, log, damaged(packed, kind, at));
  const unpacked = unpackBeginning(packed.subarray(0, intact[kind]));
  const lines = unpacked.toString('latin1').split('\n');
  const torn = unpacked.length === text.length ? '' : (lines.pop() ?? '');
  const whole = new Set(lines.flatMap((line) => /a-\d{5}/.exec(line)?.[0] ?? []));
  const lacking = each.lines.filter((line) => !whole.has(textOf(log, line)));
  return { lines: each.lines, lacking, isSafe, torn };
}

function damaged(packed: Buffer, kind: (typeof kinds)[number], at: number): Buffer {
  if (kind === 'cut off') return packed.subarray(0, at);
  if (kind === 'zeros') return Buffer.from(packed).fill(0, at);
  if (kind === 'no trailer') return packed.subarray(0, -8);
  return kind === 'empty' ? Buffer.alloc(0) : Buffer.alloc(packed.length);
}

function unpackBeginning(packed: Buffer): Buffer {
  if (packed.length <= 10) return Buffer.alloc(0);
  return gunzipSync(packed, { finishFlush: constants.Z_SYNC_FLUSH });
}
