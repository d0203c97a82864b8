// The sink's count is what makes a benchmark's figures valid, so its scan is swept over every cut.

import { expect, test } from 'vitest';
import { makeMarkerScan } from '../../bench/marker-scan.ts';

function scanIn(chunks: readonly Buffer[]): (readonly [number, number | undefined])[] {
  const found: (readonly [number, number | undefined])[] = [];
  const scan = makeMarkerScan((seq, micros) => found.push([seq, micros]));
  for (const chunk of chunks) scan(chunk, false);
  scan(Buffer.alloc(0), true);
  return found;
}

const text =
  'seq=0000000007 a seq=seq=0000000008 at=0000000000001234 b seq=00000 seq=0000000009 at=x seq=0000000010';
const expected = [
  [7, undefined],
  [8, 1234],
  [9, undefined],
  [10, undefined],
] as const;

test('`makeMarkerScan()` finds each marker once, wherever two chunks are cut', () => {
  const body = Buffer.from(text);
  for (let cut = 0; cut <= body.length; cut++) {
    expect(scanIn([body.subarray(0, cut), body.subarray(cut)]), `cut at ${cut}`).toEqual(expected);
  }
});

test('`makeMarkerScan()` finds each marker in chunks of every size', () => {
  const body = Buffer.from(text);
  for (let size = 1; size <= 40; size++) {
    const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
      body.subarray(index * size, (index + 1) * size),
    );
    expect(scanIn(chunks), `chunks of ${size}`).toEqual(expected);
  }
});

test('`makeMarkerScan()` keeps no view of a chunk, whose memory is filled again', () => {
  const found: number[] = [];
  const scan = makeMarkerScan((seq) => found.push(seq));
  const memory = Buffer.from('....seq=00000');
  scan(memory, false);
  memory.fill('x');
  scan(Buffer.from('00042'), true);
  expect(found).toEqual([42]);
});
