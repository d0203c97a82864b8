// Stands in for the pipeline in tests of the tail stage: what was drained is acknowledged at once.

import type { ChainCut } from '../../src/tail/chain-cut.ts';

export function acknowledgeAll(cut: ChainCut): void {
  for (const [index, file] of cut.files.entries()) {
    const segment = cut.segments[index];
    if (segment === undefined || file.offset <= segment.start) continue;
    file.acknowledge(file.begin(segment));
  }
}
