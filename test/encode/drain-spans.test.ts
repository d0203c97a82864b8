// A container's log is the same entries however it is cut into files, spans and chunks.

import { describe, expect, test } from 'vitest';

import type { Segment, Source } from '../../src/encode/drain-task.ts';
import {
  drainHere,
  fallbackTime,
  idPrefix,
  openFiles,
  plainContext,
  plainSource,
} from './drain-bench.ts';
import { modelEntries } from './drain-model.ts';
import { generateLog, seededRandom } from './line-generator.ts';
import type { Random } from './line-generator.ts';

const seed = Number(process.env['TAILSHIP_SEED'] ?? Date.now() % 1_000_000);

/** Cuts a log into files at random lines; all but the last end with a newline. */
function cutToFiles(random: Random, bytes: Buffer): Buffer[] {
  const files: Buffer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const newline = rest.indexOf(0x0a, random.below(rest.length));
    const end = newline === -1 || random.oneIn(4) ? rest.length : newline + 1;
    files.push(rest.subarray(0, end));
    rest = rest.subarray(end);
  }
  return files;
}

/** Segments of a growing chain: what is left of the files, up to `bytes` of it. */
function spanOf(whole: readonly Segment[], consumed: readonly number[], bytes: number): Segment[] {
  const segments: Segment[] = [];
  let room = bytes;
  for (const [index, segment] of whole.entries()) {
    const start = consumed[index]!;
    if (start === segment.end && index < whole.length - 1) continue;
    const end = Math.min(segment.end, start + room);
    room -= end - start;
    const ended = end === segment.end && index < whole.length - 1;
    segments.push({ ...segment, start, end, ended });
    if (!ended) break;
  }
  return segments;
}

/** Drains a chain in spans of random length until nothing more comes, then to its end. */
function drainInSpans(random: Random, whole: readonly Segment[], readBytes: number): string[] {
  const entries: string[] = [];
  const consumed = whole.map((segment) => segment.start);
  let spanBytes = 1 + random.below(2_000);
  for (let isEnd = false; ;) {
    const segments = isEnd
      ? spanOf(whole, consumed, Number.MAX_SAFE_INTEGER).map((one) => ({ ...one, ended: true }))
      : spanOf(whole, consumed, spanBytes);
    const source: Source = { ...plainSource, segments, ended: isEnd };
    const drained = drainHere([source], { readBytes });
    entries.push(...drained.entries);
    const places = drained.result.sources[0]!.consumed;
    let progress = 0;
    for (const [index, segment] of segments.entries()) {
      const own = whole.findIndex((one) => one.fd === segment.fd);
      progress += places[index]! - consumed[own]!;
      consumed[own] = places[index]!;
    }
    if (isEnd) return entries;
    const seen = segments.at(-1)!;
    const isAll = seen.fd === whole.at(-1)!.fd && seen.end === whole.at(-1)!.end;
    if (progress === 0 && isAll) isEnd = true;
    spanBytes = progress === 0 ? spanBytes * 2 : 1 + random.below(2_000);
  }
}

describe('a log in pieces', () => {
  test(`is what it is in one piece, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 60; round++) {
      const contents = cutToFiles(random, generateLog(random, 30).bytes);
      const files = openFiles(contents);
      const whole = files.segments();
      const readBytes = random.pick([1, 5, 100, 4_096]);
      const inSpans = drainInSpans(random, whole, readBytes);
      const atOnce = drainHere([{ ...plainSource, segments: whole }]).entries;
      files.close();
      const model = modelEntries(
        contents.map((content) => ({ content, idPrefix, fallbackTime })),
        plainContext,
      );
      expect(atOnce, `round ${round}`).toEqual(model);
      expect(inSpans, `round ${round}`).toEqual(model);
    }
  });
});
