// The pool with real threads: tasks run there, bodies are read here.

import { afterAll, expect, test } from 'vitest';

import { createEncoderPool } from '../../src/encode/encoder-pool.ts';
import { openFiles, plainSource } from './drain-bench.ts';

const pool = createEncoderPool({ encoderCount: 2, slotCount: 2 });
const head = Buffer.from('{"entries":[');

afterAll(() => pool.close());

test('two threads fill two slots at once, each with its own file', async () => {
  const contents = ['a', 'b'].map((word) =>
    `2024-03-05T14:07:21Z stdout F ${word}\n`.repeat(5_000),
  );
  const files = openFiles(contents);
  const bodies = await Promise.all(
    files.segments().map(async (segment) => {
      const slot = pool.takeSlot()!;
      const sources = [{ ...plainSource, segments: [segment] }];
      const readAtMs = Date.now();
      const result = await pool.run({ slot, head, sources, traceParent: undefined, readAtMs });
      expect(result.entries).toBe(5_000);
      expect(result.cpuMicros).toBeGreaterThanOrEqual(0);
      const text = Buffer.from(pool.slotView(slot, result.bodyBytes)).toString();
      return JSON.parse(text) as { entries: { textPayload: string }[] };
    }),
  );
  files.close();
  expect(bodies[0]?.entries.every((entry) => entry.textPayload === 'a')).toBe(true);
  expect(bodies[1]?.entries.every((entry) => entry.textPayload === 'b')).toBe(true);
  expect(pool.takeSlot()).toBeUndefined();
  pool.freeSlot(1);
  expect(pool.takeSlot()).toBe(1);
});
