// A container's log is the same entries however it is cut into files, spans and chunks.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import type { Segment, Source } from '../../src/encode/drain-task.ts';
import {
  drainFile,
  drainHere,
  fallbackTime,
  idPrefix,
  openFiles,
  plainContext,
  plainSource,
} from './drain-bench.ts';
import { modelDrain } from './drain-model.ts';
import type { ModelFormat } from './drain-model.ts';
import { generateDockerLog, generateLog, seededRandom } from './line-generator.ts';
import type { Random } from './line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const seed = seedOfRun();

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

type Drained = { readonly entries: readonly string[]; readonly holeBytes: number };

/** Drains a chain in spans of random length until nothing more comes, then to its end. */
function drainInSpans(
  random: Random,
  whole: readonly Segment[],
  { readBytes, format }: { readonly readBytes: number; readonly format: ModelFormat },
): Drained {
  const entries: string[] = [];
  let holeBytes = 0;
  const consumed = whole.map((segment) => segment.start);
  let spanBytes = 1 + random.below(2_000);
  for (let isEnd = false; ;) {
    const segments = isEnd
      ? spanOf(whole, consumed, Number.MAX_SAFE_INTEGER).map((one) => ({ ...one, ended: true }))
      : spanOf(whole, consumed, spanBytes);
    const source: Source = { ...plainSource, format, segments, ended: isEnd };
    const drained = drainHere([source], { readBytes });
    entries.push(...drained.entries);
    holeBytes += drained.result.sources[0]!.holeBytes ?? 0;
    const places = drained.result.sources[0]!.consumed;
    let progress = 0;
    for (const [index, segment] of segments.entries()) {
      const own = whole.findIndex((one) => one.fd === segment.fd);
      progress += places[index]! - consumed[own]!;
      consumed[own] = places[index]!;
    }
    if (isEnd) return { entries, holeBytes };
    const seen = segments.at(-1)!;
    const isAll = seen.fd === whole.at(-1)!.fd && seen.end === whole.at(-1)!.end;
    if (progress === 0 && isAll) isEnd = true;
    spanBytes = progress === 0 ? spanBytes * 2 : 1 + random.below(2_000);
  }
}

describe('a log that the fuzzer found', () => {
  const cases = path.join(import.meta.dirname, 'fuzz-cases');

  test.each(readdirSync(cases))('is what the model says: %s', (name) => {
    const content = readFileSync(path.join(cases, name));
    const format = name.endsWith('.docker') ? 'docker' : 'cri';
    const file = { content, idPrefix, fallbackTime };
    const drained = drainFile(content, { format, readBytes: 500 });
    expect(drained).toEqual(modelDrain([file], plainContext, format));
  });
});

describe('a log in pieces', () => {
  test(`is what it is in one piece, seed ${seed}`, () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 60; round++) {
      const format = random.pick(['cri', 'cri', 'docker'] as const);
      const log = format === 'cri' ? generateLog(random, 30).bytes : generateDockerLog(random, 30);
      const contents = cutToFiles(random, log);
      const files = openFiles(contents);
      const whole = files.segments();
      const readBytes = random.pick(log.length < 50_000 ? [1, 5, 100, 4_096] : [4_096]);
      const inSpans = drainInSpans(random, whole, { readBytes, format });
      const { entries, result } = drainHere([{ ...plainSource, format, segments: whole }]);
      const atOnce = { entries, holeBytes: result.sources[0]!.holeBytes ?? 0 };
      files.close();
      const model = modelDrain(
        contents.map((content) => ({ content, idPrefix, fallbackTime })),
        plainContext,
        format,
      );
      expect(atOnce, `round ${round}`).toEqual(model);
      expect(inSpans, `round ${round}`).toEqual(model);
    }
  });
});
