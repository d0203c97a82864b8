// What the walk over one log checks: what is shown, and what is told as lost.
//
// Invariant: a check says what it found, with the ids and the numbers of the lines.

import assert from 'node:assert/strict';

import path from 'node:path';

import type { SourceResult } from '../../src/encode/drain-task.ts';
import { restoreTemplate } from '../../src/encode/entries/entry-template.ts';
import type { Chain } from '../../src/tail/chain.ts';
import { TailedContainer } from '../../src/tail/tailed-container.ts';
import type { ChainCut } from '../../src/tail/chain-cut.ts';
import type { World } from './chain-walk.ts';
import { packDamaged, type DamagedPack } from './walk-damage.ts';
import { isBeginning, type Format } from './walk-log.ts';

export type Options = {
  readonly seed: number;
  readonly steps: number;
  readonly format: Format;
  /** Some `.gz` are damaged. */
  readonly isDamaging?: boolean;
};

type Shown = {
  readonly insertId: string;
  readonly timestamp: string;
  readonly textPayload?: string;
};

export function show(world: World, entries: readonly string[]): void {
  for (const entry of entries) {
    const { insertId, timestamp, textPayload = '' } = JSON.parse(entry) as Shown;
    const key = `${insertId} ${timestamp}`;
    const before = world.shown.get(key) ?? textPayload;
    assert.equal(before, textPayload, `two entries share ${key}`);
    world.shown.set(key, textPayload);
    const isLine = /^a-\d{5}$/.test(textPayload) && Number(textPayload.slice(2)) <= world.log.count;
    const isTorn = world.damaged.some(({ torn }) => torn.endsWith(textPayload));
    assert(
      isLine || isTorn || isBeginning(textPayload),
      `nobody has written ${textPayload.slice(0, 200)}`,
    );
    if (!isLine) continue;
    const number = Number(textPayload.slice(2));
    const keys = world.keys.get(number) ?? new Set();
    world.keys.set(number, keys.add(key));
    const text = `${textPayload} is shown too often: ${[...keys].join(', ')}`;
    assert(keys.size <= (world.shownMax.get(number) ?? 1), text);
  }
}

/** The damaged packs of which some line is not shown. */
export function lossesOf({ damaged, keys }: World): readonly DamagedPack[] {
  return damaged.filter(({ lacking }) => lacking.some((line) => !keys.has(line)));
}

/**
 * What is lost is told, once for each pack, and what is told may be lost: of what was read and
 * saved nothing is, if its name has not changed while no agent ran.
 */
export function checkLosses(world: World): void {
  const lost = lossesOf(world).length;
  const mayBeTold = world.damaged.filter(({ isSafe }) => !isSafe).length;
  const text = `told as lost: ${[...world.losses].join(', ')}; are lost: ${lost} of ${mayBeTold}`;
  assert(world.losses.size >= lost && world.losses.size <= mayBeTold, text);
}

export function noteAnswered({ answered }: World, entries: readonly string[]): void {
  for (const entry of entries) {
    const line = /"a-(\d{5})"/.exec(entry)?.[1];
    if (line !== undefined) answered.add(Number(line));
  }
}

/** Notes the lines of the rotations that the agent knows, if they were answered and saved. */
export function noteSafe(world: World): void {
  const { log, agent, answered, safe } = world;
  const isKnown = (suffix: string) =>
    agent?.chain.files.some(({ path: at }) => at === log.live + suffix);
  const lines = log.scheme === 'numbers' ? [] : log.rotated.filter(({ suffix }) => isKnown(suffix));
  for (const line of lines.flatMap((each) => each.lines)) if (answered.has(line)) safe.add(line);
}

export async function packOneDamaged(world: World): Promise<void> {
  const isSafe = (lines: readonly number[]) =>
    lines.length > 0 && lines.every((line) => world.safe.has(line));
  const damaged = await packDamaged(world, world.log, isSafe);
  if (damaged === undefined) return;
  world.damaged.push(damaged);
  if (world.isKept) return;
  // Where no time tells which log it is, its bytes do not either.
  for (const line of damaged.lines) world.shownMax.set(line, (world.shownMax.get(line) ?? 1) + 1);
}

export function describeCut(
  { files, segments }: ChainCut,
  { drained, flushFirst }: { drained: SourceResult; flushFirst: boolean },
): string {
  const stretches = segments.map(({ start, end, idPrefix }, index) => {
    const place = `${path.basename(files[index]?.path ?? '')} ${idPrefix.slice(-4)}`;
    return `${place} ${start}-${end} to ${drained.consumed[index]}`;
  });
  return `sent${flushFirst ? ', flushed' : ''}: ${stretches.join(', ')}`;
}

/** A container whose entries name nothing. */
export function tail(chain: Chain): TailedContainer {
  const { directory, liveName: fileName, format } = chain.location;
  const log = { linkPath: 'link', name: undefined, directory, fileName, format };
  const template = restoreTemplate({ project: 'p' }, { resource: '{}', labels: '' });
  return new TailedContainer(chain, log, { template });
}
