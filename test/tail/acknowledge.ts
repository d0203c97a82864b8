// Stands in for the pipeline in tests of the tail stage: what was drained is acknowledged at once.

import { readSync } from 'node:fs';

import type { ChainCut } from '../../src/tail/chain-cut.ts';
import type { Chain } from '../../src/tail/chain.ts';
import type { OffsetStore } from './tail-fixture.ts';

export function acknowledgeAll(cut: ChainCut): void {
  for (const [index, file] of cut.files.entries()) {
    const segment = cut.segments[index];
    if (segment === undefined || file.offset <= segment.start) continue;
    file.acknowledge(file.begin(segment));
  }
}

export function readCut(cut: ChainCut): string {
  const texts = cut.segments.map(({ fd, start, end }) => {
    const bytes = Buffer.alloc(end - start);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, start));
  });
  return texts.join('');
}

/** All of it was drained, is acknowledged and stored. */
export function finishCut(
  chain: Chain,
  cut: ChainCut,
  { nowMs, store }: { readonly nowMs: number; readonly store: OffsetStore },
): void {
  chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
  acknowledgeAll(cut);
  for (const file of cut.files) if (file.identity !== undefined) store.remember(file.checkpoint());
}
