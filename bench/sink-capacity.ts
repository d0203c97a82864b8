// How much the sink can take: autocannon posts log lines at it as fast as it can. The sink only
// takes them, as while a peer runs: it searches bodies afterwards. A peer's figures
// mean something only while the sink takes several times what the peer sends. Called by run.ts.

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import type { Corpus } from './corpus.ts';
import type { Sink } from './sink-client.ts';

const bodyBytes = 1024 * 1024;
const durationSeconds = 3;

export type SinkCapacity = {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
};

/** Posts the first MiB of a corpus over two connections for three seconds. */
export async function measureSinkCapacity(sink: Sink, corpus: Corpus): Promise<SinkCapacity> {
  const body = readFileSync(corpus.files[0] ?? '').subarray(0, bodyBytes);
  const lineCount = body.filter((byte) => byte === 10).length;
  await sink.reset(0);
  const before = performance.now();
  await autocannon({
    url: `${sink.url}/v2/entries:write`,
    method: 'POST',
    body,
    connections: 2,
    duration: durationSeconds,
  });
  const seconds = (performance.now() - before) / 1000;
  const { requests } = await sink.stats();
  return {
    linesPerSecond: (requests * lineCount) / seconds,
    bytesPerSecond: (requests * body.length) / seconds,
  };
}
