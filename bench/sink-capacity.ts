// How much the sink can take: autocannon posts log lines at it as fast as it can. The sink only
// takes them, as while a peer runs: it searches bodies afterwards. A peer's figures mean something
// only while the sink takes several times what the peer sends.

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { writeCorpus } from './corpus.ts';
import type { Place } from './peer-run.ts';

const bodyLines = 5_000;
const durationSeconds = 3;

/** Posts about a MiB of text over two connections for three seconds. */
export async function measureSinkCapacity({ sink, workspace }: Place): Promise<{
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
}> {
  const folder = workspace.makeLogs('capacity');
  const options = { kind: 'text', lineCount: bodyLines, fileCount: 1, seed: 1 } as const;
  const body = readFileSync(writeCorpus({ folder, ...options }).files[0] ?? '');
  workspace.removeLogs('capacity');
  await sink.reset(0);
  const before = performance.now();
  await autocannon({
    url: `${sink.controlUrl}/v2/entries:write`,
    method: 'POST',
    body,
    connections: 2,
    duration: durationSeconds,
  });
  const seconds = (performance.now() - before) / 1000;
  const { requests } = await sink.stats();
  return {
    linesPerSecond: (requests * bodyLines) / seconds,
    bytesPerSecond: (requests * body.length) / seconds,
  };
}
