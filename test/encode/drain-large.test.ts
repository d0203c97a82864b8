// Long partial lines of both streams, interleaved, larger than bodies: no byte may get lost or come
// twice, and every task gets further.

import { expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';
import { seededRandom } from './line-generator.ts';
import type { Random } from './line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const seed = seedOfRun();
const streams = ['stdout', 'stderr'] as const;

type ReadEntry = { readonly textPayload: string; readonly logName: string };

function largeLog(random: Random): { log: string; texts: Record<string, string> } {
  const texts: Record<string, string> = { stdout: '', stderr: '' };
  const lines: string[] = [];
  for (let index = 0; index < 60; index++) {
    const stream = random.pick(streams);
    const byte = random.pick(['a', 'b', '\u0001', '"']);
    const text = `${index}${byte.repeat(random.below(random.pick([100, 20_000, 250_000])))};`;
    texts[stream] += text;
    lines.push(`2024-03-05T14:07:21Z ${stream} ${random.oneIn(4) ? 'F' : 'P'} ${text}\n`);
  }
  return { log: lines.join(''), texts };
}

test(`the text of every stream comes out as it went in, seed ${seed}`, () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 12; round++) {
    const { log, texts } = largeLog(random);
    const files = openFiles([log]);
    const [segment] = files.segments();
    const got: Record<string, string> = { stdout: '', stderr: '' };
    let start = 0;
    for (let tasks = 0; start < log.length; tasks++) {
      expect(tasks).toBeLessThan(200);
      const source = { ...plainSource, segments: [{ ...segment!, start }] };
      const { result, entries } = drainHere([source]);
      for (const text of entries) {
        const { textPayload, logName } = JSON.parse(text) as ReadEntry;
        got[logName === 'o' ? 'stdout' : 'stderr'] += textPayload;
      }
      const next = result.sources[0]!.consumed[0]!;
      expect(next).toBeGreaterThan(start);
      start = next;
    }
    files.close();
    for (const stream of streams) expect(got[stream] === texts[stream]).toBe(true);
  }
});
